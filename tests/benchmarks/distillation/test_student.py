"""The command that distils a student, on toy sizes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation import (
    student,
    teacher,
)
from dynamaze.distill.export.c_source.policy import find_compiler
from dynamaze.distill.files.students import load_card, load_student
from dynamaze.distill.students.hardened import hardened

from ...distill.exact_value_iteration import trained_value_iteration


def test_student_from_teacher_file(tmp_path, capsys):
    trained = teacher.TeacherConfig(
        tmp_path / "t.safetensors", steps=2, channels=2, blocks=1, mazes=2
    )
    teacher.main(trained)
    config = student.StudentConfig(
        tmp_path / "s.safetensors", teacher=trained.output, steps=10, restarts=2, mazes=2
    )
    student.main(config)
    assert load_student(config.output).num_parameters == 113
    card = load_card(config.output)
    assert card.size.parameters == 113
    assert card.size.multiply_adds > 100_000
    if find_compiler() is not None:
        assert card.size.object_code.bytes > card.size.bytes
    output = capsys.readouterr().out
    assert "31x31" in output
    assert "rounded (8, 121 bytes of weights)" in output
    assert "rounded (ternary, 33 bytes of weights)" in output
    assert "t.safetensors" in (tmp_path / "s.md").read_text()
    # Ten steps are too few to learn to plan.
    assert "not hardened: an action that does not move to its own side" in output
    assert "Hardened" not in card.made
    assert "101x101" not in output


@pytest.mark.parametrize("unhardened", [False, True])
def test_student_is_hardened(
    unhardened: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = trained_value_iteration()
    monkeypatch.setattr(student, "train", lambda *_: trained)
    monkeypatch.setattr(student, "SIZES", (5,))
    monkeypatch.setattr(student, "LARGE_MAZES", {41: 1_000})
    path = tmp_path / "s.safetensors"
    student.main(student.StudentConfig(path, mazes=2, unhardened=unhardened))
    output, made = capsys.readouterr().out, load_card(path).made
    expected = trained if unhardened else hardened(trained)
    for name, weight in load_student(path).state_dict().items():
        assert torch.equal(weight, expected.state_dict()[name])
    assert ("hardened for shortest paths of up to 1,048,576 steps" in output) is not unhardened
    assert ("perfect 41x41: success rate 100.00%" in output) is not unhardened
    assert ("Hardened after training, for shortest paths of up" in made) is not unhardened
    assert ("--unhardened" in made) is unhardened
    if find_compiler() is not None and shutil.which("size") is not None:
        assert ("ternary, small" in output) is not unhardened


def test_read_teacher_of_own_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        "import numpy as np\n"
        "def right(planes):\n"
        "    queries = int((np.asarray(planes)[:, 1] > 0.5).sum())\n"
        "    return np.tile([0.0, 9.0, 0.0, 0.0], (queries, 1))\n"
    )
    planes = np.zeros((2, 3, 4, 4), dtype=np.float32)
    planes[:, 1, 2, :3] = 1.0
    logits = student.read_teacher(Path(f"{path}:right")).action_logits(planes)
    assert np.asarray(logits).argmax(axis=1).tolist() == [1] * 6
    with pytest.raises(ValueError, match="did you mean 'right'"):
        student.read_teacher(Path(f"{path}:rigth"))


def test_student_of_other_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "SIZES", (5,))
    config = student.StudentConfig(
        tmp_path / "s.safetensors",
        student="transformer(layers=1, width=8, heads=2)",
        steps=1,
        restarts=1,
        mazes=2,
    )
    student.main(config)
    made, card = load_student(config.output), load_card(config.output)
    assert made.config == {**made.config, "kind": "transformer", "layers": 1, "width": 8}
    assert card.size.parameters == made.num_parameters
    assert 'student --student "transformer(layers=1, width=8, heads=2)" --maps 4' in card.made


def test_curriculum_of_teacher_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "SIZES", (5,))
    weights = {}
    for name in ("exact", "teacher", "none"):
        config = student.StudentConfig(
            tmp_path / f"{name}.safetensors", steps=8, restarts=2, mazes=2, curriculum=name
        )
        student.main(config)
        card = load_card(config.output)
        assert ("breadth-first search" in card.privileged) == (name == "exact")
        assert (f"--curriculum {name}" in card.made) == (name != "exact")
        weights[name] = load_student(config.output).state_dict()
    assert "Privileged information: training used exact" in (tmp_path / "exact.md").read_text()
    # The exact policy's own paths are shortest ones.
    assert all(
        torch.equal(weights["exact"][key], weights["teacher"][key]) for key in weights["exact"]
    )
    assert not torch.equal(weights["exact"]["move"], weights["none"]["move"])
    with pytest.raises(ValueError, match="curriculum='none' of student='residual'; expected"):
        student.main(student.StudentConfig(student="residual", curriculum="none"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mlp", r"student='mlp'; expected one of \['residual', 'transformer', 'value_iteration'\]"),
        ("transformer(width=9)", "width=9, heads=4; expected a width"),
        ("transformer(depth=2)", "Transformer has no argument 'depth'; expected one of layers"),
        ("residual(seed=1)", "Residual has no argument 'seed'"),
        ("transformer(2)", "expected arguments name=value"),
    ],
)
def test_unknown_student_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        student.main(student.StudentConfig(tmp_path / "new" / "s.safetensors", student=text))
    assert not list(tmp_path.iterdir())
