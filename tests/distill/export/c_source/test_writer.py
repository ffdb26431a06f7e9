"""C headers, compiled and called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.export.c_source.policy import CPolicy, find_compiler
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student

from ...exact_value_iteration import trained_value_iteration
from ...student_cases import CONFIGS, COUNTS, observations, shape_of, student

SHIPPED = [*CONFIGS, "exact"]
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")


def written(name: str, folder: Path, **options: Any) -> Path:
    export_c(folder / "student.h", student(name), observations(name, 1)[0], **options)
    return folder / "student.h"


@needs_compiler
@pytest.mark.parametrize("name", SHIPPED)
def test_c_logits_match_student(name: str, tmp_path: Path) -> None:
    queried = observations(name, COUNTS.get(name, 10_000))
    policy = CPolicy(written(name, tmp_path), "-std=c99", "-pedantic")
    parity = check_parity(student(name), policy, queried)
    assert parity.queries == len(queried)
    # Between equal paths, and between actions into walls, rounding decides.
    assert parity.same_actions >= len(queried) - (10 if name == "exact" else 1)
    best = policy.action_logits(queried[:50]).argmax(axis=1)
    assert [policy.act(one) for one in queried[:50]] == best.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["student.h"]


@needs_compiler
def test_c_takes_raw_images(tmp_path: Path) -> None:
    queried = np.random.default_rng(0).integers(0, 256, (1000, 7, 7, 3), dtype=np.uint8)
    export_c(tmp_path / "student.h", student("mlp"), queried[0])
    assert "const unsigned char *observation" in (tmp_path / "student.h").read_text()
    check_parity(student("mlp"), CPolicy(tmp_path / "student.h"), queried)


@needs_compiler
@pytest.mark.parametrize("name", ["value iteration", "conv"])
def test_c_planes_have_fixed_size(name: str, tmp_path: Path) -> None:
    queried = observations(name, 300)[:, :, 2:8, 1:10].copy()
    queried[:, 1] = 0.0
    queried[:, 1, 3, 4] = 1.0
    export_c(tmp_path / "student.h", student(name), queried[0])
    policy = CPolicy(tmp_path / "student.h")
    check_parity(student(name), policy, queried)
    queried[:, 1] = 0.0
    assert policy.act(queried[0]) == -1


@needs_compiler
@pytest.mark.parametrize("sides", [(1, 1), (4, 2)])
def test_c_convolution_field_exceeds_maze(sides: tuple[int, int], tmp_path: Path) -> None:
    rows, cols = sides
    network = make_student(
        "conv", observation_shape=(3, *sides), num_actions=4, channels=3, layers=6, per_cell=True
    )
    queried = (np.random.default_rng(0).random((60, 3, *sides)) < 0.5).astype(np.float32)
    queried[:, 1] = np.eye(rows * cols)[np.arange(60) % (rows * cols)].reshape(60, *sides)
    export_c(tmp_path / "student.h", network, queried[0])
    check_parity(network, CPolicy(tmp_path / "student.h"), queried)


@needs_compiler
@pytest.mark.parametrize("name", ["conv", "tree"])
def test_c_uint8_non_images_not_scaled(name: str, tmp_path: Path) -> None:
    queried = np.round(observations(name, 300)).astype(np.uint8)
    export_c(tmp_path / "student.h", student(name), queried[0])
    assert "const unsigned char *observation" in (tmp_path / "student.h").read_text()
    check_parity(student(name), CPolicy(tmp_path / "student.h"), queried)


@needs_compiler
@pytest.mark.parametrize(("bits", "sides"), [(None, (11, 11)), ("ternary", (4, 9)), (8, (1, 8))])
def test_c_of_hardened_student_equals_compiled(
    bits: Any, sides: tuple[int, int], tmp_path: Path
) -> None:
    """In any maze: also without a goal, with several, and with cells that no path leads to."""
    hard = hardened(trained_value_iteration())
    network = hard if bits is None else quantised(hard, bits, "tensor")
    rng = np.random.default_rng(0)
    queried = (rng.random((500, 3, *sides)) < [[[0.3]], [[0.0]], [[0.03]]]).astype(np.float32)
    queried[:, 2] *= 1.0 - queried[:, 0]
    cells = rng.integers(sides[0] * sides[1], size=(500, 1))
    np.put_along_axis(queried[:, 1].reshape(500, -1), cells, 1.0, axis=1)
    export_c(tmp_path / "student.h", network, queried[0])
    policy = CPolicy(tmp_path / "student.h", "-O2", "-std=c99", "-pedantic")
    wanted = build_policy(to_stored(network))
    np.testing.assert_array_equal(policy.action_logits(queried), wanted.action_logits(queried))
    queried[0, 1] = 0.0
    assert policy.act(queried[0]) == -1


@needs_compiler
def test_c_headers_combine_in_one_program(tmp_path: Path) -> None:
    import subprocess

    for name, prefix in (("mlp", "mlp"), ("value iteration", "vin")):
        seen = np.zeros(shape_of(name))
        export_c(tmp_path / f"{prefix}.h", student(name), seen, name=f"{prefix}_student")
    (tmp_path / "both.c").write_text(
        '#include "mlp.h"\n#include "vin.h"\n#include <stdio.h>\n'
        "static float seen[363];\n"
        "int main(void) {\n"
        '    printf("%d %d", mlp_student_act(seen), vin_student_act(seen));\n'
        "    return 0;\n}\n"
    )
    compiler = find_compiler()
    assert compiler is not None
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "both.c", "-o", "both", "-lm"]
    subprocess.run([compiler, *options], cwd=tmp_path, check=True)
    run = subprocess.run([tmp_path / "both"], capture_output=True, text=True, check=True)
    expected = student("mlp").act(np.zeros((7, 7, 3), dtype=np.float32))
    assert run.stdout == f"{expected} -1"


def test_c_header_has_exact_weights_no_allocation(tmp_path: Path) -> None:
    for name in ("mlp", "value iteration", "conv", "tree"):
        text = written(name, tmp_path).read_text()
        assert not any(word in text for word in ("malloc", "calloc", "free(", "stdlib"))
        assert text.count("#include") == 1
    network = student("mlp")
    numbers = {str(number) + "f" for number in network.layers[0].weight.detach().numpy().ravel()}
    text = written("mlp", tmp_path).read_text()
    assert all(number in text for number in numbers)


def test_export_c_takes_compiled_policies(tmp_path: Path) -> None:
    from_torch = written("value iteration", tmp_path).read_text()
    policy = build_policy(to_stored(student("value iteration")))
    export_c(tmp_path / "student.h", policy, np.zeros((3, 11, 11)))
    assert (tmp_path / "student.h").read_text() == from_torch


def test_export_c_refuses_and_keeps_old_file(tmp_path: Path) -> None:
    before = written("mlp", tmp_path).read_bytes()
    file, seen = tmp_path / "student.h", np.zeros((7, 7, 3))
    for other in (
        make_student("residual", channels=2, blocks=1),
        make_student("transformer", layers=1, width=8, heads=1),
        make_student("table", observation_shape=(5,), num_actions=3),
        object(),
    ):
        with pytest.raises(TypeError, match="written as C, or export_onnx"):
            export_c(file, other, seen)
    with pytest.raises(ValueError, match=r"expected \(7, 7, 3\)"):
        export_c(file, student("mlp"), seen[:3])
    for name in ("", "a b", "7up", "x;"):
        with pytest.raises(ValueError, match="expected one that C takes"):
            export_c(file, student("mlp"), seen, name=name)
    broken = student("mlp")
    broken.layers[0].weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match="a weight of nan; expected finite"):
        export_c(file, broken, seen)
    assert file.read_bytes() == before


def test_c_policy_refuses_foreign_header(tmp_path: Path) -> None:
    (tmp_path / "math.h").write_text("int nothing;\n")
    with pytest.raises(ValueError, match="expected a file of export_c"):
        CPolicy(tmp_path / "math.h")
