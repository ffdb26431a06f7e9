"""Batches from rollouts of the teacher, of the student (DAgger), or of a mixture.

| who acts | `beta` |
| --- | --- |
| the teacher | 1 |
| the student, labelled by the teacher: DAgger (Ross et al. 2011) | 0 |
| a mixture | between 0 and 1, or `linear_schedule` |

A student that acts alone visits the states that its own errors lead to. A very small student then
wastes its capacity on states that a good policy never visits: a mixture is better.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray
from dynamaze.common.deprecation import renamed_arguments, translated_arguments
from dynamaze.common.origin import Origin
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..core.dataset import Batch, Dataset, make_batch
from ..core.distributions import distribution_of
from ..core.levels import LevelRange
from ..core.policy import Policy, softmax
from ..teachers import as_teacher, teacher_labels, teacher_values
from .playing import (
    EnvStepper,
    ObservationFn,
    PolicyRunner,
    apply_observation_fn,
    bounds_for,
    output_fn,
    select_actions,
)
from .source import Columns, ReplayBuffer, SequenceBuffer

Beta = float | Callable[[float], float]
"""Probability that the teacher acts: a number, or a function of the progress in [0, 1]."""


class PerEpisode(NamedTuple):
    """A `beta` by which the acting policy is drawn once for each episode, not for each step."""

    beta: Beta = 1.0

    @classmethod
    def of(cls, given: dict[str, Any], warn: Callable[[str, str], None]) -> dict[str, Any]:
        """Return keyword arguments with `by`, of versions before 0.3, as part of `beta`."""
        if "by" not in given:
            return given
        others = {name: value for name, value in given.items() if name != "by"}
        by, beta = checked_choice("by", given["by"], ("step", "episode")), others.get("beta", 1.0)
        if isinstance(beta, cls):
            raise TypeError("by=... and beta=PerEpisode(...) were given; expected beta alone")
        warn(f"by={by!r}", "beta=PerEpisode(...)" if by == "episode" else "beta=...")
        return {**others, "beta": cls(beta)} if by == "episode" else others


def linear_schedule(
    first: float = 1.0, last: float = 0.0, until: float = 0.5
) -> Callable[[float], float]:
    """Return a linear schedule for `beta`.

    Args:
        first: value at the start, in [0, 1].
        last: value from `until` on, in [0, 1].
        until: progress at which `last` is reached, in (0, 1].

    Raises:
        ValueError: for a number outside its range.
    """
    first, last = checked_number("first", first, 0, 1), checked_number("last", last, 0, 1)
    until = checked_number("until", until, 0, 1, above=True)
    return lambda progress: first + (last - first) * min(1.0, progress / until)


class Rollouts:
    """Batch source of labelled rollouts with a replay buffer.

    Each batch is sampled from the buffer after some steps of all environments; every observation is
    labelled once, when it is collected. Last observations of episodes are never among them.

    All randomness, that of the environment too, comes from the generator that `batch` is given. The
    environment's state is not part of a checkpoint, since Gymnasium has no interface for it: when
    `get_state` is called all environments start new episodes, newly seeded, both here and in the
    training that is resumed from the checkpoint, so that both are bit-identical. A checkpoint names
    the environment of the stored rows; a warning says so if training goes on in another one.

    Args:
        teacher: anything that `as_teacher` takes. It may observe more than the student (see
            `observation_fn`).
        env: a vector environment with `Discrete` actions, or with floating point `Box` actions for
            teacher and student with `action_gaussian`.
        student: the student that is trained, or several by name, of which number i of k acts in
            the environments i, i + k, i + 2k and so on; not needed while `beta` is 1.
        beta: probability that the teacher acts at a step; `PerEpisode(beta)`: in an episode.
        capacity: rows of the replay buffer.
        batch_size: rows of a batch.
        steps_per_batch: steps of all environments before each batch.
        sequence_length: None for rows of single observations; otherwise rows are sequences, for
            recurrent students: observations are (batch, time, ...), labels are in the order of
            batch and time, and steps beyond an episode's end have weight 0.
        levels: the levels that the environment draws from, if it has levels; others are refused
            when they come. Without it, `levels` are those that were visited.
        observation_fn: maps (n, ...) observations of the environment to the student's (n, ...),
            which are stored; the teacher is given the full ones. A recurrent student is also given
            the last observations of episodes, before it is reset. None if both observe the same. A
            student that imitates a teacher with more information may learn a suboptimal compromise:
            see `ProximalDistillation`, which learns from rewards as well.
        deterministic: True to take best actions, or means of continuous ones, instead of samples.

    Raises:
        ValueError: for a number outside its range, `beta` below 1 without a student, or more
            students than environments.
    """

    @renamed_arguments(view="observation_fn")
    @translated_arguments(PerEpisode.of)
    def __init__(
        self,
        teacher: Any,
        env: Any,
        *,
        student: Policy | Mapping[str, Policy] | None = None,
        beta: Beta | PerEpisode = 1.0,
        capacity: int = 20_000,
        batch_size: int = 256,
        steps_per_batch: int = 1,
        sequence_length: int | None = None,
        levels: Iterable[LevelRange] = (),
        observation_fn: ObservationFn | None = None,
        deterministic: bool = False,
    ) -> None:
        self.teacher, self.env, self.student = teacher, env, student
        self.observation_fn, self.deterministic = observation_fn, deterministic
        self._is_per_episode = isinstance(beta, PerEpisode)
        beta = beta.beta if isinstance(beta, PerEpisode) else beta
        self._beta = beta if callable(beta) else checked_number("beta", beta, 0, 1)
        if student is None and not callable(beta) and beta < 1:
            raise ValueError(f"beta={beta:g} without a student; expected a student, or beta=1")
        _students(student, env)
        self.batch_size = checked_integer("batch_size", batch_size, 1)
        self.steps_per_batch = checked_integer("steps_per_batch", steps_per_batch, 0)
        length = 1 if sequence_length is None else sequence_length
        self._length = checked_integer("sequence_length", length, 1)
        self._is_single = sequence_length is None
        self._replay = ReplayBuffer(capacity)
        self._levels = LevelTracker(levels)
        self._collector: DAggerCollector | None = None
        self._sequences = SequenceBuffer(env.num_envs, self._length)

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """Levels of the mazes that are trained on; empty where there are no levels."""
        return self._levels.ranges

    @property
    def distribution(self) -> str:
        """Kind of the teacher's actions (see `distribution_of`)."""
        return distribution_of(as_teacher(self.teacher))

    def __len__(self) -> int:
        """Return the number of stored rows."""
        return len(self._replay)

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Collect steps, and sample a batch from the replay buffer.

        The first call collects until the buffer holds a batch or is full.

        Raises:
            ValueError: for invalid labels (see `teacher_labels`), bounds of actions that are not
                the environment's, or a level that was not announced.
            TypeError: for a teacher or a student of other actions than the environment's.
        """
        beta = self._beta
        share = checked_number("beta", beta(progress), 0, 1) if callable(beta) else beta
        for _ in range(self.steps_per_batch):
            self._step(rng, share)
        while len(self._replay) < min(self.batch_size, self._replay.capacity):
            self._step(rng, share)
        columns = self._replay.sample(self.batch_size, rng)
        logits = columns["logits"]
        return make_batch(
            columns["observations"][:, 0] if self._is_single else columns["observations"],
            logits.reshape(-1, logits.shape[-1]),
            columns["weights"].ravel(),
            columns["values"].ravel() if "values" in columns else None,
        )

    def get_state(self) -> dict[str, Any]:
        """Return the buffer; all environments start new episodes at the next batch."""
        self._store(self._sequences.take_all())
        self._collector = None
        return {
            "replay": self._replay.get_state(),
            "levels": sorted(self._levels.seen),
            "environment": Origin.of(self.env)._asdict(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned.

        Raises:
            ValueError: for rows of other observations or another length of sequences; nothing is
                changed then.
        """
        saved, here = Origin.from_json(state.get("environment")), Origin.of(self.env)
        rows = state["replay"]["columns"].get("observations")
        if rows is not None and self.observation_fn is None:
            expected = (self._length, *self.env.single_observation_space.shape)
            if rows.shape[1:] != expected:
                raise ValueError(
                    f"a replay buffer of {saved or 'another environment'} with rows of shape "
                    f"{rows.shape[1:]} cannot continue in {here}; expected {expected}"
                )
        if saved is not None and saved.is_other(here):
            warnings.warn(
                f"a replay buffer of {saved} continues in {here}, another configuration: its rows "
                "are kept, and new episodes begin there",
                stacklevel=2,
            )
        self._replay.set_state(state["replay"])
        self._levels.seen = set(state["levels"])
        self._collector = None
        self._sequences = SequenceBuffer(self.env.num_envs, self._length)

    def _step(self, rng: np.random.Generator, beta: float) -> None:
        if self._collector is None:
            seed = int(rng.integers(2**31))
            self._collector = DAggerCollector(
                self.teacher,
                self.student,
                self.env,
                seed,
                is_per_episode=self._is_per_episode,
                observation_fn=self.observation_fn,
                deterministic=self.deterministic,
            )
        self._levels.record(self._collector.stepper)
        step = self._collector.step(rng, beta)
        self._store(self._sequences.add(step.needs_action, step.ended, step.columns))

    def _store(self, columns: Columns) -> None:
        if columns:
            self._replay.add(columns)


