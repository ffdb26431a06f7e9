"""Training of the frontier's students."""

from __future__ import annotations

from typing import Any

from dynamaze.benchmarks.distillation.frontier_training import train_group
from dynamaze.benchmarks.distillation.student import RESTART_FRACTION
from dynamaze.envs.generation.planes import ShortestPathPolicy


def test_group_shares_teacher_passes() -> None:
    """A batch needs one pass of the teacher for all students, including restarts."""

    class Counted(ShortestPathPolicy):
        passes = 0

        def action_probabilities(self, observations: Any) -> Any:
            Counted.passes += 1
            return super().action_probabilities(observations)

    names = ("VIN, 4 channels", "convolutional, 8 x 8")
    trained = train_group(names, Counted(), steps=10, seed=0, any_size=True)
    assert set(trained) == set(names)
    assert Counted.passes == 10 + round(RESTART_FRACTION * 10)
