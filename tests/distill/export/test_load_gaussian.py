"""Files of continuous actions: contents and refusals."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dynamaze.distill.export.c_source.policy import find_compiler
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.registry import make_student

from ..composite_students import BOUNDS, assert_same_policy, wide_outputs
from ..exporters import as_c, as_onnx
from ..student_cases import observations

SEEN = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")


def test_onnx_gaussian_of_custom_module(tmp_path: Path) -> None:
    import torch

    student = GaussianStudent(as_student(torch.nn.Linear(3, 4)), *BOUNDS)
    assert_same_policy(as_onnx(student, tmp_path, SEEN[0]), student, SEEN[:100])


def test_onnx_gaussian_named_outputs_many_queries(tmp_path: Path) -> None:
    student = GaussianStudent(make_student("residual", channels=4, blocks=1), *BOUNDS)
    queried = observations("value iteration", 4, agents=3)
    policy = as_onnx(student, tmp_path, queried[0])
    assert_same_policy(policy, student, queried, alone=0)
    outputs_by_name = {
        each.name: (each.type, each.shape[1]) for each in policy._session.get_outputs()
    }
    expected = dict.fromkeys(("means", "log_deviations", "actions"), ("tensor(float)", 2))
    assert outputs_by_name == expected
    gru = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    policy = as_onnx(GaussianStudent(gru, *BOUNDS), tmp_path, SEEN[0])
    assert {each.name for each in policy._session.get_outputs()} == {*expected, "memory_after"}


def test_onnx_gaussian_refuses_missing_bounds(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    as_onnx(GaussianStudent(wide_outputs(), *BOUNDS), tmp_path, SEEN[0])
    model = onnx.load(tmp_path / "s.onnx")
    about = json.loads(model.metadata_props[0].value)
    for low in ([0.0], "none", [9.0, 9.0]):
        about["config"]["low"] = low
        model.metadata_props[0].value = json.dumps(about)
        (tmp_path / "s.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(StudentFileError, match="has continuous actions, but no bounds of them"):
            OnnxPolicy(tmp_path / "s.onnx")


@needs_compiler
def test_c_gaussian_reports_missing_agent(tmp_path: Path) -> None:
    student = GaussianStudent(make_student("value_iteration"), *BOUNDS)
    queried = observations("value iteration", 3)
    policy = as_c(student, tmp_path, queried[0])
    queried[1, 1] = 0.0
    with pytest.raises(ValueError, match="no cell is the agent's"):
        policy.act(queried[1])
    assert policy.microseconds(queried[0]) > 0
    text = (tmp_path / "s.h").read_text()
    assert "int student_act(const float *observation, float *action)" in text
    assert "int student_gaussian(const float *observation, float *means," in text
    assert "logits" not in text


@needs_compiler
def test_c_gaussian_of_mlp_never_fails(tmp_path: Path) -> None:
    student = GaussianStudent(wide_outputs(), *BOUNDS)
    export_c(tmp_path / "s.h", student, SEEN[0])
    (tmp_path / "s.c").write_text(
        '#include "s.h"\n#include <stdio.h>\n'
        "int main(void) {\n"
        "    const float seen[student_SIZE] = { 1, 2, 3 };\n"
        "    float action[student_DIMENSIONS];\n"
        "    student_act(seen, action);\n"
        '    printf("%.7g %.7g", (double)action[0], (double)action[1]);\n'
        "    return 0;\n}\n"
    )
    compiler = find_compiler()
    assert compiler is not None
    options = ["-std=c99", "-pedantic", "-O2", "-Wall", "-Wextra", "-Werror", "s.c", "-o", "s"]
    subprocess.run([compiler, *options, "-lm"], cwd=tmp_path, check=True)
    run = subprocess.run([tmp_path / "s"], capture_output=True, text=True, check=True)
    expected = student.act(np.array([1, 2, 3], dtype=np.float32))
    np.testing.assert_allclose([float(each) for each in run.stdout.split()], expected, atol=1e-5)


@needs_compiler
def test_export_c_gaussian_compiled_and_refusals(tmp_path: Path) -> None:
    student = GaussianStudent(wide_outputs(), *BOUNDS)
    for number, one in enumerate((student, build_policy(to_stored(student)))):
        export_c(tmp_path / str(number), one, SEEN[0])
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
    broken = GaussianStudent(wide_outputs(), [0, 0], [1, 1])
    broken.inner.layers[0].bias.data[0] = float("inf")
    with pytest.raises(ValueError, match="a weight of inf; expected finite"):
        export_c(tmp_path / "no", broken, SEEN[0])
    residual = GaussianStudent(make_student("residual", channels=2, blocks=1), *BOUNDS)
    with pytest.raises(TypeError, match="'gaussian' with one of kind 'residual'; expected an MLP"):
        export_c(tmp_path / "no", residual, np.zeros((3, 5, 5)))
    assert not (tmp_path / "no").exists()
