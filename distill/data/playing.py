"""Playing in a vector environment, in any of Gymnasium's autoreset modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray

from ..core.distributions import CATEGORICAL, Bounds, distribution_of, gaussian_rows, split

View = Callable[[Any], npt.NDArray[Any]]
"""What a student sees of (n, ...) observations of the environment: (n, ...) of its own."""


class Outcome(NamedTuple):
    """What a step has brought where there was a decision; elsewhere 0 and False."""

    reward: FloatArray  # (n,)
    terminated: BoolArray  # (n,)
    ended: BoolArray  # (n,) terminated or truncated
    success: BoolArray  # (n,) as info["is_success"] says; without it, terminated


class Play:
    """Steps a vector environment from one moment to the next.

    In mode NEXT_STEP the observation of a finished episode asks for no decision, and the step after
    it takes none; in mode SAME_STEP it is never seen here; in mode DISABLED finished episodes are
    begun again at once.

    Args:
        env: a vector environment of Gymnasium whose observations are arrays and whose actions are
            `Discrete`, or a `Box` of fractions.
        seed: of the first reset.

    Attributes:
        bounds: of the actions; None where they are `Discrete`.
        columns: of a policy's answer: as many as there are actions, or twice the dimensions.
        observations: (n, ...) of this moment.
        deciding: (n,) True where the observation asks for an action.
        began: (n,) True where the observation is the first of an episode.
        levels: (n,) numbers of the mazes, None where `info` has no "level".

    Raises:
        TypeError: for other spaces.
    """

    def __init__(self, env: Any, seed: int) -> None:
        _check_observations(env)
        self.env, self._space = env, env.single_action_space
        self.bounds = _bounds_of(self._space)
        self.columns = int(self._space.n if self.bounds is None else 2 * self.bounds.dimensions)
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.levels: IntArray | None = None
        self.deciding = np.ones(env.num_envs, dtype=np.bool_)
        self.began = np.ones(env.num_envs, dtype=np.bool_)
        self.observations, infos = env.reset(seed=seed)
        self._note_levels(infos)

    def no_actions(self) -> npt.NDArray[Any]:
        """(n, ...) actions for where nothing is decided."""
        count = len(self.deciding)
        if self.bounds is None:
            return np.zeros(count, dtype=np.int64)
        return self.bounds.action(np.zeros((count, self.bounds.dimensions)))

    def step(self, actions: npt.NDArray[Any]) -> Outcome:
        """Take a step.

        Args:
            actions: (n,) numbers from 0, or (n, ...) within the bounds; where nothing is decided
                they do not matter.
        """
        decided = self.deciding
        if self.bounds is None:
            actions = actions + int(self._space.start)
        stepped = self.env.step(actions.astype(self._space.dtype))
        self.observations, reward, terminated, truncated, infos = stepped
        terminated = terminated & decided
        ended = terminated | (truncated & decided)
        success = self._successes(infos, terminated, ended)
        self._note_levels(infos)
        if self._mode == AutoresetMode.NEXT_STEP:
            self.began, self.deciding = ~decided, ~ended
        else:
            self.began = ended
            if self._mode == AutoresetMode.DISABLED and ended.any():
                begun = self.env.reset(options={"reset_mask": ended.copy()})
                self.observations = begun[0]
                self._note_levels(begun[1])
        return Outcome(np.where(decided, reward, 0.0), terminated, ended, success)

    def _successes(
        self, infos: dict[str, Any], terminated: BoolArray, ended: BoolArray
    ) -> BoolArray:
        if self._mode == AutoresetMode.SAME_STEP:
            infos = infos.get("final_info", {})
        if "is_success" not in infos:
            return terminated
        told = infos.get("_is_success", ended)
        return ended & np.where(told, infos["is_success"], terminated)

    def _note_levels(self, infos: dict[str, Any]) -> None:
        if "level" in infos:
            told = infos.get("_level", np.ones(self.env.num_envs, dtype=np.bool_))
            before = infos["level"] if self.levels is None else self.levels
            self.levels = np.where(told, infos["level"], before)


class Player:
    """Asks a policy in the middle of play; each player has its own memory of the policy's.

    Args:
        policy: a policy; one that remembers has `memory` and `reset(began)`, as `GRU` has.
        question: what it is asked, a function of a batch of observations.
        view: what it sees of them; None for all.
    """

    def __init__(
        self,
        policy: Any,
        question: Callable[[Any], npt.NDArray[Any]],
        view: View | None = None,
    ) -> None:
        self.policy, self.question, self.view = policy, question, view
        self._memory: Any = None

    def ask(self, play: Play, wanted: BoolArray) -> npt.NDArray[Any]:
        """(answers, ...) for the observations that are wanted.

        A policy that remembers sees all, so that each of its memories is of one environment.
        """
        if not hasattr(self.policy, "memory"):
            return self.question(viewed(play.observations[wanted], self.view))
        before, self.policy.memory = self.policy.memory, self._memory
        try:
            self.policy.reset(play.began)
            answers = self.question(viewed(play.observations, self.view))[wanted]
            self._memory = self.policy.memory
        finally:
            self.policy.memory = before
        return answers


def viewed(observations: npt.NDArray[Any], view: View | None) -> npt.NDArray[Any]:
    """What is seen of (n, ...) observations.

    Raises:
        ValueError: if a view does not give one for each.
    """
    if view is None:
        return observations
    seen = np.asarray(view(observations))
    if seen.ndim == 0 or len(seen) != len(observations):
        raise ValueError(
            f"the view gave shape {seen.shape} of {len(observations)} observations; expected one "
            "for each"
        )
    return seen


def question_of(policy: Any) -> Callable[[Any], npt.NDArray[Any]]:
    """What a policy is asked to play: probabilities, or means and log standard deviations."""
    if distribution_of(policy) == CATEGORICAL:
        return policy.action_probabilities  # type: ignore[no-any-return]
    return lambda observations: gaussian_rows(policy, observations)


def bounds_for(policy: Any, space: spaces.Space[Any]) -> Bounds | None:
    """What makes actions of a policy's samples in a space; None where they are `Discrete`.

    Raises:
        TypeError: for a policy of the other kind of actions, or a space of neither.
        ValueError: for a policy with other bounds.
    """
    its, kind = _bounds_of(space), distribution_of(policy)
    if (kind == CATEGORICAL) != (its is None):
        wanted = "action_probabilities" if its is None else "action_gaussian"
        raise TypeError(
            f"a policy {type(policy).__name__} of {kind} actions where they are {space}; expected "
            f"one with {wanted}"
        )
    own = getattr(policy, "bounds", None)
    if its is None or own is None:
        return its
    if not own.is_like(its):
        raise ValueError(
            f"a policy of actions from {own.low.tolist()} to {own.high.tolist()}; expected the "
            f"environment's, {space}"
        )
    return own  # type: ignore[no-any-return]


def choose(
    answers: npt.NDArray[Any], bounds: Bounds | None, rng: np.random.Generator | None
) -> npt.NDArray[Any]:
    """(batch, ...) actions of what `question_of` asked.

    Args:
        answers: (batch, columns).
        bounds: of the actions; None where they are `Discrete`.
        rng: draws them; None for the best ones: the first of the likeliest, or the means.
    """
    if bounds is None:
        return answers.argmax(axis=1) if rng is None else draw_actions(answers, rng)
    mean, log_std = split(answers)
    if rng is not None:
        mean = mean + np.exp(log_std) * rng.standard_normal(mean.shape)
    return bounds.action(mean)


def draw_actions(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """(batch,) actions, each drawn by its row of (batch, actions) probabilities."""
    below = probabilities.cumsum(axis=1)[:, :-1]
    return (rng.random((len(probabilities), 1)) >= below).sum(axis=1)  # type: ignore[no-any-return]


def _bounds_of(space: spaces.Space[Any]) -> Bounds | None:
    """Those of a Box of fractions; None of Discrete actions, and others are refused."""
    if isinstance(space, spaces.Discrete):
        return None
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Bounds(space.low, space.high)
    raise TypeError(f"actions of {space}; expected Discrete, or a Box of fractions")


def _check_observations(env: Any) -> None:
    """Refuse what policies do not see."""
    observation = env.single_observation_space
    if isinstance(observation, spaces.Dict | spaces.Tuple):
        raise TypeError(f"observations of {observation}; expected arrays")
