"""Agents and evaluations of the LoCA tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table, from_rows
from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol
from dynamaze.benchmarks.studies.loca.reference_returns import (
    exact_mdps,
)

RIGHT, LEFT = 1, 3


SHORT = LoCAProtocol(steps=(200, 100, 100), evaluation_interval=50, runs=2)


class OptimalAgent:
    """Acts by the exact optimal policy of a task, and trains with random actions."""

    def __init__(self, env: Any, task: str, seed: int = 0) -> None:
        self.env = env
        self.rng = np.random.default_rng(seed)
        mdp = exact_mdps(env.unwrapped)[task]
        self.best = mdp.optimal_action_values(0.97).argmax(axis=1)
        self.observation: Any = None
        self.columns: list[int] = []

    def learn(self, total_timesteps: int) -> None:
        if self.observation is None:
            self.observation = self.env.reset(seed=4)[0]
        for _ in range(total_timesteps):
            self.columns.append(int(self.observation) % 27)
            taken = self.env.step(int(self.rng.integers(4)))
            self.observation = self.env.reset()[0] if taken[2] or taken[3] else taken[0]

    def predict(self, observation: Any, deterministic: bool = False) -> tuple[Any, None]:
        assert deterministic
        return self.best[observation], None


class AdaptiveAgent(OptimalAgent):
    """Changes to the other task's optimal policy when phase 2 begins."""

    def __init__(self, env: Any, seed: int) -> None:
        super().__init__(env, "A", seed)
        self.new = OptimalAgent(env, "B").best

    def learn(self, total_timesteps: int) -> None:
        if self.env.steps_taken == 200:
            self.best = self.new
        super().learn(total_timesteps)


class Threshold:
    """Moves right from a column on, otherwise left."""

    def __init__(self, column: float) -> None:
        self.column = column

    def predict(self, observation: Any, deterministic: bool) -> tuple[int, None]:
        return (RIGHT if observation[1] >= self.column else LEFT), None


def evaluations_of(scores: list[list[float]]) -> Table:
    """Return evaluations with the given normalised scores of each run and phase."""
    rows = [
        (run, 10 * phase + number, phase, 1 + score + (number == 1), 2.0, 1.0)
        for run, own in enumerate(scores)
        for phase, score in enumerate(own, 1)
        for number in (1, 2)
    ]
    names = ("run", "step", "phase", "discounted_return", "optimum", "other")
    return from_rows([dict(zip(names, row, strict=True)) for row in rows])
