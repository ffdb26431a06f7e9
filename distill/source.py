"""Where batches come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .data import Batch, make_batch
from .levels import LevelRange
from .policy import Policy
from .teachers import teacher_logits


class Source(Protocol):
    """Gives batches; one for each training step.

    A source that remembers more than what it was made with has also `get_state() -> dict` and
    `set_state(dict)`, with NumPy arrays and JSON values: then training resumes to the same bits.
    """

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """The levels of the mazes that are trained on; none where there are no levels."""

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """A batch; all randomness from `rng`, `progress` in [0, 1] is how far training is."""


class Asked:
    """Observations made afresh for each batch, and labelled by a teacher.

    Args:
        teacher: a policy.
        ask: makes observations of random numbers and of the progress.
        levels: the levels that `ask` draws from.
    """

    def __init__(
        self,
        teacher: Policy,
        ask: Callable[[np.random.Generator, float], npt.NDArray[Any]],
        levels: tuple[LevelRange, ...] = (),
    ) -> None:
        self.teacher, self.ask, self.levels = teacher, ask, levels

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """New observations, labelled in one pass of the teacher."""
        observations = self.ask(rng, progress)
        return make_batch(observations, teacher_logits(self.teacher, observations))
