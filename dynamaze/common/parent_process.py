"""End of a worker process with its parent, however the parent ends."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading


def end_with_parent() -> None:
    """End this process, started by `multiprocessing`, when its parent has ended.

    On Linux the kernel ends it when the pipe to its parent closes, so that compiled code that holds
    the interpreter's lock cannot prevent it; elsewhere a thread waits for the parent's end. In a
    process without such a parent this does nothing.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()
    if sys.platform == "linux":
        import fcntl

        # The parent holds the writing end of this pipe, and writes nothing more to it. When it
        # closes the kernel sends SIGIO, whose default action is to end the process.
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
