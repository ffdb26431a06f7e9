"""Students that come with the package: `builtin:NAME` in place of a file. No torch."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from dynamaze.common.validation import did_you_mean, shown

PREFIX = "builtin:"

BUILTIN = {
    "value_iteration": "sees a maze of any size, and takes shortest paths; 113 numbers",
    "value_iteration_ternary": "the same with the weights -1, 0 and 1; 33 bytes",
    "map_value_iteration": "learns a maze that it does not see, with a map; 43 numbers",
    "map_value_iteration_int8": "the same with exact moves and 24 integers; 28 bytes",
}
"""Name of a built-in student -> what it does. `dynamaze distill builtin` makes their files."""


def is_builtin(student: str | os.PathLike[str]) -> bool:
    """Return True for text of the form `builtin:NAME`, also of an unknown name."""
    return os.fspath(student).startswith(PREFIX)


def student_path(student: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the file of a student: that of the package for `builtin:NAME`, others unchanged.

    Raises:
        ValueError: for an unknown name.
    """
    if not is_builtin(student):
        return student
    name = os.fspath(student).removeprefix(PREFIX)
    if name not in BUILTIN:
        known = [PREFIX + each for each in BUILTIN]
        raise ValueError(
            f"student {shown(os.fspath(student))}; expected one of {', '.join(known)}"
            f"{did_you_mean(PREFIX + name, known)}"
        )
    return Path(str(files(__package__) / "builtin" / f"{name}.safetensors"))
