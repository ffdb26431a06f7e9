"""How good a policy is: its returns, and how much of the teacher's a student keeps."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.validation import checked_number

from .data.playing import Play, Player, View, bounds_for, choose, question_of
from .teachers import as_teacher

SURE = 1.959964
"""So many standard errors to each side make an interval of 95%."""

LONGEST = 1_000_000
"""After so many steps an episode counts as endless, and is refused."""


class Interval(NamedTuple):
    """A number and its 95% confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Returns:
    """What happened in each of a number of episodes.

    Attributes:
        discounted: (episodes,) returns from the start, discounted.
        undiscounted: (episodes,) sums of rewards.
        lengths: (episodes,) steps.
        successes: (episodes,) as `info["is_success"]` says; where it is not there, whether the
            episode terminated and was not cut short (in a maze: the goal was reached).
        levels: (episodes,) numbers of the mazes; None where there are no levels.
    """

    discounted: FloatArray
    undiscounted: FloatArray
    lengths: IntArray
    successes: BoolArray
    levels: IntArray | None = None

    @property
    def mean_discounted(self) -> Interval:
        """The mean discounted return."""
        return _mean(self.discounted)

    @property
    def mean_undiscounted(self) -> Interval:
        """The mean sum of rewards."""
        return _mean(self.undiscounted)

    @property
    def success_rate(self) -> Interval:
        """The share of successes, with Wilson's (1927) interval: it is honest near 0 and 1."""
        count, share = len(self.successes), float(self.successes.mean())
        spread = SURE**2 / count
        middle = (share + spread / 2) / (1 + spread)
        half = SURE / (1 + spread) * sqrt(share * (1 - share) / count + spread / (4 * count))
        return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def evaluate(
    policy: Any,
    env: Any,
    episodes: int,
    *,
    gamma: float,
    seed: int,
    deterministic: bool = True,
    view: View | None = None,
) -> Returns:
    """Play episodes, and see what they return.

    Each environment plays a number of episodes that is settled before, the first ones perhaps one
    more than the others: to stop at the first so many that end would favour short ones. In a world
    where only resets are random, two policies play the same episodes for the same seed.

    Args:
        policy: anything that `as_teacher` takes; one that remembers forgets at each start.
        env: a vector environment with a time limit, and with `Discrete` actions or a `Box` of
            fractions.
        episodes: how many in all, at least 2; few give intervals that are too narrow.
        gamma: discount, in [0, 1].
        seed: of the environments, and of the actions where they are drawn.
        deterministic: the best action, the first of equal ones, or the mean of continuous ones;
            otherwise drawn.
        view: what the policy sees of the observations (see `Rollouts`); None for all.

    Returns:
        Episodes in rounds: the first of each environment, then the second, and so on.

    Raises:
        ValueError: for a number outside its range, or a policy with other bounds of actions.
        TypeError: for a policy of other actions than the environment's.
        RuntimeError: for an episode of more than a million steps.
    """
    episodes = int(checked_number("episodes", episodes, 2, whole=True))
    gamma = checked_number("gamma", gamma, 0, 1)
    asked = policy if hasattr(policy, "action_probabilities") else as_teacher(policy)
    play, rng = Play(env, seed), np.random.default_rng(seed)
    bounds = bounds_for(asked, env.single_action_space)
    player = Player(asked, question_of(asked), view)
    lines = _Lines(env.num_envs, episodes, gamma)
    while (left := lines.left).any():
        wanted = play.deciding & left
        actions = play.no_actions()
        if wanted.any():
            answers = player.ask(play, wanted)
            actions[wanted] = choose(answers, bounds, None if deterministic else rng)
        levels = play.levels
        outcome = play.step(actions)
        lines.note(wanted, outcome, levels)
    return lines.returns()


class _Lines:
    """Adds up the episodes of each environment."""

    def __init__(self, num_envs: int, episodes: int, gamma: float) -> None:
        self.gamma = gamma
        self._numbers = np.arange(num_envs)  # of the episode that each environment plays
        self._length = np.zeros(num_envs, dtype=np.int64)
        self._sums = np.zeros((num_envs, 2))  # discounted and not
        self._returns = np.zeros((episodes, 2))
        self._lengths = np.zeros(episodes, dtype=np.int64)
        self._successes = np.zeros(episodes, dtype=np.bool_)
        self._levels: IntArray | None = None

    @property
    def left(self) -> BoolArray:
        """(n,) True where an episode counts."""
        return self._numbers < len(self._lengths)

    def note(self, wanted: BoolArray, outcome: Any, levels: IntArray | None) -> None:
        """Add a step of the environments that are wanted."""
        reward = np.where(wanted, outcome.reward, 0.0)
        self._sums += np.stack([self.gamma**self._length * reward, reward], axis=1)
        self._length += wanted
        if self._length.max() > LONGEST:
            raise RuntimeError(
                f"an episode of more than {LONGEST} steps; expected an environment with "
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
        """All episodes."""
        discounted, undiscounted = self._returns.T
        return Returns(
            discounted.copy(), undiscounted.copy(), self._lengths, self._successes, self._levels
        )


def ratio(student: Returns, teacher: Returns, *, discounted: bool = True) -> Interval:
    """How much of a teacher's return a student keeps: the ratio of their means.

    Its interval is that of the ratio of paired means, to first order. Where both played the same
    episodes it is narrow, for what is hard for one is hard for the other; where they did not it
    still holds.

    Args:
        student: its episodes.
        teacher: as many.
        discounted: which returns.

    Raises:
        ValueError: for other numbers of episodes, or a teacher whose mean return is not above 0,
            of which nothing can be kept.
    """
    name = "discounted" if discounted else "undiscounted"
    mine, its = getattr(student, name), getattr(teacher, name)
    if len(mine) != len(its):
        raise ValueError(f"{len(mine)} episodes and {len(its)} of the teacher; expected as many")
    mean = float(its.mean())
    if mean <= 0:
        raise ValueError(f"the teacher's mean return is {mean:g}; a ratio needs one above 0")
    kept = float(mine.mean()) / mean
    spread = np.square(mine - kept * its).sum() / (len(its) - 1)
    half = SURE * sqrt(spread / len(its)) / mean
    return Interval(kept, kept - half, kept + half)


def return_kept(
    student: Any,
    teacher: Any,
    env: Any,
    episodes: int,
    *,
    gamma: float,
    seed: int,
    deterministic: bool = True,
    view: View | None = None,
) -> Interval:
    """How much of the teacher's discounted return a student keeps; see `evaluate` and `ratio`.

    For several students, evaluate the teacher once and take the `ratio` of each.

    Args:
        student: a policy.
        teacher: another.
        env: a vector environment; see `evaluate`.
        episodes: how many each of them plays.
        gamma: discount, in [0, 1].
        seed: of the environments, the same for both.
        deterministic: the best action, or the mean of continuous ones; otherwise drawn.
        view: what the student sees of the observations; the teacher sees all.

    Raises:
        ValueError: for a number outside its range, or a teacher with no return above 0.
    """
    taught, learned = (
        evaluate(
            policy, env, episodes, gamma=gamma, seed=seed, deterministic=deterministic, view=sees
        )
        for policy, sees in ((teacher, None), (student, view))
    )
    return ratio(learned, taught)


def _mean(samples: npt.NDArray[Any]) -> Interval:
    mean = float(samples.mean())
    half = SURE * float(samples.std(ddof=1)) / sqrt(len(samples))
    return Interval(mean, mean - half, mean + half)
