"""Playing in a vector environment, in any of Gymnasium's autoreset modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from .logits import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


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
            `Discrete`.
        seed: of the first reset.

    Attributes:
        observations: (n, ...) of this moment.
        deciding: (n,) True where the observation asks for an action.
        began: (n,) True where the observation is the first of an episode.
        levels: (n,) numbers of the mazes, None where `info` has no "level".

    Raises:
        TypeError: for other spaces.
    """

    def __init__(self, env: Any, seed: int) -> None:
        self.num_actions, self._first_action = _count_actions(env)
        self.env = env
        self._mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.levels: IntArray | None = None
        self.deciding = np.ones(env.num_envs, dtype=np.bool_)
        self.began = np.ones(env.num_envs, dtype=np.bool_)
        self.observations, infos = env.reset(seed=seed)
        self._note_levels(infos)

    def step(self, actions: IntArray) -> Outcome:
        """Take a step.

        Args:
            actions: (n,) numbers from 0; where nothing is decided they do not matter.
        """
        decided = self.deciding
        stepped = self.env.step(actions + self._first_action)
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
    """

    def __init__(self, policy: Any, question: Callable[[Any], npt.NDArray[Any]]) -> None:
        self.policy, self.question = policy, question
        self._memory: Any = None

    def ask(self, play: Play, wanted: BoolArray) -> npt.NDArray[Any]:
        """(answers, ...) for the observations that are wanted.

        A policy that remembers sees all, so that each of its memories is of one environment.
        """
        if not hasattr(self.policy, "memory"):
            return self.question(play.observations[wanted])
        before, self.policy.memory = self.policy.memory, self._memory
        try:
            self.policy.reset(play.began)
            answers = self.question(play.observations)[wanted]
            self._memory = self.policy.memory
        finally:
            self.policy.memory = before
        return answers


def draw_actions(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """(batch,) actions, each drawn by its row of (batch, actions) probabilities."""
    below = probabilities.cumsum(axis=1)[:, :-1]
    return (rng.random((len(probabilities), 1)) >= below).sum(axis=1)  # type: ignore[no-any-return]


def _count_actions(env: Any) -> tuple[int, int]:
    """How many actions there are, and the number of the first."""
    observation, action = env.single_observation_space, env.single_action_space
    if not isinstance(action, spaces.Discrete):
        raise TypeError(f"actions of {action}; expected Discrete")
    if isinstance(observation, spaces.Dict | spaces.Tuple):
        raise TypeError(f"observations of {observation}; expected arrays")
    return int(action.n), int(action.start)
