"""Training in several processes at once, such as codistillation of workers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from typing import Any

import cloudpickle

from dynamaze.common.parent_process import end_with_parent
from dynamaze.common.threads import one_torch_thread


def run_processes(functions: Mapping[str, Callable[[], Any]]) -> dict[str, int]:
    """Run functions, each in a process of its own with one thread, and wait for all.

    The others go on when one fails or is killed. None outlives this call, nor this process, even
    if that is killed. A script that calls it needs `if __name__ == "__main__":`, as new
    interpreters import it.

    Args:
        functions: name -> function; it is pickled.

    Returns:
        Name -> exit code: 0, 1 after an exception, or minus the number of the signal.
    """
    context = multiprocessing.get_context("spawn")
    processes = {
        name: context.Process(target=_run, args=(cloudpickle.dumps(function),), name=name)
        for name, function in functions.items()
    }
    try:
        for process in processes.values():
            process.start()
        for process in processes.values():
            process.join()
    finally:
        for process in processes.values():
            if process.pid is not None and process.is_alive():
                process.kill()
                process.join()
    return {name: process.exitcode or 0 for name, process in processes.items()}


def _run(function: bytes) -> None:
    end_with_parent()
    loaded = cloudpickle.loads(function)  # imports torch
    with one_torch_thread():
        loaded()
