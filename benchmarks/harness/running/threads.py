"""Independent runs in threads, for compiled code that releases the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int | None = None,
    callback: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Yield the results of a function for all items, in their order.

    Args:
        function: independent for each item. Its first call runs alone, as it compiles the code that
            all share.
        items: its arguments.
        workers: threads, which do not influence the results; None for one on each core.
        callback: called after each result, in the calling thread.
    """
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            for place in (slice(0, 1), slice(1, None)):
                for result in pool.map(function, items[place]):
                    yield result
                    if callback is not None:
                        callback()
        except BaseException:  # Ctrl-C above all: what has not begun is cancelled
            pool.shutdown(wait=False, cancel_futures=True)
            raise
