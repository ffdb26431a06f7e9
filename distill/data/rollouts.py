"""Batches from play: the teacher's rollouts, the student's labelled by the teacher, and mixtures.

| who plays | how |
| --- | --- |
| the teacher | `beta=1` |
| the student, the teacher says what it should have done: DAgger (Ross et al. 2011) | `beta=0` |
| both | `beta` between, or `decaying` |

Alone the student sees where its own errors lead. Far too small a student then wastes itself on
observations that a good policy never comes to: it is better off with a mixture.

A teacher may see more than its student: the teacher is asked about what the environment shows, and
the student gets a `view` of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dynamaze.common.validation import checked_number, did_you_mean

from ..core.dataset import Batch, Dataset, make_batch
from ..core.distributions import distribution_of
from ..core.levels import LevelRange
from ..core.policy import Policy
from ..teachers import as_teacher
from .labelled_play import LabelledPlay, SeenLevels
from .playing import View
from .replay import Columns, Fragments, Replay

Beta = float | Callable[[float], float]
"""How likely the teacher is to drive: a number, or a function of the progress in [0, 1]."""

MIXES = ("step", "episode")
"""For how long the driver is drawn."""


def decaying(first: float = 1.0, last: float = 0.0, until: float = 0.5) -> Callable[[float], float]:
    """A share that falls along a line, for `beta`.

    Args:
        first: at the beginning, in [0, 1].
        last: from `until` on, in [0, 1].
        until: the progress at which it gets there, in (0, 1].

    Raises:
        ValueError: for a number outside its range.
    """
    first, last = checked_number("first", first, 0, 1), checked_number("last", last, 0, 1)
    until = checked_number("until", until, 0, 1, above=True)
    return lambda progress: first + (last - first) * min(1.0, progress / until)


class Rollouts:
    """A source of batches from play, with a memory of what was labelled.

    Each batch is drawn from the memory, after some steps of play; every observation is labelled
    once, when it comes. Observations of finished episodes are never among them.

    All randomness, the environment's too, comes from the generator that `batch` is given. Of the
    environment no more is asked than what Gymnasium promises, so that no checkpoint holds its
    state: when `get_state` is called all environments begin new episodes, newly seeded, here as in
    the training that goes on from the checkpoint, and both give the same bits.

    Args:
        teacher: anything that `as_teacher` takes.
        env: a vector environment with `Discrete` actions, or with a `Box` of fractions, for
            teacher and student with `action_gaussian`.
        student: the one that is trained; not needed while `beta` is 1.
        beta: how likely the teacher is to drive.
        by: for how long the driver is drawn, "step" or "episode".
        capacity: rows that are remembered.
        batch_size: rows of a batch.
        steps_per_batch: steps of all environments before each batch.
        sequence_length: None for rows of single observations; otherwise rows are sequences, for
            students with a memory: observations are (batch, time, ...), answers come in the order
            of batch and time, and what lies beyond an episode's end weighs 0.
        levels: the levels that the environment draws from, if it has levels; others are refused
            when they come. Without it, `levels` are those that came.
        view: what the student sees: a function from (n, ...) observations of the environment to
            (n, ...) others. These are remembered; the teacher is asked about the whole ones. A
            student with a memory is shown those of finished episodes too, before it forgets. None
            where both see the same. Who imitates what depends on more than he sees may learn a way
            that suits nobody: see `ProximalDistillation`, which learns from the reward as well.
        deterministic: whether who drives takes its best action, or the mean of continuous ones,
            instead of drawing it.

    Raises:
        ValueError: for a number outside its range, an unknown `by`, or a share of the student's
            where there is none.
    """

    def __init__(
        self,
        teacher: Any,
        env: Any,
        *,
        student: Policy | None = None,
        beta: Beta = 1.0,
        by: str = "step",
        capacity: int = 20_000,
        batch_size: int = 256,
        steps_per_batch: int = 1,
        sequence_length: int | None = None,
        levels: Iterable[LevelRange] = (),
        view: View | None = None,
        deterministic: bool = False,
    ) -> None:
        self.teacher, self.env, self.student = teacher, env, student
        self.view, self.deterministic = view, deterministic
        self.by = _checked_by(by)
        self._beta = beta if callable(beta) else checked_number("beta", beta, 0, 1)
        if student is None and not callable(beta) and beta < 1:
            raise ValueError(f"beta={beta:g} without a student; expected a student, or beta=1")
        self.batch_size = int(checked_number("batch_size", batch_size, 1, whole=True))
        self.steps_per_batch = int(
            checked_number("steps_per_batch", steps_per_batch, 0, whole=True)
        )
        length = 1 if sequence_length is None else sequence_length
        self._length = int(checked_number("sequence_length", length, 1, whole=True))
        self._is_single = sequence_length is None
        self._replay = Replay(capacity)
        self._levels = SeenLevels(levels)
        self._walk: LabelledPlay | None = None
        self._fragments = Fragments(env.num_envs, self._length)

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """The levels of the mazes that are trained on; none where there are no levels."""
        return self._levels.ranges

    @property
    def distribution(self) -> str:
        """Of which kind the teacher's actions are (see `distribution_of`)."""
        return distribution_of(as_teacher(self.teacher))

    def __len__(self) -> int:
        """Rows that are remembered."""
        return len(self._replay)

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Play on, and draw a batch from what is remembered.

        At first there is played until there are as many rows as in a batch, or in the memory.

        Raises:
            ValueError: if the teacher's answer cannot be learned from (see `teacher_answers`), for
                bounds of actions that are not the environment's, or for a level that was not
                announced.
            TypeError: for a teacher or a student of other actions than the environment's.
        """
        beta = self._beta
        share = checked_number("beta", beta(progress), 0, 1) if callable(beta) else beta
        for _ in range(self.steps_per_batch):
            self._step(rng, share)
        while len(self._replay) < min(self.batch_size, self._replay.capacity):
            self._step(rng, share)
        columns = self._replay.draw(self.batch_size, rng)
        logits = columns["logits"]
        return make_batch(
            columns["observations"][:, 0] if self._is_single else columns["observations"],
            logits.reshape(-1, logits.shape[-1]),
            columns["weights"].ravel(),
            columns["values"].ravel() if "values" in columns else None,
        )

    def get_state(self) -> dict[str, Any]:
        """What is remembered; all environments begin new episodes at the next batch."""
        self._remember(self._fragments.take_all())
        self._walk = None
        return {"replay": self._replay.get_state(), "levels": sorted(self._levels.seen)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned."""
        self._replay.set_state(state["replay"])
        self._levels.seen = set(state["levels"])
        self._walk = None
        self._fragments = Fragments(self.env.num_envs, self._length)

    def _step(self, rng: np.random.Generator, beta: float) -> None:
        if self._walk is None:
            seed = int(rng.integers(2**31))
            self._walk = LabelledPlay(
                self.teacher,
                self.student,
                self.env,
                self.by,
                seed,
                view=self.view,
                deterministic=self.deterministic,
            )
        self._levels.note(self._walk.play)
        moment = self._walk.step(rng, beta)
        self._remember(self._fragments.add(moment.deciding, moment.ended, moment.columns))

    def _remember(self, columns: Columns) -> None:
        if columns:
            self._replay.add(columns)


