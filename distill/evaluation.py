"""Evaluation of policies: returns, success rate, and the normalised return of a student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.proportions import proportion_interval
from dynamaze.common.validation import checked_integer, checked_number

from .core.distances import DistanceRange, success_by_distance
from .data.playing import (
    EnvStepper,
    ObservationFn,
    PolicyRunner,
    bounds_for,
    output_fn,
    select_actions,
)
from .teachers import as_teacher

Z_95 = 1.959964
"""Half-width of a 95% confidence interval in standard errors."""

MAX_EPISODE_STEPS = 1_000_000
"""Longer episodes are refused as endless."""


class ConfidenceInterval(NamedTuple):
    """A number and its 95% confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Returns:
    """Results of a number of episodes.

    Attributes:
        discounted: (episodes,) discounted returns from the start.
        undiscounted: (episodes,) sums of rewards.
        lengths: (episodes,) numbers of steps.
        successes: (episodes,) `info["is_success"]`; without it, True for an episode that terminated
            and was not truncated (in a maze: the goal was reached).
        levels: (episodes,) level numbers; None where there are no levels.
        distances: (episodes,) shortest path lengths from the start to the goal, -1 if it cannot be
            reached; None where the environment has no `distances_to_goal()`, as the native vector
            environments of grid mazes have.
        gamma: discount of the discounted returns.
    """

    discounted: FloatArray
    undiscounted: FloatArray
    lengths: IntArray
    successes: BoolArray
    levels: IntArray | None = None
    distances: IntArray | None = None
    gamma: float = 1.0

    @property
    def mean_discounted(self) -> ConfidenceInterval:
        """Mean discounted return."""
        return _mean(self.discounted)

    @property
    def mean_undiscounted(self) -> ConfidenceInterval:
        """Mean sum of rewards."""
        return _mean(self.undiscounted)

    @property
    def success_rate(self) -> ConfidenceInterval:
        """Fraction of successes; its interval covers also where nothing or everything failed."""
        count = len(self.successes)
        interval = proportion_interval(int(self.successes.sum()), count)
        return ConfidenceInterval(*(float(part.item()) for part in interval))

    @property
    def success_by_distance(self) -> tuple[DistanceRange, ...]:
        """Success rate by distance from the start to the goal; episodes of a level are one maze.

        Raises:
            ValueError: where the distances are not known.
        """
        if self.distances is None:
            raise ValueError(
                "episodes without distances; expected those of an environment that has "
                "distances_to_goal()"
            )
        mazes = np.arange(len(self.distances)) if self.levels is None else self.levels
        return success_by_distance(self.distances, self.successes, mazes, gamma=self.gamma)


@renamed_arguments(view="observation_fn")
def evaluate(
    policy: Any,
    env: Any,
    episodes: int,
    *,
    gamma: float,
    seed: int,
    deterministic: bool = True,
    observation_fn: ObservationFn | None = None,
) -> Returns:
    """Play episodes and return their results.

    The number of episodes of each environment is fixed beforehand (the first ones may play one
    more): stopping after the first episodes that end would be biased towards short ones. Where only
    resets are random, two policies play the same episodes for the same seed.

    Args:
        policy: anything that `as_teacher` takes; a recurrent policy is reset at each episode start.
        env: a vector environment with a time limit, and with `Discrete` or floating point `Box`
            actions.
        episodes: number of episodes, at least 2; with few the intervals are too narrow.
        gamma: discount, in [0, 1].
        seed: seed of the environments, and of sampled actions.
        deterministic: True for the best action (the first of equal ones, or the mean of continuous
            ones); False to sample.
        observation_fn: maps observations to those of the policy (see `Rollouts`); None for the
            identity.

    Returns:
        Episodes in rounds: the first of each environment, then the second, and so on.

    Raises:
        ValueError: for a number outside its range, or a policy with other bounds of actions.
        TypeError: for a policy of other actions than the environment's.
        RuntimeError: for an episode of more than a million steps.
    """
    episodes = checked_integer("episodes", episodes, 2)
    gamma = checked_number("gamma", gamma, 0, 1)
    acting = policy if hasattr(policy, "action_probabilities") else as_teacher(policy)
    stepper, rng = EnvStepper(env, seed), np.random.default_rng(seed)
    bounds = bounds_for(acting, env.single_action_space)
    runner = PolicyRunner(acting, output_fn(acting, stepper.columns), observation_fn)
    totals = _EpisodeTotals(env.num_envs, episodes, gamma)
    distances_of = getattr(env.unwrapped, "distances_to_goal", None)
    while (left := totals.left).any():
        wanted = stepper.needs_action & left
        actions = stepper.default_actions()
        if wanted.any():
            outputs = runner.outputs(stepper, wanted)
            actions[wanted] = select_actions(outputs, bounds, None if deterministic else rng)
        levels = stepper.levels
        totals.begin(stepper.episode_start & left, distances_of)
        outcome = stepper.step(actions)
        totals.record(wanted, outcome, levels)
    return totals.returns()


