"""What an agent knows, as arrays to lay over a maze.

Agents know nothing of mazes and are asked only by what they offer to everybody: their values,
`action_probabilities`, and their model's `predict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from dynamaze.agents import Agent
from dynamaze.common.arrays import AnyArray
from dynamaze.envs.base import MazeEnv

from .belief import WallBelief, model_that_predicts
from .planned import OverheardPlanning
from .witness import Witness

FROM_THE_SCENE = ("trail", "changed")
"""Overlays that a maze draws by itself."""


class Source(Protocol):
    """Where a window's overlays come from."""

    def missing(self, name: str) -> str:
        """Why there is no such overlay; "" if there is."""

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """The arrays of the overlays that are shown now, and no others."""


class Nothing:
    """A source of nothing."""

    def __init__(self, why: str) -> None:
        self._why = why

    def missing(self, name: str) -> str:
        """Say that there is none."""
        return self._why

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """No arrays."""
        return {}


class Insight:
    """Reads the overlays of a maze out of the agent that learns in it.

    Args:
        agent: who learns; other than an `Agent`, only its visits are shown.
        maze: where.
        witness: sees its steps.
        learns: whether it learns, and plans, or only acts.
    """

    def __init__(
        self, agent: object, maze: MazeEnv, witness: Witness, *, learns: bool = True
    ) -> None:
        self._witness, self._learns = witness, learns
        self._name = type(agent).__name__
        self._shape: tuple[int, int] = (maze.layout.rows, maze.layout.cols)
        self._agent = agent if isinstance(agent, Agent) else None
        self._observations = None if self._agent is None else cell_observations(self._agent, maze)
        model = None if self._agent is None else model_that_predicts(self._agent.model)
        self._belief = None if model is None else WallBelief(model, self._shape)
        self._asked = False  # whether the model was asked for all pairs once
        self._sources: dict[str, Callable[[], AnyArray]] = {
            "values": lambda: self._q().max(axis=1),
            "q": self._q,
            "policy": self._policy,
            "visits": self._visits,
            "belief": self._walls,
            "planned": self._planned,
        }

    def missing(self, name: str) -> str:
        """Why there is no such overlay; "" if there is."""
        if name in FROM_THE_SCENE or name == "visits":
            return ""
        if name == "tree":
            return f"{self._name} has no search tree"
        if self._agent is None or self._observations is None:
            return f"{self._name} has no table of the cells"
        if name == "belief" and self._belief is None:
            return f"{self._name} has no model that predicts"
        if name == "planned" and not self._plans(self._agent):
            return f"{self._name} does not plan"
        return ""

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """The arrays of these overlays."""
        wanted = set(names)
        self._listen("planned" in wanted)
        return {name: read() for name, read in self._sources.items() if name in wanted}

    def _plans(self, agent: Agent) -> bool:
        return self._learns and getattr(agent.planning, "planning_steps", 1) != 0

    def _q(self) -> AnyArray:
        assert self._agent is not None
        rows, _ = self._agent.rows.many(self._observations)
        return np.asarray(self._agent.values.values(rows))

    def _policy(self) -> AnyArray:
        assert self._agent is not None
        return self._agent.action_probabilities(self._observations)

    def _visits(self) -> AnyArray:
        assert self._witness.visits is not None
        return self._witness.visits

    def _walls(self) -> AnyArray:
        assert self._belief is not None
        tried = self._witness.tried
        self._belief.update(tried if self._asked else np.ones_like(tried))
        self._asked = True
        tried[...] = False
        return self._belief.walls()

    def _planned(self) -> AnyArray:
        planning = getattr(self._agent, "planning", None)
        assert isinstance(planning, OverheardPlanning)
        return planning.pairs

    def _listen(self, wanted: bool) -> None:
        """Listen to the planner while its updates are shown, and no longer."""
        if self._agent is None:
            return
        planning = self._agent.planning
        if wanted and not isinstance(planning, OverheardPlanning):
            self._agent.planning = OverheardPlanning(planning)
        elif not wanted and isinstance(planning, OverheardPlanning):
            self._agent.planning = planning.inner


def cell_observations(agent: Agent, maze: MazeEnv) -> Any:
    """The observations of all cells, in the cells' order.

    None unless the agent's table has a row for each cell, in this order.
    """
    states = np.arange(maze.layout.num_cells)
    if agent.spaces.observation != maze.observation_space or agent.rows.size != states.size:
        return None
    observations = maze.observer.many(states, np.zeros_like(states))
    try:
        rows, _ = agent.rows.many(observations)
    except (TypeError, ValueError):  # a dictionary, or whatever else is no number of a row
        return None
    return observations if np.array_equal(rows, states) else None