def collect(
    teacher: Any,
    env: Any,
    steps: int,
    rng: np.random.Generator,
    *,
    student: Policy | None = None,
    beta: float = 1.0,
    by: str = "step",
    levels: Iterable[LevelRange] = (),
    view: View | None = None,
    deterministic: bool = False,
) -> Dataset:
    """Play, and keep all that the teacher says.

    Args:
        teacher: anything that `as_teacher` takes.
        env: a vector environment; see `Rollouts`.
        steps: how many decisions, of all environments together.
        rng: settles all that is random, the environment's seed too.
        student: who drives where the teacher does not.
        beta: how likely the teacher is to drive.
        by: for how long the driver is drawn, "step" or "episode".
        levels: the levels that the environment draws from; see `Rollouts`.
        view: what the student sees, and the dataset holds; see `Rollouts`.
        deterministic: whether the best actions are taken, instead of drawn ones.

    Returns:
        `steps` rows in the order of time and environment.

    Raises:
        ValueError, TypeError: as `Rollouts` and its `batch`.
    """
    steps = int(checked_number("steps", steps, 1, whole=True))
    beta = checked_number("beta", beta, 0, 1)
    walk = LabelledPlay(
        teacher,
        student,
        env,
        _checked_by(by),
        int(rng.integers(2**31)),
        view=view,
        deterministic=deterministic,
    )
    seen, parts, count = SeenLevels(levels), [], 0
    while count < steps:
        seen.note(walk.play)
        parts.append(walk.step(rng, beta).columns)
        count += len(parts[-1]["logits"])
    whole = {name: np.concatenate([part[name] for part in parts])[:steps] for name in parts[0]}
    rows = make_batch(whole["observations"], whole["logits"], values=whole.get("values"))
    return Dataset(rows, seen.ranges, distribution=distribution_of(walk.teacher))


def _checked_by(by: str) -> str:
    if by not in MIXES:
        raise ValueError(f"by={by!r}; expected one of {list(MIXES)}{did_you_mean(by, MIXES)}")
    return by