class _EpisodeTotals:
    """Sums of rewards of the episodes of each environment."""

    def __init__(self, num_envs: int, episodes: int, gamma: float) -> None:
        self.gamma = gamma
        self._numbers = np.arange(num_envs)  # of the episode that each environment plays
        self._length = np.zeros(num_envs, dtype=np.int64)
        self._sums = np.zeros((num_envs, 2))  # discounted and not
        self._returns = np.zeros((episodes, 2))
        self._lengths = np.zeros(episodes, dtype=np.int64)
        self._successes = np.zeros(episodes, dtype=np.bool_)
        self._levels: IntArray | None = None
        self._distances: IntArray | None = None

    @property
    def left(self) -> BoolArray:
        """(n,) True where the current episode is one of those that are counted."""
        return self._numbers < len(self._lengths)

    def begin(self, starts: BoolArray, distances_of: Callable[[], IntArray] | None) -> None:
        """Note the distances to the goal of the environments in the mask, whose episodes begin."""
        if distances_of is None or not starts.any():
            return
        if self._distances is None:
            self._distances = np.full(len(self._lengths), -1, dtype=np.int64)
        self._distances[self._numbers[starts]] = distances_of()[starts]

    def record(self, wanted: BoolArray, outcome: Any, levels: IntArray | None) -> None:
        """Add a step of the environments in the mask."""
        reward = np.where(wanted, outcome.reward, 0.0)
        self._sums += np.stack([self.gamma**self._length * reward, reward], axis=1)
        self._length += wanted
        if self._length.max() > MAX_EPISODE_STEPS:
            raise RuntimeError(
                f"an episode of more than {MAX_EPISODE_STEPS} steps; expected an environment with "
                "max_episode_steps"
            )
        (ended,) = np.nonzero(outcome.ended & wanted)
        numbers = self._numbers[ended]
        self._returns[numbers] = self._sums[ended]
        self._lengths[numbers] = self._length[ended]
        self._successes[numbers] = outcome.success[ended]
        if levels is not None:
            if self._levels is None:
                self._levels = np.zeros(len(self._lengths), dtype=np.int64)
            self._levels[numbers] = levels[ended]
        self._numbers[ended] += len(self._numbers)
        self._sums[ended], self._length[ended] = 0.0, 0

    def returns(self) -> Returns:
        """Return the results of all episodes."""
        discounted, undiscounted = self._returns.T
        return Returns(
            discounted.copy(),
            undiscounted.copy(),
            self._lengths,
            self._successes,
            self._levels,
            self._distances,
            self.gamma,
        )


def ratio(student: Returns, teacher: Returns, *, discounted: bool = True) -> ConfidenceInterval:
    """Return a student's mean return divided by its teacher's.

    The interval is that of a ratio of paired means, to first order (delta method). Where both
    played the same episodes the pairing makes it narrow; where they did not it is still valid.

    Args:
        student: its episodes.
        teacher: the same number of episodes of the teacher.
        discounted: True for discounted returns.

    Raises:
        ValueError: for different numbers of episodes, or a teacher whose mean return is not above
            0.
    """
    name = "discounted" if discounted else "undiscounted"
    found, expected = getattr(student, name), getattr(teacher, name)
    if len(found) != len(expected):
        raise ValueError(
            f"{len(found)} episodes and {len(expected)} of the teacher; expected equal numbers"
        )
    mean = float(expected.mean())
    if mean <= 0:
        raise ValueError(f"the teacher's mean return is {mean:g}; a ratio needs one above 0")
    share = float(found.mean()) / mean
    # Delta method: the variance of the paired residuals student - share * teacher.
    variance = np.square(found - share * expected).sum() / (len(expected) - 1)
    half = Z_95 * sqrt(variance / len(expected)) / mean
    return ConfidenceInterval(share, share - half, share + half)


@renamed_arguments(view="observation_fn")
def normalised_return(
    student: Any,
    teacher: Any,
    env: Any,
    episodes: int,
    *,
    gamma: float,
    seed: int,
    deterministic: bool = True,
    observation_fn: ObservationFn | None = None,
) -> ConfidenceInterval:
    """Return the student's discounted return as a fraction of the teacher's.

    See `evaluate` and `ratio`. For several students, evaluate the teacher once and take the `ratio`
    of each.

    Args:
        student: a policy.
        teacher: another.
        env: a vector environment; see `evaluate`.
        episodes: number of episodes of each of them.
        gamma: discount, in [0, 1].
        seed: seed of the environments, the same for both.
        deterministic: True for the best action, or the mean of continuous ones; False to sample.
        observation_fn: maps observations to those of the student; the teacher gets the full ones.

    Raises:
        ValueError: for a number outside its range, or a teacher with no return above 0.
    """
    expected, found = (
        evaluate(
            policy,
            env,
            episodes,
            gamma=gamma,
            seed=seed,
            deterministic=deterministic,
            observation_fn=sees,
        )
        for policy, sees in ((teacher, None), (student, observation_fn))
    )
    return ratio(found, expected)


def _mean(samples: npt.NDArray[Any]) -> ConfidenceInterval:
    mean = float(samples.mean())
    half = Z_95 * float(samples.std(ddof=1)) / sqrt(len(samples))
    return ConfidenceInterval(mean, mean - half, mean + half)
