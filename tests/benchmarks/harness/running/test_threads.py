"""Runs in threads: order, the first run alone, callbacks, and cancelling after an error."""

from __future__ import annotations

import threading
import time

import pytest

from dynamaze.benchmarks.harness.running.threads import in_threads


@pytest.mark.parametrize("workers", [1, 4, None])
def test_in_threads_keeps_order(workers: int | None) -> None:
    calls: list[None] = []

    def square(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    found = in_threads(square, range(9), workers=workers, callback=lambda: calls.append(None))
    assert list(found) == [number * number for number in range(9)]
    assert len(calls) == 9
    assert list(in_threads(square, [])) == []


def test_in_threads_runs_first_alone() -> None:
    running, most_beside_first = set(), []

    def run(number: int) -> None:
        running.add(number)
        time.sleep(0.01)
        if number == 0:
            most_beside_first.append(len(running))
        running.discard(number)

    list(in_threads(run, range(4), workers=4))
    assert most_beside_first == [1]


def test_in_threads_cancels_after_error() -> None:
    done: list[int] = []
    main = threading.get_ident()

    def run(number: int) -> None:
        assert threading.get_ident() != main
        done.append(number)
        if number == 1:
            raise RuntimeError("run 1 failed")
        time.sleep(0.005)

    with pytest.raises(RuntimeError, match="run 1 failed"):
        list(in_threads(run, range(200), workers=1))
    assert len(done) < 200
