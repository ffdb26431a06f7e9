"""Batch sources, a replay buffer for labelled rows and a buffer for sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.validation import checked_integer

from ..core.dataset import Batch, make_batch
from ..core.distributions import distribution_of
from ..core.levels import LevelRange
from ..teachers import as_teacher, check_stateless, teacher_labels, teacher_values


class BatchSource(Protocol):
    """Source of training batches, one for each training step.

    A source with more state than its arguments also has `get_state() -> dict` and
    `set_state(dict)`, with NumPy arrays and JSON values: then resumed training is bit-identical. If
    it has `distribution`, the kind of its teacher's actions (see `distribution_of`), it is compared
    with the students before they train. `gives`, a set of names, says what it has beyond labels:
    "reward" for batches with rewards among their extra columns.
    """

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """Levels of the mazes that are trained on; empty where there are no levels."""

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Return a batch for a training progress in [0, 1]; all randomness comes from `rng`."""


class FunctionSource:
    """Observations sampled by a function for each batch, and labelled by a teacher.

    Args:
        teacher: anything that `as_teacher` takes; state values are labelled too if it has any. None
            for observations without labels.
        sample_observations: returns a batch of observations for a random generator and the
            progress in [0, 1].
        levels: the levels that `sample_observations` draws from.

    Raises:
        TypeError: if it is no teacher, is recurrent, or needs action masks.
    """

    @renamed_arguments(ask="sample_observations")
    def __init__(
        self,
        teacher: Any,
        sample_observations: Callable[[np.random.Generator, float], npt.NDArray[Any]],
        levels: tuple[LevelRange, ...] = (),
    ) -> None:
        if teacher is not None:
            check_stateless(as_teacher(teacher), "FunctionSource")
        self.teacher, self.levels = teacher, levels
        self.sample_observations = sample_observations

    @property
    def distribution(self) -> str | None:
        """Kind of the teacher's actions; None without a teacher."""
        return None if self.teacher is None else distribution_of(as_teacher(self.teacher))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Return new observations, labelled in one pass of the teacher."""
        observations = self.sample_observations(rng, progress)
        if self.teacher is None:
            return make_batch(observations, None)
        return label_batch(as_teacher(self.teacher), observations)


def label_batch(teacher: Any, observations: npt.NDArray[Any]) -> Batch:
    """Return observations with a teacher's labels, and its state values if it has any.

    Raises:
        ValueError: for invalid labels (see `teacher_labels`).
    """
    labels = teacher_labels(teacher, observations)
    has_values = hasattr(teacher, "state_values")
    values = teacher_values(teacher, observations) if has_values else None
    return make_batch(observations, labels, values=values)


Columns = dict[str, npt.NDArray[Any]]


class ReplayBuffer:
    """Ring buffer of labelled rows; new rows replace the oldest.

    Args:
        capacity: maximum number of rows.

    Raises:
        ValueError: for a capacity below 1.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = checked_integer("capacity", capacity, 1)
        self._columns: Columns = {}
        self._size = self._next = 0

    def __len__(self) -> int:
        return self._size

    def add(self, columns: Columns) -> None:
        """Add rows: arrays by name, of equal length and with the row shapes of the first call."""
        if not self._columns:
            self._columns = {
                name: np.empty((self.capacity, *rows.shape[1:]), rows.dtype)
                for name, rows in columns.items()
            }
        count = len(next(iter(columns.values())))
        places = (self._next + np.arange(count))[-self.capacity :] % self.capacity
        for name, rows in columns.items():
            self._columns[name][places] = rows[-self.capacity :]
        self._next = (self._next + count) % self.capacity
        self._size = min(self._size + count, self.capacity)

    def sample(self, count: int, rng: np.random.Generator) -> Columns:
        """Sample rows uniformly with replacement."""
        chosen = rng.integers(self._size, size=count)
        return {name: rows[chosen] for name, rows in self._columns.items()}

    def get_state(self) -> dict[str, Any]:
        """Return all rows and the position of the next one."""
        rows = {name: column[: self._size].copy() for name, column in self._columns.items()}
        return {"columns": rows, "next": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned, from a buffer of the same capacity."""
        self._columns, self._size, self._next = {}, 0, 0
        if state["columns"]:
            self.add(state["columns"])
        self._next = state["next"]


class SequenceBuffer:
    """Buffer that cuts the episodes of a vector environment into sequences.

    A sequence begins with an episode, or after a full sequence, and ends with the episode or when
    it is full. Short sequences are padded with zeros, of weight 0.

    Args:
        num_envs: number of environments.
        length: steps of a sequence.
    """

    def __init__(self, num_envs: int, length: int) -> None:
        self.length = length
        self._filled = np.zeros(num_envs, dtype=np.int64)
        self._columns: Columns = {}

    def add(
        self, needs_action: npt.NDArray[np.bool_], ended: npt.NDArray[np.bool_], steps: Columns
    ) -> Columns:
        """Add one step of each environment that acts.

        Args:
            needs_action: (n,) True where there is a step.
            ended: (n,) True where it is the last of its episode.
            steps: arrays by name, a row for each environment that acts.

        Returns:
            The (sequences, length, ...) columns that are complete; empty if none is.
        """
        ones = np.ones(int(needs_action.sum()), dtype=np.float32)
        steps = {**steps, "weights": ones}
        if not self._columns:
            room = (len(self._filled), self.length)
            self._columns = {
                name: np.zeros((*room, *rows.shape[1:]), rows.dtype) for name, rows in steps.items()
            }
        (places,) = np.nonzero(needs_action)
        for name, rows in steps.items():
            self._columns[name][places, self._filled[places]] = rows
        self._filled[places] += 1
        return self._take((self._filled > 0) & (ended | (self._filled == self.length)))

    def take_all(self) -> Columns:
        """Return and remove all sequences, complete or not."""
        return self._take(self._filled > 0)

    def _take(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        taken = {name: column[chosen] for name, column in self._columns.items()}
        for column in self._columns.values():
            column[chosen] = 0
        self._filled[chosen] = 0
        return taken if chosen.any() else {}
