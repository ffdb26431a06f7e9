"""The memory of a source: the last rows that it has labelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.validation import checked_number

Columns = dict[str, npt.NDArray[Any]]


class Replay:
    """Holds as many rows as there is room for; new ones replace the oldest.

    Args:
        capacity: how many rows.

    Raises:
        ValueError: for a capacity below 1.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = int(checked_number("capacity", capacity, 1, whole=True))
        self._columns: Columns = {}
        self._size = self._next = 0

    def __len__(self) -> int:
        return self._size

    def add(self, columns: Columns) -> None:
        """Add rows: arrays by name, each with as many rows and the same shape as at first."""
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

    def draw(self, count: int, rng: np.random.Generator) -> Columns:
        """Rows at random with replacement, each as likely as the others."""
        chosen = rng.integers(self._size, size=count)
        return {name: rows[chosen] for name, rows in self._columns.items()}

    def get_state(self) -> dict[str, Any]:
        """All rows, and where the next one goes."""
        rows = {name: column[: self._size].copy() for name, column in self._columns.items()}
        return {"columns": rows, "next": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned, of a memory of the same capacity."""
        self._columns, self._size, self._next = {}, 0, 0
        if state["columns"]:
            self.add(state["columns"])
        self._next = state["next"]


class Fragments:
    """Puts together the sequences that a vector environment's episodes are cut into.

    A sequence begins with an episode, or where the last one was full, and ends with the episode or
    when it is full. The rest of a short one is zeros, of weight 0.

    Args:
        num_envs: how many environments.
        length: moments of a sequence.
    """

    def __init__(self, num_envs: int, length: int) -> None:
        self.length = length
        self._filled = np.zeros(num_envs, dtype=np.int64)
        self._columns: Columns = {}

    def add(
        self, deciding: npt.NDArray[np.bool_], ended: npt.NDArray[np.bool_], moments: Columns
    ) -> Columns:
        """Add a moment of each environment that decides.

        Args:
            deciding: (n,) True where there is one.
            ended: (n,) True where it is the episode's last.
            moments: arrays by name, a row for each that decides.

        Returns:
            The (sequences, length, ...) columns that are complete; perhaps none.
        """
        ones = np.ones(int(deciding.sum()), dtype=np.float32)
        moments = {**moments, "weights": ones}
        if not self._columns:
            room = (len(self._filled), self.length)
            self._columns = {
                name: np.zeros((*room, *rows.shape[1:]), rows.dtype)
                for name, rows in moments.items()
            }
        (places,) = np.nonzero(deciding)
        for name, rows in moments.items():
            self._columns[name][places, self._filled[places]] = rows
        self._filled[places] += 1
        return self._take((self._filled > 0) & (ended | (self._filled == self.length)))

    def take_all(self) -> Columns:
        """All that is begun, as it is."""
        return self._take(self._filled > 0)

    def _take(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        taken = {name: column[chosen] for name, column in self._columns.items()}
        for column in self._columns.values():
            column[chosen] = 0
        self._filled[chosen] = 0
        return taken if chosen.any() else {}