@renamed_arguments(view="observation_fn")
@translated_arguments(PerEpisode.of)
def collect(
    teacher: Any,
    env: Any,
    steps: int,
    rng: np.random.Generator,
    *,
    student: Policy | Mapping[str, Policy] | None = None,
    beta: float | PerEpisode = 1.0,
    levels: Iterable[LevelRange] = (),
    observation_fn: ObservationFn | None = None,
    deterministic: bool = False,
) -> Dataset:
    """Collect a dataset of labelled steps.

    Args:
        teacher: anything that `as_teacher` takes.
        env: a vector environment; see `Rollouts`.
        steps: number of labelled observations, of all environments together.
        rng: source of all randomness, the environment's seed too.
        student: acts where the teacher does not; one, or several by name (see `Rollouts`).
        beta: probability that the teacher acts at a step; `PerEpisode(beta)`: in an episode.
        levels: the levels that the environment draws from; see `Rollouts`.
        observation_fn: maps observations to those of the student and the dataset; see `Rollouts`.
        deterministic: True to take best actions, or means of continuous ones, instead of samples.

    Returns:
        `steps` rows in the order of time and environment.

    Raises:
        ValueError, TypeError: as `Rollouts` and its `batch`.
    """
    steps = checked_integer("steps", steps, 1)
    is_per_episode = isinstance(beta, PerEpisode)
    beta = checked_number("beta", beta.beta if isinstance(beta, PerEpisode) else beta, 0, 1)
    collector = DAggerCollector(
        teacher,
        student,
        env,
        int(rng.integers(2**31)),
        is_per_episode=is_per_episode,
        observation_fn=observation_fn,
        deterministic=deterministic,
    )
    seen, parts, count = LevelTracker(levels), [], 0
    while count < steps:
        seen.record(collector.stepper)
        parts.append(collector.step(rng, beta).columns)
        count += len(parts[-1]["logits"])
    whole = {name: np.concatenate([part[name] for part in parts])[:steps] for name in parts[0]}
    rows = make_batch(whole["observations"], whole["logits"], values=whole.get("values"))
    return Dataset(rows, seen.ranges, distribution=distribution_of(collector.teacher))


