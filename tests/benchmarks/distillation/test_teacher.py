"""The command that trains a teacher, on toy sizes."""

from dataclasses import replace

import pytest
import torch

from dynamaze.benchmarks.distillation import teacher, training
from dynamaze.benchmarks.distillation.mazes import (
    HELD_OUT,
    TRAINING,
)
from dynamaze.benchmarks.distillation.training import checkpoint_path
from dynamaze.distill.files.students import load_card, load_student


def test_resumed_teacher_is_identical(tmp_path):
    config = teacher.TeacherConfig(
        tmp_path / "t.safetensors", steps=6, channels=2, blocks=1, mazes=2
    )
    teacher.main(config)
    whole = load_student(config.output)
    card = load_card(config.output)
    assert (card.training, card.held_out) == ((TRAINING,), (HELD_OUT,))
    assert "dynamaze distill teacher --steps 6" in (tmp_path / "t.md").read_text()
    stopped = replace(config, output=tmp_path / "s.safetensors")

    class Killed(BaseException):
        pass

    class Bar:
        def __init__(self, steps, *_, **__):
            self.steps = steps

        def __iter__(self):
            for step in self.steps:
                yield step
                if step.step == 4:
                    raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "track", Bar)
        patch.setattr(teacher, "CHECKPOINT_INTERVAL", 3)
        with pytest.raises(Killed):
            teacher.main(stopped)
    before = checkpoint_path(stopped.output).read_bytes()
    with pytest.raises(
        ValueError, match=r"s\.checkpoint\.npz is of a training with seed=0; expected"
    ):
        teacher.main(replace(stopped, seed=1))
    assert checkpoint_path(stopped.output).read_bytes() == before
    teacher.main(stopped)
    assert not checkpoint_path(stopped.output).exists()
    resumed = load_student(stopped.output)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
