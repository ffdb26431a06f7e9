"""Export functions, for tests over every export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.files.students import to_stored

Exporter = Callable[[Any, Path, Any], Any]
"""From a student, a folder and a single observation to the exported policy."""


def without_torch(student: Any, folder: Path, seen: Any) -> Any:
    return build_policy(to_stored(student))


def as_onnx(student: Any, folder: Path, seen: Any) -> Any:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    export_onnx(folder / "s.onnx", student, seen)
    return open_policy(folder / "s.onnx").policy


def as_c(student: Any, folder: Path, seen: Any) -> Any:
    if find_compiler() is None:
        pytest.skip("there is no C compiler")
    export_c(folder / "s.h", student, seen)
    return CPolicy(folder / "s.h", "-std=c99", "-pedantic")


every_exporter = pytest.mark.parametrize("export", [without_torch, as_onnx, as_c])