class LabelledStep(NamedTuple):
    """A step of all environments with the teacher's labels."""

    needs_action: BoolArray  # (n,) where an action was taken
    ended: BoolArray  # (n,) where it was the episode's last step
    columns: Columns  # observations, logits and perhaps values, a row for each action


class DAggerCollector:
    """Acts with a mixture of teacher and student and labels every step (DAgger, Ross et al. 2011).

    Args:
        teacher: anything that `as_teacher` takes.
        student: a policy, or several by name, each in its own environments; None if the teacher
            acts alone.
        env: a vector environment with actions that `EnvStepper` takes.
        seed: seed of the environment.
        is_per_episode: draw the acting policy each episode; otherwise each step.
        observation_fn: maps observations to those that the student sees and that are stored; the
            teacher sees the full ones. None for the identity.
        deterministic: True to take best actions, or means of continuous ones, instead of samples.

    Raises:
        TypeError: for a teacher or a student of other actions than the environment's or each other.
        ValueError: for a policy whose actions have other bounds.
    """

    def __init__(
        self,
        teacher: Any,
        student: Policy | Mapping[str, Policy] | None,
        env: Any,
        seed: int,
        *,
        is_per_episode: bool = False,
        observation_fn: ObservationFn | None = None,
        deterministic: bool = False,
    ) -> None:
        self.stepper = EnvStepper(env, seed)
        self.is_per_episode = is_per_episode
        self.observation_fn, self.deterministic = observation_fn, deterministic
        self.teacher = as_teacher(teacher)
        self._bounds = bounds_for(self.teacher, env.single_action_space)
        self._labels = PolicyRunner(
            self.teacher, lambda seen: teacher_labels(self.teacher, seen, self.stepper.columns)
        )
        self._values: PolicyRunner | None = None
        if hasattr(self.teacher, "state_values"):
            self._values = PolicyRunner(
                self.teacher, lambda seen: teacher_values(self.teacher, seen)
            )
        self._students: list[PolicyRunner] = []
        for each in _students(student, env):
            self._check(each)
            runner = PolicyRunner(each, output_fn(each, self.stepper.columns), observation_fn)
            self._students.append(runner)
        self._teacher_acts = np.zeros(env.num_envs, dtype=np.bool_)

    def step(self, rng: np.random.Generator, beta: float) -> LabelledStep:
        """Take one step in all environments.

        Args:
            rng: draws the acting policy and the actions.
            beta: probability that the teacher acts.

        Raises:
            ValueError: for invalid labels, or `beta` below 1 without a student.
        """
        stepper = self.stepper
        while not stepper.needs_action.any():
            stepper.step(stepper.default_actions())
        # Copied now: an environment may write its next observations into the same array.
        needs_action, observations = (
            stepper.needs_action,
            stepper.observations[stepper.needs_action],
        )
        labels = self._labels.outputs(stepper, needs_action)
        columns = {
            "observations": apply_observation_fn(observations, self.observation_fn),
            "logits": labels,
        }
        if self._values is not None:
            columns["values"] = self._values.outputs(stepper, needs_action)
        actions = stepper.default_actions()
        outputs = softmax(labels) if self._bounds is None else labels
        behaviour = self._behaviour(outputs, rng, beta)
        actions[needs_action] = select_actions(
            behaviour, self._bounds, None if self.deterministic else rng
        )
        return LabelledStep(needs_action, stepper.step(actions).ended, columns)

    def _check(self, student: Policy) -> None:
        """Refuse a student with another kind of actions than the teacher's."""
        bounds_for(student, self.stepper.env.single_action_space)
        kind, expected = distribution_of(student), distribution_of(self.teacher)
        if kind != expected:
            raise TypeError(
                f"a student of {kind} actions and a teacher of {expected}; expected the same kind"
            )

    def _behaviour(
        self, teacher: npt.NDArray[Any], rng: np.random.Generator, beta: float
    ) -> npt.NDArray[Any]:
        """Return the outputs of the policy that acts, a row for each environment with an action."""
        stepper = self.stepper
        drawn = rng.random(len(stepper.needs_action)) < beta
        renewed = stepper.episode_start if self.is_per_episode else stepper.needs_action
        self._teacher_acts = np.where(renewed, drawn, self._teacher_acts)
        if not self._students:
            if beta < 1.0:
                raise ValueError(f"beta={beta:g} without a student; expected a student, or beta=1")
            return teacher
        outputs = self._student_outputs(stepper.needs_action)
        return np.where(self._teacher_acts[stepper.needs_action][:, None], teacher, outputs)

    def _student_outputs(self, wanted: BoolArray) -> npt.NDArray[Any]:
        """Return the students' outputs, a row for each environment in the mask `wanted`."""
        first, *others = self._students
        if not others:
            return first.outputs(self.stepper, wanted)
        rows: Any = None
        for number, runner in enumerate(self._students):
            own = wanted & (np.arange(len(wanted)) % len(self._students) == number)
            if not own.any() and not hasattr(runner.policy, "memory"):
                continue
            found = runner.outputs(self.stepper, own)
            if rows is None:
                rows = np.zeros((len(wanted), found.shape[1]))
            rows[own] = found
        return rows[wanted]  # type: ignore[no-any-return]


