"""Batches with rewards: new rollouts of the student that is trained, for methods of RL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.validation import checked_integer

from ..core.checks import name_of
from ..core.dataset import Batch, make_batch
from ..core.distributions import Bounds, distribution_of, split
from ..core.levels import LevelRange
from ..core.policy import Policy
from ..teachers import as_teacher, teacher_labels
from .playing import (
    EnvStepper,
    ObservationFn,
    PolicyRunner,
    apply_observation_fn,
    bounds_for,
    output_fn,
    select_samples,
)
from .rollouts import LevelTracker
from .source import Columns


class OnPolicy:
    """Batch source of new rollouts of a student, with rewards.

    Each batch has the transitions of `steps` steps of all environments, which the student has just
    taken; episodes go on from one batch to the next. Rows are in the order of environment and time,
    so that those of a trajectory follow each other. Its extra columns are:

    | column | shape | |
    | --- | --- | --- |
    | action | (rows,), or (rows, dimensions) | numbers from 0, or samples before they are bounded |
    | log_prob | (rows,) float32 | log-probability (density) of the action when it was taken |
    | reward | (rows,) float32 | |
    | next_observations | (rows, ...) | observations that followed, before any reset |
    | terminated | (rows,) bool | True where no value follows |
    | last | (rows,) bool | True for the last row of a trajectory: of an episode, or of the batch |

    All randomness, that of the environment too, comes from the generator that `batch` is given.
    When `get_state` is called all environments start new episodes, as in `Rollouts`.

    Args:
        env: a vector environment with `Discrete` actions, or floating point `Box` actions for a
            student with `action_gaussian`.
        student: the student that acts, by samples of its actions.
        teacher: anything that `as_teacher` takes, which labels each observation once; it is given
            the full observations (see `observation_fn`), and may have a recurrent state or masks.
            None for rows without labels.
        steps: steps of all environments in a batch.
        levels: the levels that the environment draws from; see `Rollouts`.
        observation_fn: maps (n, ...) observations of the environment to the student's (n, ...),
            which are stored. None if the student sees them as they are.

    Attributes:
        gives: rewards.

    Raises:
        ValueError: for fewer than 1 step.
        TypeError: for a recurrent student.
    """

    gives: ClassVar[frozenset[str]] = frozenset({"reward"})

    def __init__(
        self,
        env: Any,
        student: Policy,
        *,
        teacher: Any = None,
        steps: int = 64,
        levels: Iterable[LevelRange] = (),
        observation_fn: ObservationFn | None = None,
    ) -> None:
        if hasattr(student, "memory"):
            raise TypeError(
                f"OnPolicy of {name_of(student)}, which is recurrent; expected a student without "
                "memory"
            )
        self.env, self.student, self.teacher = env, student, teacher
        self.steps = checked_integer("steps", steps, 1)
        self.observation_fn = observation_fn
        self._levels = LevelTracker(levels)
        self._stepper: EnvStepper | None = None
        self._labels: PolicyRunner | None = None

    @property
    def levels(self) -> tuple[LevelRange, ...]:
        """Levels of the mazes that are trained on; empty where there are no levels."""
        return self._levels.ranges

    @property
    def distribution(self) -> str | None:
        """Kind of the teacher's actions; None without a teacher."""
        return None if self.teacher is None else distribution_of(as_teacher(self.teacher))

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of a single observation of the student; `observation_fn` is called with zeros."""
        space = self.env.single_observation_space
        zeros = np.zeros((1, *space.shape), space.dtype)
        return apply_observation_fn(zeros, self.observation_fn).shape[1:]

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Take steps of all environments.

        Raises:
            ValueError: for invalid outputs or labels, bounds of actions that are not the
                environment's, or a level that was not announced.
            TypeError: for a student or a teacher of other actions than the environment's.
        """
        stepper = self._stepper or self._begin(rng)
        bounds = bounds_for(self.student, self.env.single_action_space)
        outputs = output_fn(self.student, stepper.columns)
        acting = PolicyRunner(self.student, outputs, self.observation_fn)
        rows = [self._step(stepper, acting, bounds, rng) for _ in range(self.steps)]
        columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        order = np.argsort(columns["env"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        env = columns.pop("env")
        columns["last"] |= np.append(env[1:] != env[:-1], True)
        return make_batch(columns.pop("observations"), columns.pop("logits", None), extra=columns)

    def get_state(self) -> dict[str, Any]:
        """Return the visited levels; all environments start new episodes at the next batch."""
        self._stepper = None
        return {"levels": sorted(self._levels.seen)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self._levels.seen = set(state["levels"])
        self._stepper = None

    def _begin(self, rng: np.random.Generator) -> EnvStepper:
        stepper = self._stepper = EnvStepper(self.env, int(rng.integers(2**31)))
        self._labels = None
        if self.teacher is not None:
            teacher = as_teacher(self.teacher)
            bounds_for(teacher, self.env.single_action_space)
            self._labels = PolicyRunner(
                teacher, lambda seen: teacher_labels(teacher, seen, stepper.columns)
            )
        return stepper

    def _step(
        self,
        stepper: EnvStepper,
        acting: PolicyRunner,
        bounds: Bounds | None,
        rng: np.random.Generator,
    ) -> Columns:
        """Take one step of all environments, and return a row for each that acts."""
        while not stepper.needs_action.any():
            stepper.step(stepper.default_actions())
        self._levels.record(stepper)
        acts = stepper.needs_action
        columns = {
            "env": np.flatnonzero(acts),
            # Copied: an environment may write its next observations into the same array.
            "observations": np.array(self._seen(stepper.observations[acts])),
        }
        if self._labels is not None:
            columns["logits"] = self._labels.outputs(stepper, acts)
        outputs = acting.outputs(stepper, acts)
        samples = select_samples(outputs, bounds, rng)
        if bounds is not None:
            samples = samples.astype(np.float32)  # as the student's outputs
        actions = stepper.default_actions()
        actions[acts] = samples if bounds is None else bounds.action(samples)
        outcome = stepper.step(actions)
        return {
            **columns,
            "action": samples,
            "log_prob": _log_prob(outputs, samples, bounds),
            "reward": outcome.reward[acts].astype(np.float32),
            "next_observations": np.array(self._seen(stepper.next_observations[acts])),
            "terminated": outcome.terminated[acts],
            "last": outcome.ended[acts],
        }

    def _seen(self, observations: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return apply_observation_fn(observations, self.observation_fn)


def _log_prob(
    outputs: npt.NDArray[Any], samples: npt.NDArray[Any], bounds: Bounds | None
) -> npt.NDArray[np.float32]:
    """Return (rows,) log-probabilities of actions, or log-densities of samples of Gaussians."""
    if bounds is None:
        found = np.log(outputs[np.arange(len(samples)), samples])
    else:
        mean, log_std = split(outputs)
        scaled = (samples - mean) * np.exp(-log_std)
        found = (-scaled * scaled / 2 - log_std - np.log(2 * np.pi) / 2).sum(axis=1)
    return found.astype(np.float32)  # type: ignore[no-any-return]


def generalised_advantages(
    reward: npt.NDArray[Any],
    values: npt.NDArray[Any],
    next_values: npt.NDArray[Any],
    terminated: BoolArray,
    last: BoolArray,
    *,
    gamma: float,
    gae_lambda: float,
) -> FloatArray:
    """Return generalised advantage estimates (Schulman et al. 2016, eq. 16).

    Args:
        reward: (rows,) in the order of `OnPolicy`.
        values: (rows,) of the observations.
        next_values: (rows,) of the observations that followed, also of truncated episodes.
        terminated: (rows,) True where no value follows.
        last: (rows,) True for the last row of a trajectory.
        gamma: discount, in [0, 1].
        gae_lambda: 0 for one-step errors, 1 for returns minus values.
    """
    # Eq. 10: the temporal-difference error.
    errors = reward + gamma * np.where(terminated, 0.0, next_values) - values
    decay = gamma * gae_lambda * (1.0 - last)
    advantages, after = np.zeros(len(errors)), 0.0
    for row in reversed(range(len(errors))):
        after = advantages[row] = errors[row] + decay[row] * after
    return advantages
