"""Object code of students."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from dynamaze.distill.export.c_source import object_code as module
from dynamaze.distill.export.c_source.object_code import MOST_PARAMETERS, object_code
from dynamaze.distill.export.c_source.policy import find_compiler
from dynamaze.distill.students.registry import make_student

needs_compiler = pytest.mark.skipif(
    find_compiler() is None or shutil.which("size") is None, reason="no C compiler, or no size"
)


@needs_compiler
def test_object_code_grows_by_the_weights() -> None:
    sizes = []
    for inputs in (64, 192):
        student = make_student("linear", observation_shape=(inputs,), num_actions=4)
        code = object_code(student, np.zeros(inputs, np.float32))
        assert code is not None
        sizes.append(code.bytes)
        assert "-Os, " in code.compiler
    # 128 more inputs of 4 actions, 4 bytes each; their number is also a constant of the code.
    assert abs(sizes[1] - sizes[0] - 4 * 4 * 128) <= 32


@pytest.mark.parametrize("missing", ["find_compiler", "shutil.which"])
def test_object_code_is_unknown_without_tools(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = make_student("linear", observation_shape=(3,), num_actions=4)
    monkeypatch.setattr(f"{module.__name__}.{missing}", lambda *_: None)
    assert object_code(student, np.zeros(3, np.float32)) is None


def test_object_code_of_other_students_is_unknown() -> None:
    transformer = make_student("transformer", layers=1, width=8, heads=2)
    assert object_code(transformer, np.zeros((3, 5, 5), np.float32)) is None
    large = make_student("linear", observation_shape=(MOST_PARAMETERS // 4,), num_actions=4)
    assert large.num_parameters > MOST_PARAMETERS
    assert object_code(large, np.zeros(MOST_PARAMETERS // 4, np.float32)) is None
