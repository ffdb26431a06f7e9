"""Ring buffer of rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from dynamaze.agents.core.ring_buffer import RingBuffer


class Pair(NamedTuple):
    number: Any
    vector: Any


def pairs(first: int, last: int) -> Pair:
    numbers = np.arange(first, last)
    return Pair(numbers, np.stack([numbers, -numbers], axis=1) / 2)


def make(capacity: int = 5) -> RingBuffer[Pair]:
    return RingBuffer(capacity, pairs(0, 0))


@pytest.mark.parametrize("parts", [[7], [3, 4], [1] * 7, [0, 6, 0, 1], [2, 5]])
def test_oldest_rows_overwritten(parts: list[int]) -> None:
    buffer, first = make(), 0
    for size in parts:
        buffer.add(pairs(first, first + size))
        first += size
    assert (buffer.used, buffer.seen) == (5, 7)
    assert sorted(buffer.rows.number) == [2, 3, 4, 5, 6]
    np.testing.assert_array_equal(buffer.rows.vector[:, 0], buffer.rows.number / 2)
    assert buffer.rows.number.dtype == np.int64


def test_state_is_copy_and_resumes() -> None:
    one, other = make(), make()
    one.add(pairs(0, 3))
    state = one.get_state()
    assert list(state) == ["number", "vector", "seen"]
    other.set_state(state)
    state["number"][:] = 9
    for buffer in (one, other):
        buffer.add(pairs(3, 7))
    np.testing.assert_equal(one.get_state(), other.get_state())


@pytest.mark.parametrize("change", [{"seen": 2}, {"seen": -3}, {"number": np.arange(4)}])
def test_state_of_unequal_columns_rejected(change: dict[str, Any]) -> None:
    buffer = make()
    buffer.add(pairs(0, 3))
    before = buffer.get_state()
    with pytest.raises(ValueError, match=r"columns of .* expected \d rows in each|seen -3"):
        buffer.set_state({**before, **change})
    np.testing.assert_equal(buffer.get_state(), before)
