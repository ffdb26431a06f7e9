"""Tables of many runs, kept stacked: a dict of small arrays for each would take a kilobyte."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table


class _Stack(NamedTuple):
    numbers: np.ndarray[Any, Any]  # (runs,), increasing
    columns: Table  # (runs, rows, ...)


class RunTables(Sequence[Any]):
    """Tables of the runs of a setting, in the order of their numbers; None for a missing run.

    Each table is made when it is asked for, and is a copy.

    Args:
        runs: their number.
        stacks: numbers (runs,) and stacked columns (runs, rows, ...) of runs, in order.
    """

    def __init__(
        self, runs: int, stacks: Iterable[tuple[np.ndarray[Any, Any], Table]] = ()
    ) -> None:
        self._runs = runs
        self._stacks = [_Stack(*stack) for stack in stacks]
        self._firsts = [int(stack.numbers[0]) for stack in self._stacks]

    def __len__(self) -> int:
        return self._runs

    def __repr__(self) -> str:
        """Return the number of runs."""
        return f"<tables of {self._runs} runs>"

    def __eq__(self, other: object) -> bool:
        """Tell whether it has the same tables; as for a list, arrays have to be comparable."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        """Return the table of a run, or a list of tables."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._runs))]
        number = range(self._runs)[index]  # raises IndexError
        place = bisect_right(self._firsts, number) - 1
        if place < 0:
            return None
        numbers, columns = self._stacks[place]
        at = int(np.searchsorted(numbers, number))
        if at == len(numbers) or numbers[at] != number:
            return None
        return {name: column[at].copy() for name, column in columns.items()}

    def __iter__(self) -> Iterator[Any]:
        """Yield the tables in order."""
        next_number = 0
        for numbers, columns in self._stacks:
            for at, number in enumerate(numbers.tolist()):
                for _ in range(next_number, number):
                    yield None
                next_number = number + 1
                yield {name: column[at].copy() for name, column in columns.items()}
        for _ in range(next_number, self._runs):
            yield None

    def column(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return (runs, rows, ...) a column, or None if a run lacks it or has another shape."""
        parts = [columns.get(name) for _, columns in self._stacks]
        found = [part for part in parts if part is not None]
        is_whole = sum(map(len, found)) == self._runs and len(found) == len(parts)
        if not found or not is_whole or len({part.shape[1:] for part in found}) > 1:
            return None
        return np.concatenate(found)
