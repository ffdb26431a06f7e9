"""The protocol of local change adaptation (LoCA) and the life that an agent leads by it.

Wan et al. 2022, "Towards evaluating adaptivity of model-based reinforcement learning methods",
after van Seijen et al. 2020, "The LoCA regret". The phases are those of `DynaMazeLoCAEnv`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.validation import checked_number, did_you_mean
from dynamaze.envs.loca.continuous import DynaMazeLoCAContinuousEnv
from dynamaze.envs.loca.grid import DynaMazeLoCAEnv
from dynamaze.envs.loca.tasks import GAMMA

WORLDS = {"grid": DynaMazeLoCAEnv, "continuous": DynaMazeLoCAContinuousEnv}


class Phase(NamedTuple):
    """A part of the life."""

    task: str
    starts: str


PHASES = (Phase("A", "all"), Phase("B", "T1"), Phase("B", "all"))


@dataclass(frozen=True)
class Protocol:
    """How long an agent lives in each phase, and how it is judged.

    Attributes:
        world: "grid" or "continuous".
        steps: real steps of the three phases.
        every: real steps from one look at the agent to the next; divides all of them.
        runs: lives, each of a new agent with another seed.
        seed: settles every number.
        episode_steps: the most steps of an episode of the life.
        look_steps: the most steps of an episode that is judged.
        look_episodes: episodes of a look in the continuous world; on the grid a look is exact.
        gamma: the discount of what is judged, in [0, 1).
        near: from which share of the way to the optimum on an agent is near it; the way begins at
            what is optimal in the other task.
        last: the share of a phase's looks, the last ones, of which the mean is judged.
        options: further arguments of the world, such as {"slip_probability": 0}.

    Raises:
        ValueError: for a world that there is not, or a number outside its range; TypeError for
            what is no number.
    """

    world: str = "grid"
    steps: tuple[int, int, int] = (100_000, 50_000, 50_000)
    every: int = 500
    runs: int = 10
    seed: int = 0
    episode_steps: int = 100
    look_steps: int = 40
    look_episodes: int = 100
    gamma: float = GAMMA
    near: float = 0.9
    last: float = 0.2
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise ValueError(
                f"world={self.world!r}; expected one of {sorted(WORLDS)}"
                f"{did_you_mean(self.world, WORLDS)}"
            )
        if len(self.steps) != len(PHASES):
            raise ValueError(f"steps={self.steps!r}; expected those of {len(PHASES)} phases")
        for name in ("every", "runs", "episode_steps", "look_steps", "look_episodes"):
            checked_number(name, getattr(self, name), 1, whole=True)
        for number, steps in enumerate(self.steps, 1):
            checked_number(f"steps of phase {number}", steps, 1, whole=True)
            if steps % self.every:
                raise ValueError(
                    f"{steps} steps of phase {number}; expected a multiple of every={self.every}"
                )
        checked_number("near", self.near, 0, 1)
        checked_number("last", self.last, 0, 1, above=True)
        if checked_number("gamma", self.gamma, 0, 1) == 1:
            raise ValueError(f"gamma={self.gamma!r}; expected a number in [0, 1)")

    @property
    def ends(self) -> tuple[int, ...]:
        """The step of the life at which each phase ends."""
        return tuple(accumulate(self.steps))

    def make_world(self, **more: Any) -> Any:
        """A world of this protocol."""
        return WORLDS[self.world](**{**self.options, **more})


class LifeInPhases(gym.Wrapper[Any, Any, Any, Any]):
    """A world that goes from phase to phase by itself, after the steps that were lived in it.

    Episodes are cut after `episode_steps`, and at the end of a phase; the next one begins in the
    next phase. What is cut is told as truncated.

    Args:
        world: an environment of LoCA, unwrapped.
        protocol: says when.

    Attributes:
        lived: steps so far.
    """

    def __init__(self, world: Any, protocol: Protocol) -> None:
        super().__init__(world)
        self.lived = 0
        self._ends = protocol.ends
        self._limit = protocol.episode_steps
        self._elapsed = 0
        self._is_over = True

    @property
    def phase(self) -> int:
        """The number, from 0, of the phase in which the next step is."""
        return min(bisect_right(self._ends, self.lived), len(PHASES) - 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in the phase that it is time for."""
        self._elapsed, self._is_over = 0, False
        world: Any = self.env
        phase = PHASES[self.phase]
        if seed is not None or (world.task, world.starts) != phase:
            options = {**(options or {}), **phase._asdict()}
        begun: tuple[Any, dict[str, Any]] = world.reset(seed=seed, options=options)
        return begun

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Raises:
            gymnasium.error.ResetNeeded: if the episode is over.
        """
        if self._is_over:
            raise gym.error.ResetNeeded("step() after the end of an episode; call reset() first")
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.lived += 1
        self._elapsed += 1
        truncated = truncated or self._elapsed >= self._limit or self.lived in self._ends
        self._is_over = terminated or truncated
        return observation, float(reward), terminated, truncated, info


def run_seed(protocol: Protocol, run: int) -> int:
    """The seed of one life, a number below 2^31."""
    return int(np.random.SeedSequence([protocol.seed, run]).generate_state(1)[0] >> 1)
