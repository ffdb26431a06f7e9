"""The command that distils a student, on toy sizes."""

from dynamaze.benchmarks.distillation import (
    student,
    teacher,
)
from dynamaze.distill.files.students import load_card, load_student


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
    output = capsys.readouterr().out
    assert "31x31" in output
    assert "rounded (8, 121 bytes)" in output
    assert "rounded (ternary, 33 bytes)" in output
    assert "t.safetensors" in (tmp_path / "s.md").read_text()
