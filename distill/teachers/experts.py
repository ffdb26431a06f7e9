"""Several teachers in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray

from ..core.distributions import CATEGORICAL, distribution_of
from ..core.logits import LogitPolicy
from . import answers_each, as_teacher


class Experts(LogitPolicy):
    """Several teachers, of which a rule says who answers for which observation.

    Each is asked only about its own observations, in one call.

    Args:
        teachers: anything that `as_teacher` takes.
        rule: a function from a batch of observations to (batch,) numbers of teachers.

    Raises:
        ValueError: for no teachers.
        TypeError: for one of continuous actions.
    """

    def __init__(
        self, teachers: Sequence[Any], rule: Callable[[Any], npt.NDArray[np.integer[Any]]]
    ) -> None:
        if not teachers:
            raise ValueError("no teachers; expected at least one")
        self.teachers = [as_teacher(teacher) for teacher in teachers]
        for number, teacher in enumerate(self.teachers):
            if distribution_of(teacher) != CATEGORICAL:
                raise TypeError(f"teacher {number} has continuous actions; expected Discrete ones")
        self.rule = rule

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) the logits of those who answer.

        Raises:
            ValueError: if the rule names no teacher, or teachers know other numbers of actions.
        """
        observations = np.asarray(observations)
        chosen = self._choose(observations)
        answers: list[Any] = [None] * len(observations)
        for number in np.unique(chosen):
            (places,) = np.nonzero(chosen == number)
            asked = observations[places]
            logits = np.asarray(self.teachers[number].action_logits(asked), dtype=np.float64)
            ends = np.cumsum(answers_each(asked, len(logits)))
            for place, rows in zip(places, np.split(logits, ends[:-1]), strict=True):
                answers[place] = rows
        widths = {rows.shape[1] for rows in answers}
        if len(widths) > 1:
            raise ValueError(f"experts of {sorted(widths)} actions; expected the same of each")
        return np.concatenate(answers)

    def _choose(self, observations: npt.NDArray[Any]) -> npt.NDArray[np.integer[Any]]:
        chosen = np.asarray(self.rule(observations))
        expected = (
            f"expected ({len(observations)},) whole numbers from 0 to {len(self.teachers) - 1}"
        )
        if chosen.shape != (len(observations),) or chosen.dtype.kind not in "iu":
            raise ValueError(
                f"the rule gave shape {chosen.shape} and dtype {chosen.dtype}; {expected}"
            )
        wrong = (chosen < 0) | (chosen >= len(self.teachers))
        if wrong.any():
            place = int(wrong.argmax())
            raise ValueError(f"the rule gave {chosen[place]} for observation {place}; {expected}")
        return chosen
