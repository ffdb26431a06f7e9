"""A table: the teacher's answers, remembered."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ..core.dataset import Dataset
from ..core.logits import LogitPolicy
from .rows import checked_rows, flat_rows

KEY_BYTES = 16
"""Two observations share a key of so many bytes by chance once in 2**64 pairs or more rarely."""


class Table(LogitPolicy):
    """Answers for each observation that it was taught what the teacher did, on the average.

    It knows nothing of any other observation: there it answers with the average of all rows. So
    it is the floor for students that learn more than what they were shown.

    Args:
        observation_shape: of a single observation.
        num_actions: how many.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(self, observation_shape: Sequence[int], num_actions: int) -> None:
        self.observation_shape = tuple(int(n) for n in observation_shape)
        self.num_actions = int(checked_number("num_actions", num_actions, 1, whole=True))
        self.config = {
            "kind": "table",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.num_actions,
        }
        self._rows: dict[bytes, int] = {}
        self._logits = np.zeros((1, self.num_actions))  # the first is for what is not known

    def fit(self, dataset: Dataset) -> Table:
        """Remember a dataset, and nothing of what was known before.

        Rows of one observation are averaged by their weights, or alike where these are all 0.

        Raises:
            ValueError: for observations of another shape, or another number of actions.
        """
        observations, logits, weights = checked_rows(
            dataset, self.observation_shape, self.num_actions
        )
        keys = _keys(observations)
        rows = {key: row for row, key in enumerate(dict.fromkeys(keys), 1)}
        places = np.array([rows[key] for key in keys])
        averages = _averages(places, logits, weights, len(rows) + 1)
        averages[0] = np.average(logits, axis=0, weights=weights if weights.any() else None)
        self._rows, self._logits = rows, averages
        return self

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) what is remembered of each observation.

        Raises:
            ValueError: for observations of another shape.
        """
        keys = _keys(flat_rows(observations, self.observation_shape))
        return self._logits[[self._rows.get(key, 0) for key in keys]]

    def knows(self, observations: Any) -> npt.NDArray[np.bool_]:
        """(batch,) True where an observation was taught."""
        keys = _keys(flat_rows(observations, self.observation_shape))
        return np.array([key in self._rows for key in keys], dtype=np.bool_)

    @property
    def num_parameters(self) -> int:
        """How many logits it holds, without the keys."""
        return self._logits.size

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """None: an answer is looked up."""
        return 0

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Keys and logits, for a file."""
        keys = np.frombuffer(b"".join(self._rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
        return {"keys": keys, "logits": self._logits.copy()}

    def set_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays that are no table of as many actions.
        """
        keys, logits = np.asarray(state["keys"]), np.array(state["logits"], dtype=np.float64)
        expected = ((len(logits) - 1, KEY_BYTES), (len(keys) + 1, self.num_actions))
        if (keys.shape, logits.shape) != expected or keys.dtype != np.uint8:
            raise ValueError(
                f"keys of shape {keys.shape} and logits of shape {logits.shape}; expected a table "
                f"of {self.num_actions} actions"
            )
        self._rows = {key.tobytes(): row for row, key in enumerate(keys, 1)}
        self._logits = logits


def _keys(rows: FloatArray) -> list[bytes]:
    """What each row is known by; equal numbers of any dtype have equal keys."""
    return [blake2b(row.tobytes(), digest_size=KEY_BYTES).digest() for row in rows + 0.0]


def _averages(
    places: npt.NDArray[Any], logits: FloatArray, weights: FloatArray, count: int
) -> FloatArray:
    """(count, actions) weighted averages of the rows of each place."""
    shares = np.zeros(count)
    np.add.at(shares, places, weights)
    counts = np.where(shares[places] > 0, weights, 1.0)
    sums, totals = np.zeros((count, logits.shape[1])), np.zeros(count)
    np.add.at(sums, places, counts[:, None] * logits)
    np.add.at(totals, places, counts)
    return sums / np.maximum(totals, 1e-300)[:, None]
