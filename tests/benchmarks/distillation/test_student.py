"""The command that distils a student, on toy sizes."""

import pytest

from dynamaze.benchmarks.distillation import (
    student,
    teacher,
)
from dynamaze.benchmarks.harness.command_line import EXIT_USAGE, run_command
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS
from dynamaze.distill.files.students import load_card, load_student


def test_student_from_teacher_file(tmp_path, capsys):
    trained = teacher.TeacherConfig(
        tmp_path / "t.safetensors", steps=2, channels=2, blocks=1, mazes=2
    )
    teacher.main(trained)
    config = student.StudentConfig(
        trained.output, tmp_path / "s.safetensors", steps=10, restarts=2, mazes=2
    )
    student.main(config)
    assert load_student(config.output).num_parameters == 113
    card = load_card(config.output)
    assert card.size.parameters == 113
    assert card.size.multiply_adds > 100_000
    output = capsys.readouterr().out
    assert "31x31" in output
    assert "rounded (8, 121 bytes)" in output
    assert "rounded (ternary, 33 bytes)" in output
    assert "t.safetensors" in (tmp_path / "s.md").read_text()


def test_old_option_is_renamed(capsys: pytest.CaptureFixture[str]) -> None:
    command = BENCHMARK_COMMANDS["distill student"]
    assert run_command("distill student", command, ["--beginnings", "5"]) == EXIT_USAGE
    assert "--beginnings is now called --restarts" in capsys.readouterr().err
