"""The small world in which planners are checked."""

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
from .environments import TERMINAL, CheckWorld, Row, deterministic_rows, generator

GAMMA = 0.9

STATES = np.arange(TERMINAL)
"""Those in which something follows an action."""


@dataclass(frozen=True)
class PlannerCase:
    """A planner's factory and how strictly it is judged."""

    factory: Callable[[CheckWorld], Planning]
    make_model: Callable[[CheckWorld], Any] | None  # None for a table that suits the check
    world: CheckWorld
    tolerance: float
    phases: int  # of planning, until values should have settled

    def life(
        self, rows: Sequence[Row] | None = None, *, phases: int = 0, by_chance: bool = False
    ) -> Life:
        """A planner that has lived through some transitions; by default all of the world, once.

        Args:
            rows: the transitions.
            phases: of planning after them.
            by_chance: whether pairs have several outcomes; else the latest is the truth.
        """
        table = MaximumLikelihood if by_chance else LatestOutcome
        world = self.world
        model = (
            table(world.num_states, world.num_actions)
            if self.make_model is None
            else self.make_model(world)
        )
        life = Life(
            self.factory(self.world),
            TableValues(
                self.world.num_states, self.world.num_actions, learning_rate=1.0, gamma=GAMMA
            ),
            model,
            self.world,
            generator(0),
        )
        life.live(deterministic_rows() if rows is None else rows)
        life.plan(phases)
        return life


@dataclass
class Life:
    """A planner, and the agent's parts that it works on."""

    planner: Planning
    values: TableValues
    model: Any
    world: CheckWorld
    rng: np.random.Generator

    def live(self, rows: Sequence[Row]) -> None:
        """Go through transitions one by one, as the agents do."""
        for row in rows:
            one = self.world.batch([row])
            if self.planner.learns_from(self.model, one):
                self.values.update(one)
            self.model.update(one)
            self.planner.note(self.values, self.model, one)
            self.planner.plan(self.values, self.model, self.rng)

    def plan(self, phases: int) -> None:
        """Plan without real steps in between."""
        for _ in range(phases):
            self.planner.plan(self.values, self.model, self.rng)

    def look(
        self, states: Sequence[int], rng: np.random.Generator, *, learning: bool = False
    ) -> FloatArray:
        """(states, actions) the values by which an action would be chosen."""
        return self.planner.action_values(
            self.values, self.model, np.array(states), rng, learning=learning
        )

    def optimal(self) -> FloatArray:
        """(states, actions) exact values of what the model believes."""
        believed = SparseMDP.of_model(self.model)
        return value_iteration(believed, GAMMA, tolerance=1e-12).action_values
