"""Table of the teacher's labels."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_integer

from ..core.dataset import Dataset
from ..core.distributions import CATEGORICAL
from ..core.policy import LogitPolicy
from .shapes import check_size

KEY_BYTES = 16
"""Length of a hash key; two different observations have equal keys with probability 2**-128."""


class TableStudent(LogitPolicy):
    """Mean label of each observation in a dataset.

    Suited to comparisons.

    Unknown observations get the weighted mean of all rows. It is the baseline for students that
    generalise.

    Args:
        observation_shape: shape of a single observation.
        num_actions: number of actions.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(self, observation_shape: Sequence[int], num_actions: int) -> None:
        self.observation_shape = tuple(int(n) for n in observation_shape)
        self.num_actions = checked_integer("num_actions", num_actions, 1)
        self.config = {
            "kind": "table",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.num_actions,
        }
        check_size(self.config)
        self._rows: dict[bytes, int] = {}
        self._logits = np.zeros((1, self.num_actions))  # row 0 is for unknown observations

    def fit(self, dataset: Dataset) -> TableStudent:
        """Store a dataset in place of the present one.

        Rows of equal observations are averaged by their weights, or equally where these are all 0.

        Raises:
            ValueError: for observations of another shape, or another number of actions.
        """
        observations, logits, weights = checked_rows(
            dataset, self.observation_shape, self.num_actions
        )
        keys = _keys(observations)
        rows = {key: row for row, key in enumerate(dict.fromkeys(keys), 1)}
        groups = np.array([rows[key] for key in keys])
        averages = _averages(groups, logits, weights, len(rows) + 1)
        averages[0] = np.average(logits, axis=0, weights=weights if weights.any() else None)
        self._rows, self._logits = rows, averages
        return self

    def action_logits(self, observations: Any) -> FloatArray:
        """Return the (batch, actions) stored logits.

        Raises:
            ValueError: for observations of another shape.
        """
        keys = _keys(flat_rows(observations, self.observation_shape))
        return self._logits[[self._rows.get(key, 0) for key in keys]]

    def contains(self, observations: Any) -> npt.NDArray[np.bool_]:
        """Return (batch,) True where an observation is stored."""
        keys = _keys(flat_rows(observations, self.observation_shape))
        return np.array([key in self._rows for key in keys], dtype=np.bool_)

    @property
    def num_parameters(self) -> int:
        """Number of logits, without the keys."""
        return self._logits.size

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return 0: logits are looked up."""
        return 0

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return keys and logits, for a file."""
        keys = np.frombuffer(b"".join(self._rows), dtype=np.uint8).reshape(-1, KEY_BYTES)
        return {"keys": keys, "logits": self._logits.copy()}

    def set_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError: for arrays that are not a table with the same number of actions.
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
    """Return the hash key of each row; equal numbers of any dtype have equal keys."""
    # + 0.0 maps -0.0 to 0.0.
    return [blake2b(row.tobytes(), digest_size=KEY_BYTES).digest() for row in rows + 0.0]


def _averages(
    groups: npt.NDArray[Any], logits: FloatArray, weights: FloatArray, count: int
) -> FloatArray:
    """Return (count, actions) weighted averages of the rows of each group."""
    weight_sums = np.zeros(count)
    np.add.at(weight_sums, groups, weights)
    counts = np.where(weight_sums[groups] > 0, weights, 1.0)
    sums, totals = np.zeros((count, logits.shape[1])), np.zeros(count)
    np.add.at(sums, groups, counts[:, None] * logits)
    np.add.at(totals, groups, counts)
    return sums / np.maximum(totals, 1e-300)[:, None]


def flat_rows(observations: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return (batch, size) rows of (batch, *shape) observations.

    Raises:
        ValueError: for observations of another shape.
    """
    array = np.asarray(observations, dtype=np.float64)
    if array.shape[1:] != shape or array.ndim == 0:
        wanted = ", ".join(str(n) for n in ("batch", *shape))
        raise ValueError(f"observations of shape {array.shape}; expected ({wanted})")
    return array.reshape(len(array), -1)


def checked_rows(
    dataset: Dataset, shape: tuple[int, ...], num_actions: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return observations, logits and weights of a dataset, as float64.

    Raises:
        ValueError: for observations of another shape, another number of actions, continuous
            actions, or no labels.
    """
    seen, logits, weights, *_ = dataset.rows
    if logits is None or weights is None:
        raise ValueError("a dataset without labels; expected a labelled one")
    if dataset.distribution != CATEGORICAL:
        raise ValueError(f"a dataset of {dataset.distribution} actions; expected Discrete ones")
    if logits.shape[1] != num_actions:
        raise ValueError(
            f"a dataset of {logits.shape[1]} actions; expected {num_actions}, as the student's"
        )
    return flat_rows(seen, shape), logits.astype(np.float64), weights.astype(np.float64)
