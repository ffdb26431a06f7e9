"""Play in which a teacher says of every decision what it would have done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray

from ..core.distributions import distribution_of
from ..core.levels import LevelRange
from ..core.logits import softmax
from ..core.policy import Policy
from ..teachers import as_teacher, teacher_answers, teacher_values
from .playing import Play, Player, View, bounds_for, choose, question_of, viewed
from .replay import Columns


class Labelled(NamedTuple):
    """A moment of play, and what the teacher says of it."""

    deciding: BoolArray  # (n,) where there was a decision
    ended: BoolArray  # (n,) where it was the episode's last
    columns: Columns  # observations, logits and perhaps values, a row for each decision


class LabelledPlay:
    """Plays by turns of teacher and student, and has every decision labelled once.

    Args:
        teacher: anything that `as_teacher` takes.
        student: a policy, or None where the teacher plays alone.
        env: a vector environment with actions that `Play` takes.
        by: "step" or "episode", for how long it is drawn who drives.
        seed: of the environment.
        view: what the student sees of the observations, which is also what is told of them; the
            teacher sees all. None for all.
        deterministic: whether the best actions are taken, instead of drawn ones.

    Raises:
        TypeError: for a teacher or a student of other actions than the environment's or each other.
        ValueError: for one whose actions have other bounds.
    """

    def __init__(
        self,
        teacher: Any,
        student: Policy | None,
        env: Any,
        by: str,
        seed: int,
        *,
        view: View | None = None,
        deterministic: bool = False,
    ) -> None:
        self.play = Play(env, seed)
        self.by, self.view, self.deterministic = by, view, deterministic
        self.teacher = as_teacher(teacher)
        self._bounds = bounds_for(self.teacher, env.single_action_space)
        self._labels = Player(
            self.teacher, lambda seen: teacher_answers(self.teacher, seen, self.play.columns)
        )
        self._values: Player | None = None
        if hasattr(self.teacher, "state_values"):
            self._values = Player(self.teacher, lambda seen: teacher_values(self.teacher, seen))
        self._student: Player | None = None
        if student is not None:
            self._check(student)
            self._student = Player(student, question_of(student), view)
        self._taught = np.zeros(env.num_envs, dtype=np.bool_)

    def step(self, rng: np.random.Generator, beta: float) -> Labelled:
        """One step of all environments.

        Args:
            rng: says who drives, and draws the actions.
            beta: how likely the teacher is to drive.

        Raises:
            ValueError: for an answer that cannot be learned from, or a share of the student's where
                there is none.
        """
        play = self.play
        while not play.deciding.any():
            play.step(play.no_actions())
        # Kept now: an environment may write its next observations into the same array.
        deciding, observations = play.deciding, play.observations[play.deciding]
        answers = self._labels.ask(play, deciding)
        columns = {"observations": viewed(observations, self.view), "logits": answers}
        if self._values is not None:
            columns["values"] = self._values.ask(play, deciding)
        taught = softmax(answers) if self._bounds is None else answers
        actions = play.no_actions()
        driven = self._driven(taught, rng, beta)
        actions[deciding] = choose(driven, self._bounds, None if self.deterministic else rng)
        return Labelled(deciding, play.step(actions).ended, columns)

    def _check(self, student: Policy) -> None:
        """Refuse a student of other actions than the teacher's."""
        bounds_for(student, self.play.env.single_action_space)
        mine, its = distribution_of(student), distribution_of(self.teacher)
        if mine != its:
            raise TypeError(f"a student of {mine} actions and a teacher of {its}; expected alike")

    def _driven(
        self, taught: npt.NDArray[Any], rng: np.random.Generator, beta: float
    ) -> npt.NDArray[Any]:
        """(decisions, columns) the answers of who drives."""
        play = self.play
        drawn = rng.random(len(play.deciding)) < beta
        renewed = play.began if self.by == "episode" else play.deciding
        self._taught = np.where(renewed, drawn, self._taught)
        if self._student is None:
            if beta < 1.0:
                raise ValueError(f"beta={beta:g} without a student; expected a student, or beta=1")
            return taught
        learned = self._student.ask(play, play.deciding)
        if learned.shape != taught.shape:
            raise ValueError(
                f"the student's answers have shape {learned.shape}; expected {taught.shape}"
            )
        return np.where(self._taught[play.deciding][:, None], taught, learned)


class SeenLevels:
    """Which levels play comes to, and which it may come to."""

    def __init__(self, announced: Iterable[LevelRange]) -> None:
        self.announced = tuple(announced)
        self.seen: set[int] = set()

    def note(self, play: Play) -> None:
        """Note the levels that are played.

        Raises:
            ValueError: for one that was not announced.
        """
        if play.levels is None:
            return
        found = set(play.levels.tolist()) - self.seen
        for level in sorted(found) if self.announced else ():
            if not any(part.first <= level < part.first + part.levels for part in self.announced):
                expected = " or ".join(str(part) for part in self.announced)
                raise ValueError(f"the environment plays level {level}; expected {expected}")
        self.seen |= found

    @property
    def ranges(self) -> tuple[LevelRange, ...]:
        """Those announced; else those seen, as few ranges as can be."""
        if self.announced or not self.seen:
            return self.announced
        numbers = np.array(sorted(self.seen))
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        return tuple(LevelRange(int(run[0]), len(run)) for run in runs)
