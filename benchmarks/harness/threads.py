"""Runs in threads: compiled code does not hold the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def map_in_threads(
    run: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    *,
    workers: int | None = None,
    callback: Callable[[], None] | None = None,
) -> list[Result]:
    """Call a function with each argument, in threads, and return the results in order.

    The first call is made alone: it compiles the code that all share.

    Args:
        run: the function; it depends on nothing that another call changes.
        arguments: at least one.
        workers: threads; None for one on each core.
        callback: called after each result, in the calling thread and in order.
    """
    results = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            results.append(run(arguments[0]))
            if callback is not None:
                callback()
            for result in pool.map(run, arguments[1:]):
                results.append(result)
                if callback is not None:
                    callback()
        except BaseException:  # Ctrl-C above all: calls that have not begun are cancelled
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