def _students(student: Policy | Mapping[str, Policy] | None, env: Any) -> list[Policy]:
    """Return the acting students in a list.

    Raises:
        ValueError: for a mapping without students, or with more than there are environments.
    """
    if student is None:
        return []
    if not isinstance(student, Mapping):
        return [student]
    if not 0 < len(student) <= env.num_envs:
        raise ValueError(
            f"{len(student)} students in {env.num_envs} environments; expected at least one "
            "student, and an environment for each"
        )
    return list(student.values())


class LevelTracker:
    """Levels that were visited, checked against those that were announced."""

    def __init__(self, announced: Iterable[LevelRange]) -> None:
        self.announced = tuple(announced)
        self.seen: set[int] = set()

    def record(self, stepper: EnvStepper) -> None:
        """Record the current levels.

        Raises:
            ValueError: for a level that was not announced.
        """
        if stepper.levels is None:
            return
        found = set(stepper.levels.tolist()) - self.seen
        for level in sorted(found) if self.announced else ():
            if not any(part.first <= level < part.first + part.levels for part in self.announced):
                expected = " or ".join(str(part) for part in self.announced)
                raise ValueError(f"the environment plays level {level}; expected {expected}")
        self.seen |= found

    @property
    def ranges(self) -> tuple[LevelRange, ...]:
        """Announced ranges; without them the visited levels, as few ranges as possible."""
        if self.announced or not self.seen:
            return self.announced
        numbers = np.array(sorted(self.seen))
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        return tuple(LevelRange(int(run[0]), len(run)) for run in runs)
