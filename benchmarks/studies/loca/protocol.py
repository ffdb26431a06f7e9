"""Protocol of local change adaptation (LoCA), and the environment that follows its phases.

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

from dynamaze.common.validation import checked_choice, checked_integer, checked_number
from dynamaze.envs.loca.continuous import DynaMazeLoCAContinuousEnv
from dynamaze.envs.loca.grid import DynaMazeLoCAEnv
from dynamaze.envs.loca.tasks import GAMMA

ENVIRONMENTS = {"grid": DynaMazeLoCAEnv, "continuous": DynaMazeLoCAContinuousEnv}


class Phase(NamedTuple):
    """Task and start states of a phase."""

    task: str
    starts: str


PHASES = (Phase("A", "all"), Phase("B", "T1"), Phase("B", "all"))


@dataclass(frozen=True)
class LoCAProtocol:
    """Lengths of the phases, and settings of the evaluation.

    Attributes:
        variant: "grid" or "continuous".
        steps: real steps of the three phases.
        evaluation_interval: real steps between two evaluations; divides all of them.
        runs: runs, each of a new agent with another seed.
        seed: of all random numbers.
        episode_steps: time limit of a training episode.
        evaluation_steps: time limit of an evaluation episode.
        evaluation_episodes: episodes of an evaluation in the continuous environment; on the grid an
            evaluation is exact.
        gamma: discount of the evaluation, in [0, 1).
        near: normalised score from which an agent is near the optimum; 0 is the policy that is
            optimal in the other task, 1 the optimum.
        last: fraction of a phase's evaluations, the last ones, whose mean counts.
        options: further arguments of the environment, such as {"slip_probability": 0}.

    Raises:
        ValueError: for an unknown variant, or a number outside its range; TypeError for a value
            that is not a number.
    """

    variant: str = "grid"
    steps: tuple[int, int, int] = (100_000, 50_000, 50_000)
    evaluation_interval: int = 500
    runs: int = 10
    seed: int = 0
    episode_steps: int = 100
    evaluation_steps: int = 40
    evaluation_episodes: int = 100
    gamma: float = GAMMA
    near: float = 0.9
    last: float = 0.2
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_choice("variant", self.variant, ENVIRONMENTS)
        if len(self.steps) != len(PHASES):
            raise ValueError(f"steps={self.steps!r}; expected those of {len(PHASES)} phases")
        for name in (
            "evaluation_interval",
            "runs",
            "episode_steps",
            "evaluation_steps",
            "evaluation_episodes",
        ):
            checked_integer(name, getattr(self, name), 1)
        for number, steps in enumerate(self.steps, 1):
            checked_integer(f"steps of phase {number}", steps, 1)
            if steps % self.evaluation_interval:
                raise ValueError(
                    f"{steps} steps of phase {number}; expected a multiple of "
                    f"evaluation_interval={self.evaluation_interval}"
                )
        checked_number("near", self.near, 0, 1)
        checked_number("last", self.last, 0, 1, above=True)
        if checked_number("gamma", self.gamma, 0, 1) == 1:
            raise ValueError(f"gamma={self.gamma!r}; expected a number in [0, 1)")

    @property
    def ends(self) -> tuple[int, ...]:
        """Return the step at which each phase ends."""
        return tuple(accumulate(self.steps))

    def make_env(self, **more: Any) -> Any:
        """Return an environment of this protocol."""
        return ENVIRONMENTS[self.variant](**{**self.options, **more})


class PhasedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Environment that switches to the next phase when a phase's steps are over.

    Episodes are truncated after `episode_steps` and at the end of a phase; the next one begins in
    the next phase.

    Args:
        env: an environment of LoCA, unwrapped.
        protocol: the lengths of phases and episodes.

    Attributes:
        steps_taken: steps so far.
    """

    def __init__(self, env: Any, protocol: LoCAProtocol) -> None:
        super().__init__(env)
        self.steps_taken = 0
        self._ends = protocol.ends
        self._limit = protocol.episode_steps
        self._elapsed = 0
        self._is_over = True

    @property
    def phase(self) -> int:
        """Return the number, from 0, of the phase of the next step."""
        return min(bisect_right(self._ends, self.steps_taken), len(PHASES) - 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in the current phase."""
        self._elapsed, self._is_over = 0, False
        env: Any = self.env
        phase = PHASES[self.phase]
        # A seed takes the environment back to its first task, so the phase is set again.
        if seed is not None or (env.task, env.starts) != phase:
            options = {**(options or {}), **phase._asdict()}
        result: tuple[Any, dict[str, Any]] = env.reset(seed=seed, options=options)
        return result

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Raises:
            gymnasium.error.ResetNeeded: if the episode is over.
        """
        if self._is_over:
            raise gym.error.ResetNeeded("step() after the end of an episode; call reset() first")
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.steps_taken += 1
        self._elapsed += 1
        truncated = truncated or self._elapsed >= self._limit or self.steps_taken in self._ends
        self._is_over = terminated or truncated
        return observation, float(reward), terminated, truncated, info
