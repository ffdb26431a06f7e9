"""Provenance of runs, and the identity of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynamaze.benchmarks.harness.store.provenance import (
    collect_provenance,
    command_line,
    is_alive,
    process_identity,
)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_provenance_is_json() -> None:
    provenance = json.loads(json.dumps(collect_provenance()))
    assert {"python", "dynamaze", "numpy", "numba", "gymnasium"} <= set(provenance["versions"])
    assert provenance["cores"] >= 1
    assert provenance["platform"]


@needs_proc
def test_process_is_alive_until_its_end() -> None:
    own = process_identity()
    assert is_alive(own)
    assert not is_alive(own._replace(started="1"))  # its number was given to another process
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
        other = own._replace(pid=child.pid, started=started)
        assert is_alive(other)
        child.kill()
        while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        assert not is_alive(other)
    assert not is_alive(other)


def test_unknown_start_is_not_judged() -> None:
    assert is_alive(process_identity()._replace(started="")) is None


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ended_process_of_unknown_start_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_alive(process_identity()._replace(pid=child.pid, started="")) is False


@pytest.mark.parametrize(
    ("arguments", "original", "expected"),
    [
        (["/x/bin/dynamaze", "bench", "run", "a b"], [], "dynamaze bench run 'a b'"),
        (["/x/my.py", "1"], ["/x/python", "my.py", "1"], "python my.py 1"),
        (["/x/__main__.py"], ["python3", "-m", "pack"], "python -m pack"),
        (["/x/__main__.py", "play"], ["python3", "-m", "dynamaze", "play"], "dynamaze play"),
        (["-c"], ["python3", "-c", "print()"], ""),
        (["/x/ipykernel_launcher.py", "-f", "k.json"], [], ""),
    ],
)
def test_command_line_can_be_run_again(
    arguments: list[str], original: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert command_line() == expected
