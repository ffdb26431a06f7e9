"""Compute the golden values and store them: `python -m tests.golden.make [GROUP ...]`.

Says which keys are new, changed and gone. A change needs a reason in the commit's message.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# OpenBLAS adds in another order on each kind of processor; with one kernel golden values are
# the same on all processors that have it.
cpu = Path("/proc/cpuinfo")
if cpu.exists() and "avx2" in cpu.read_text(encoding="utf-8"):
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")

if not __package__:  # started by its path: relative imports work as PEP 366 says
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __import__("golden")
    __package__ = "golden"


def main(arguments: list[str]) -> int:
    """Store the golden values of the named groups, of all groups without a name."""
    from .golden import GROUPS

    unknown = sorted(set(arguments) - set(GROUPS))
    if unknown:
        print(f"unknown group {unknown[0]!r}; expected some of {', '.join(GROUPS)}")
        return 1
    for group in arguments or GROUPS:
        make(group)
    return 0


def make(group: str) -> None:
    """Compute a group's cases, store them and print which changed."""
    from .golden import Record, compare, load_cases, load_stored, path_of

    stored, found = load_stored(group), dict[str, Record]()
    started, slowest = time.perf_counter(), (0.0, "")
    for key, case in load_cases(group).CASES.items():
        began = time.perf_counter()
        found[key] = case()
        slowest = max(slowest, (time.perf_counter() - began, key))
        difference = compare(stored[key], found[key]) if key in stored else "new"
        if difference is None:
            found[key] = stored[key]  # no noise of the last digits in the file
        else:
            print(f"{group}: {key}: {difference}")
    for key in stored.keys() - found.keys():
        print(f"{group}: {key}: gone")
    write(path_of(group), found)
    seconds = time.perf_counter() - started
    print(
        f"{group}: {len(found)} cases, {path_of(group).stat().st_size:,} bytes, {seconds:.1f} s "
        f"(slowest: {slowest[1]}, {slowest[0]:.1f} s)"
    )


def write(path: Path, records: dict[str, object]) -> None:
    """Write records atomically, one key a line, so that a difference is read by its key."""
    lines = [f"{json.dumps(key)}: {json.dumps(records[key])}" for key in sorted(records)]
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
