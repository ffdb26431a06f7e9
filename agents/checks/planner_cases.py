"""Small environment in which planners are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray

from ..core.sparse_mdp import SparseMDP
from ..models import LatestOutcome, MaximumLikelihood
from ..planning.base import Planning
from ..planning.dynamic_programming import value_iteration
from ..values.table import TableValues
from .environments import TERMINAL, CheckEnvironment, Row, deterministic_rows, generator

GAMMA = 0.9

STATES = np.arange(TERMINAL)
"""Non-terminal states."""


@dataclass(frozen=True)
class PlannerCase:
    """Factory of a planner and the tolerances of its checks."""

    factory: Callable[[CheckEnvironment], Planning]
    make_model: Callable[[CheckEnvironment], Any] | None  # None for a table that fits the check
    env: CheckEnvironment
    tolerance: float
    phases: int  # planning phases until values should have converged

    def run(
        self, rows: Sequence[Row] | None = None, *, phases: int = 0, by_chance: bool = False
    ) -> PlannerRun:
        """Return a planner after some real transitions, by default each pair once.

        Args:
            rows: the transitions.
            phases: number of planning phases after them.
            by_chance: use a model of several outcomes of a pair; else of the latest one.
        """
        table = MaximumLikelihood if by_chance else LatestOutcome
        env = self.env
        model = (
            table(env.num_states, env.num_actions)
            if self.make_model is None
            else self.make_model(env)
        )
        run = PlannerRun(
            self.factory(self.env),
            TableValues(self.env.num_states, self.env.num_actions, learning_rate=1.0, gamma=GAMMA),
            model,
            self.env,
            generator(0),
        )
        run.experience(deterministic_rows() if rows is None else rows)
        run.plan(phases)
        return run


@dataclass
class PlannerRun:
    """Planner and the agent's parts that it works on."""

    planner: Planning
    values: TableValues
    model: Any
    env: CheckEnvironment
    rng: np.random.Generator

    def experience(self, rows: Sequence[Row]) -> None:
        """Process transitions one by one, as the agents do."""
        for row in rows:
            one = self.env.batch([row])
            if self.planner.learns_from(self.model, one):
                self.values.update(one)
            self.model.update(one)
            self.planner.record_transition(self.values, self.model, one)
            self.planner.plan(self.values, self.model, self.rng)

    def plan(self, phases: int) -> None:
        """Plan without real steps in between."""
        for _ in range(phases):
            self.planner.plan(self.values, self.model, self.rng)

    def search(
        self, states: Sequence[int], rng: np.random.Generator, *, learning: bool = False
    ) -> FloatArray:
        """Return the (states, actions) values by which an action would be chosen."""
        return self.planner.action_values(
            self.values, self.model, np.array(states), rng, learning=learning
        )

    def optimal(self) -> FloatArray:
        """Return the (states, actions) exact values of the model's distribution."""
        mdp = SparseMDP.of_model(self.model)
        return value_iteration(mdp, GAMMA, tolerance=1e-12).action_values
