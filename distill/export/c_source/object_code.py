"""Size of a student's C source as object code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...core.size import ObjectCode
from .policy import find_compiler
from .writer import export_c

MOST_PARAMETERS = 20_000
"""Students with more parameters are not compiled, which would take minutes."""

SOURCE = """#include "student.h"
const void *const entry = (const void *) student_act; /* so that it is emitted */
"""

SECTIONS = (".text", ".rodata")
"""Sections of code and read-only data; those of stack unwinding and comments do not count."""


def object_code(student: Any, observation: Any, *, small: bool = False) -> ObjectCode | None:
    """Return the size of a decision in C (`export_c`), compiled for size.

    Args:
        student: a student or a compiled policy; for mazes of the observation's size.
        observation: a single one.
        small: written for size, too (see `export_c`).

    Returns:
        None without gcc (or cc) and `size` on the path, for a kind of student that `export_c` does
        not write, and for more than `MOST_PARAMETERS` parameters.

    Raises:
        ValueError: if `export_c` does not write the student for size.
    """
    compiler, size = find_compiler(), shutil.which("size")
    if compiler is None or size is None or student.num_parameters > MOST_PARAMETERS:
        return None
    with TemporaryDirectory() as folder:
        header, source, compiled = (Path(folder, f"student.{end}") for end in "hco")
        try:
            export_c(header, student, np.asarray(observation), small=small)
        except TypeError:  # another kind of student
            return None
        source.write_text(SOURCE)
        _output(compiler, "-std=c99", "-Os", "-c", str(source), "-o", str(compiled))
        lines = [line.split() for line in _output(size, "-A", str(compiled)).splitlines()]
    total = sum(int(line[1]) for line in lines if line and line[0].startswith(SECTIONS))
    version, machine = _output(compiler, "-dumpversion"), _output(compiler, "-dumpmachine")
    return ObjectCode(total, f"{Path(compiler).name} {version} -Os, {machine.partition('-')[0]}")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
