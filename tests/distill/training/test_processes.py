"""Worker processes: exit codes, and no process left after a kill of a worker or of the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import cloudpickle
import pytest

from dynamaze.distill.training.processes import run_processes
from tests.process_tree import HAS_PROC, descendants, is_running, wait_until

# Worker processes need not find the folder of the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = pytest.mark.skipif(not HAS_PROC, reason="processes are found in /proc")

PARENT = """
import os, sys, time
from collections import deque
from itertools import repeat
from pathlib import Path
from dynamaze.distill.training.processes import run_processes

folder = Path(sys.argv[1])

def compute():
    (folder / "compute").touch()
    deque(repeat(0), maxlen=0)  # never returns to the interpreter

def sleep():
    (folder / "sleep").touch()
    time.sleep(100)

if __name__ == "__main__":
    run_processes({"compute": compute, "sleep": sleep})
"""


def end(folder: Path, kill: bool) -> None:
    (folder / str(os.getpid())).touch()
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)


def test_no_worker_outlives_the_call(tmp_path: Path) -> None:
    functions = {name: partial(end, tmp_path, name == "killed") for name in ("whole", "killed")}
    assert run_processes(functions) == {"whole": 0, "killed": -signal.SIGKILL}
    workers = {int(path.name) for path in tmp_path.iterdir()}
    assert len(workers) == 2
    assert not workers & descendants(os.getpid())


def test_no_worker_outlives_its_killed_parent(tmp_path: Path) -> None:
    """One worker computes without the interpreter, and one sleeps, when the parent is killed."""
    script, begun = tmp_path / "parent.py", tmp_path / "begun"
    script.write_text(PARENT, encoding="utf-8")
    begun.mkdir()
    parent = subprocess.Popen([sys.executable, os.fspath(script), os.fspath(begun)])
    try:
        assert wait_until(lambda: len(list(begun.iterdir())) == 2, 30)
        workers = descendants(parent.pid)
        assert len(workers) >= 2
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not any(map(is_running, workers)), 5)
