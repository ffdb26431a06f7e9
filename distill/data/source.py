"""Where batches come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..core.dataset import Batch, make_batch
from ..core.distributions import distribution_of
from ..core.levels import LevelRange
from ..teachers import as_teacher, teacher_answers, teacher_values


class Source(Protocol):
    """Gives batches; one for each training step.

    A source that remembers more than what it was made with has also `get_state() -> dict` and
    `set_state(dict)`, with NumPy arrays and JSON values: then training resumes to the same bits.
    One that has `distribution`, the kind of its teacher's actions (see `distribution_of`), is held
    against the students before they train.
    """

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """The levels of the mazes that are trained on; none where there are no levels."""

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """A batch; all randomness from `rng`, `progress` in [0, 1] is how far training is."""


class Asked:
    """Observations made afresh for each batch, and labelled by a teacher.

    Args:
        teacher: anything that `as_teacher` takes; one that knows values teaches them as well.
        ask: makes observations of random numbers and of the progress.
        levels: the levels that `ask` draws from.
    """

    def __init__(
        self,
        teacher: Any,
        ask: Callable[[np.random.Generator, float], npt.NDArray[Any]],
        levels: tuple[LevelRange, ...] = (),
    ) -> None:
        self.teacher, self.ask, self.levels = teacher, ask, levels

    @property
    def distribution(self) -> str:
        """Of which kind the teacher's actions are."""
        return distribution_of(as_teacher(self.teacher))

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """New observations, labelled in one pass of the teacher."""
        observations, teacher = self.ask(rng, progress), as_teacher(self.teacher)
        answers = teacher_answers(teacher, observations)
        knows = hasattr(teacher, "state_values")
        values = teacher_values(teacher, observations) if knows else None
        return make_batch(observations, answers, values=values)
