"""Ring buffer of rows, in columns that grow until its capacity is reached."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from .records import Stateful

Columns = TypeVar("Columns", bound=tuple[Any, ...])


class RingBuffer(Stateful, Generic[Columns]):
    """Ring buffer of rows; when full the oldest are overwritten.

    Args:
        capacity: largest number of rows.
        empty: record (a NamedTuple) of the columns: arrays without rows.

    Attributes:
        seen: number of rows ever added.
    """

    state_fields: ClassVar = {"rows": "", "seen": "seen"}

    def __init__(self, capacity: int, empty: Columns) -> None:
        self.capacity = capacity
        self.growing_fields = empty._fields  # type: ignore[attr-defined]  # a NamedTuple
        self.seen = 0
        self._columns = empty

    @property
    def used(self) -> int:
        """Number of stored rows."""
        return min(self.seen, self.capacity)

    @property
    def rows(self) -> Columns:
        """Stored rows as views, in no particular order."""
        return self._each(lambda column: column[: self.used])

    @rows.setter
    def rows(self, rows: Columns) -> None:
        self._columns = rows

    def add(self, rows: Columns) -> None:
        """Add rows to all columns."""
        number = len(rows[0])
        self._reserve(min(self.seen + number, self.capacity))
        places = np.arange(self.seen, self.seen + number)[-self.capacity :] % self.capacity
        for column, new in zip(self._columns, rows, strict=True):
            column[places] = new[-self.capacity :]
        self.seen += number

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check that there are as many rows in each column as the number of rows seen implies."""
        seen, lengths = restored["seen"], {len(column) for column in restored["rows"]}
        if seen < 0 or lengths != {min(seen, self.capacity)}:
            raise ValueError(
                f"columns of {sorted(lengths)} rows, {seen} rows seen; expected "
                f"{min(max(seen, 0), self.capacity)} rows in each"
            )

    def _reserve(self, rows: int) -> None:
        have = len(self._columns[0])
        if rows > have:
            more = min(max(rows, 2 * have), self.capacity) - have
            self._columns = self._each(
                lambda column: np.concatenate(
                    [column, np.zeros((more, *column.shape[1:]), column.dtype)]
                )
            )

    def _each(self, change: Any) -> Columns:
        columns: Any = map(change, self._columns)
        return type(self._columns)(*columns)
