"""Provenance of stored runs: versions, machine, revision and command; identity of a process."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
import uuid
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import dynamaze
from dynamaze.common.version import __version__

LIBRARIES = ("numpy", "numba", "gymnasium")
"""Distributions whose versions are always recorded."""

LOADED = {
    "torch": "torch",
    "stable_baselines3": "stable-baselines3",
    "sb3_contrib": "sb3-contrib",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
    "dask": "dask",
    "distributed": "distributed",
    "ray": "ray",
}
"""Modules -> distributions whose versions are recorded if they are loaded."""


class ProcessIdentity(NamedTuple):
    """Identity of a process that no later process shares."""

    machine: str
    """Host, its boot and the name space of its process ids."""
    pid: int
    started: str
    """Time of its start by the system's clock; "" where it is not known."""


def process_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    return ProcessIdentity(_machine(), os.getpid(), _start_time(os.getpid()) or "")


def is_alive(identity: ProcessIdentity) -> bool | None:
    """Tell whether a process of this machine is alive; None where that cannot be known."""
    if identity.started:
        return _start_time(identity.pid) == identity.started
    if os.name == "posix":  # without /proc: at least one that has ended is known
        try:
            os.kill(identity.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return None


def collect_provenance() -> dict[str, Any]:
    """Return versions, machine, source revision, command and time, serialisable as JSON."""
    names = [*LIBRARIES, *(name for module, name in LOADED.items() if module in sys.modules)]
    versions = {"python": platform.python_version(), "dynamaze": __version__}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": _cores(),
        "host": platform.node(),
        "revision": _revision(),
        "command": command_line(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def command_line() -> str:
    """Return the command that runs this process again; "" in a notebook or a shell of Python."""
    program, *options = sys.argv or [""]
    name = Path(program).name
    if name in ("dynamaze", "dynamaze.exe"):
        return shlex.join(["dynamaze", *options])
    if name in ("", "-c") or "ipykernel" in program:
        return ""
    original = sys.orig_argv[1:]
    if original[:2] == ["-m", "dynamaze"]:
        return shlex.join(original[1:])
    return shlex.join(["python", *original])


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{platform.node()} {uuid.getnode()}"


def _start_time(pid: int) -> str | None:
    """Return the start of a process in clock ticks since boot; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the name in brackets, may hold spaces and brackets. A zombie has ended.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _revision() -> str:
    """Return the Git revision of the sources, with "+" if they differ from it; "" if installed."""
    root = Path(dynamaze.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""

    def git(*arguments: str) -> str:
        command = ["git", "-C", os.fspath(root), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.SubprocessError):
        return ""
