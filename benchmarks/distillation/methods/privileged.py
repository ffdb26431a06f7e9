"""Experiment of generalised distillation: an expert that cannot be imitated, and rewards.

The goal is at the left or the right end of a corridor, the other end is a trap. The expert knows
where; the student does not, but may step aside to a sign that shows it. The expert never goes
there, so that no imitation of it does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.distill.data.imitation_gap import imitation_gap
from dynamaze.distill.data.on_policy import OnPolicy
from dynamaze.distill.data.rollouts import collect
from dynamaze.distill.evaluation import evaluate
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method

REACH = 4
"""Steps from the start to each end."""

CELLS = 2 * (2 * REACH + 1)
"""Cells of the lower and the upper corridor."""

SIDES = 2
MAX_STEPS = 20
GAMMA = 0.95
ENVS = 16

UP, RIGHT, DOWN, LEFT = range(4)


class AliasedCorridor(gym.Env[Any, Any]):
    """Two corridors, one above the other, whose goal is at the left or the right end of both.

    An episode begins in the middle of the lower one; the cell above it has the sign. The reward is
    1 at the goal's end; the other end terminates without one. The observation is the one-hot code
    of the cell, of the sign's side in its cell, and of the goal's side, which is hidden from
    students (`student_sees`).
    """

    observation_space = spaces.Box(0, 1, (CELLS + 2 * SIDES,), np.float32)
    action_space = spaces.Discrete(4)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Begin in the middle of the lower corridor, with the goal at a random end."""
        super().reset(seed=seed)
        self.side = int(self.np_random.integers(SIDES))
        self.row, self.col, self.steps = 1, 0, 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        """Move, and end the episode at an end of the corridor."""
        self.steps += 1
        if action in (UP, DOWN):
            self.row = 0 if action == UP and self.col == 0 else self.row
        else:
            self.col += 1 if action == RIGHT else -1
        ended = abs(self.col) == REACH
        success = ended and (self.col > 0) == bool(self.side)
        info = {"is_success": success}
        return self._seen(), float(success), ended, self.steps >= MAX_STEPS, info

    def _seen(self) -> Any:
        seen = np.zeros(CELLS + 2 * SIDES, np.float32)
        seen[self.row * (CELLS // 2) + self.col + REACH] = 1
        if self.row == 0 and self.col == 0:
            seen[CELLS + self.side] = 1
        seen[CELLS + SIDES + self.side] = 1
        return seen


def student_sees(observations: Any) -> Any:
    """Return observations without the goal's side."""
    return observations[:, :-SIDES]


def expert(observations: Any) -> Any:
    """Return the logits of the shortest path to the goal."""
    logits = np.zeros((len(observations), 4))
    logits[:, RIGHT] = 5 * observations[:, -1]
    logits[:, LEFT] = 5 * observations[:, -2]
    return logits


ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "imitation": ("privileged", {"weight": 1.0}),
    "imitation and reward": ("privileged", {"weight": 0.5, "until": 0.5}),
    "reward": ("ppo", {}),
}
"""Arm -> method and settings."""


def corridors() -> SyncVectorEnv:
    """Return the corridors of a run."""
    return SyncVectorEnv([AliasedCorridor] * ENVS, autoreset_mode=AutoresetMode.DISABLED)


def trial(seed: int, *, steps: int = 60, rollout: int = 32, episodes: int = 500) -> Arms:
    """Train each arm from the same initial weights, and evaluate it in new episodes."""
    env = corridors()
    rng = np.random.default_rng(seed)
    gap = imitation_gap(collect(expert, env, 100 * rollout, rng, observation_fn=student_sees))
    play = partial(evaluate, env=env, episodes=episodes, gamma=GAMMA, seed=seed)
    sampled = partial(play, deterministic=False, observation_fn=student_sees)
    arms: Arms = {
        "expert": {"return": 100 * play(expert).success_rate.mean},
        "mean of the expert's labels": {
            "return": 100 * sampled(gap.policy).success_rate.mean,
            "contradiction": 100 * gap.contradiction,
        },
    }
    for arm, (method, settings) in ARMS.items():
        student = MLP((CELLS + SIDES,), 4, 16, seed=seed)
        source = OnPolicy(env, student, teacher=expert, steps=rollout, observation_fn=student_sees)
        made = make_method(method, gamma=GAMMA, **settings)
        loop = Distiller(student, source, made, total_steps=steps, learning_rate=1e-2, seed=seed)
        loop.distil()
        arms[arm] = {"return": 100 * sampled(student).success_rate.mean}
    return arms


EXPERIMENT = MethodExperiment(
    name="privileged",
    method="privileged",
    setting=(
        "A corridor whose goal's side only the expert knows; a sign, which it never visits, shows "
        "the side. MLP of 16 units, 60 rollouts of 512 steps; success rate in 500 new episodes."
    ),
    trial=trial,
    comparisons=(
        Comparison("imitation and reward", "imitation", 30),
        Comparison("imitation and reward", "reward", -5, NULL),
    ),
    runs=8,
    lesson=(
        "A student that sees less than its teacher may learn only the mean of the teacher's "
        "choices; measure the imitation gap first, and let rewards count where it is large."
    ),
    columns=("return", "contradiction"),
    testing={"steps": 2, "rollout": 4, "episodes": 16},
)
