"""Detection of compilation, for a message in a window while a step takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def watch_compiler() -> Iterator[Callable[[], bool]]:
    """Give a function that returns True while Numba compiles a function, in any thread.

    Code that is read from the cache does not count.
    """
    if "numba" not in sys.modules:  # the agent runs no compiled code
        yield lambda: False
        return
    from numba.core.event import Listener, install_listener

    class Depth(Listener):
        """Number of functions that are being compiled, one inside another."""

        count = 0

        def on_start(self, event: Any) -> None:
            self.count += 1

        def on_end(self, event: Any) -> None:
            self.count -= 1

    depth = Depth()
    with install_listener("numba:compile", depth):
        yield lambda: depth.count > 0
