"""Sources of overlays: an agent, or the environment itself for a person who plays.

Agents know nothing of mazes. The arrays come from their public interface: their values,
`action_probabilities`, and their model's `predict`; those of a policy that keeps a map from this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from dynamaze.agents import Agent, Planning
from dynamaze.agents.core.spaces import TableRows
from dynamaze.common.arrays import AnyArray, BoolArray, FloatArray, IntArray
from dynamaze.common.map_memory import BUMPED, NEVER
from dynamaze.distill.core.map_state import map_of
from dynamaze.envs import GridEnv, Layout
from dynamaze.envs.base import MazeEnv
from dynamaze.envs.mazes.dynamics import NUM_ACTIONS
from dynamaze.envs.mazes.layout import DISPLACEMENTS
from dynamaze.envs.mazes.optimal_values import optimal_action_values, optimal_policy
from dynamaze.envs.rendering.overlays import SWITCHES, overlay_title

from .policies import MapPolicyAgent
from .statistics import RecordStatistics

ALWAYS_AVAILABLE = (*SWITCHES, "visits")
OPTIMAL = ("values", "q", "policy")
GAMMA = 0.95  # discount of the optimal values


class OverlaySource(Protocol):
    """Source of a window's overlays."""

    def unavailable(self, name: str) -> str:
        """Return the reason why an overlay is not available; "" if it is."""

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return the arrays of the overlays that are shown now, and no others."""


def overlays_of(
    agent: object, maze: MazeEnv | None, recorded: RecordStatistics, *, learns: bool = True
) -> OverlaySource:
    """Return the overlays of an agent in an environment; `maze` is None if it is not a maze."""
    if maze is None:
        return NoOverlays("only mazes have overlays")
    if isinstance(agent, MapPolicyAgent):
        return MapOverlays(agent, recorded)
    return AgentOverlays(agent, maze, recorded, learns=learns)


class NoOverlays:
    """Source without overlays."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def unavailable(self, name: str) -> str:
        """Return the reason given at construction."""
        return self._reason

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return no arrays."""
        return {}


class AgentOverlays:
    """Overlays of a maze, read from the agent that acts in it.

    Args:
        agent: the agent; only visits are available if it is not an `Agent`.
        maze: the environment.
        recorded: wrapper that records the agent's steps.
        learns: False if the agent only acts, without learning and planning.
    """

    def __init__(
        self, agent: object, maze: MazeEnv, recorded: RecordStatistics, *, learns: bool = True
    ) -> None:
        self._recorded, self._learns = recorded, learns
        self._name = getattr(agent, "name", type(agent).__name__)
        self._shape: tuple[int, int] = (maze.layout.rows, maze.layout.cols)
        self._agent = agent if isinstance(agent, Agent) else None
        self._observations = None if self._agent is None else cell_observations(self._agent, maze)
        model = None if self._agent is None else find_predictive_model(self._agent.model)
        self._walls = None if model is None else PredictedWalls(model, self._shape)
        self._predicted_all = False  # True after the first prediction of all pairs
        self._sources: dict[str, Callable[[], AnyArray]] = {
            "values": self._state_values,
            "q": self._action_values,
            "policy": self._policy,
            "visits": self._visits,
            "belief": self._wall_probabilities,
            "planned": self._planned,
        }

    def unavailable(self, name: str) -> str:
        """Return the reason why an overlay is not available; "" if it is."""
        if name in ALWAYS_AVAILABLE:
            return ""
        if name == "tree":
            return f"{self._name} has no search tree"
        if self._agent is None or self._observations is None:
            return f"{self._name} has no table of the cells"
        if name == "belief" and self._walls is None:
            return f"{self._name} has no model that predicts"
        if name == "planned" and not self._plans(self._agent):
            return f"{self._name} does not plan"
        return ""

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return the arrays of these overlays."""
        wanted = set(names)
        self._record_planning("planned" in wanted)
        return {name: read() for name, read in self._sources.items() if name in wanted}

    def _plans(self, agent: Agent) -> bool:
        return self._learns and getattr(agent.planning, "planning_steps", 1) != 0

    def _action_values(self) -> FloatArray:
        """Return the action values, (S, A); NaN where nothing is known about a pair."""
        q, unknown = self._values()
        return np.where(unknown, np.nan, q)

    def _state_values(self) -> FloatArray:
        """Return the largest action value of each state, (S,); NaN if none is known."""
        q, unknown = self._values()
        return np.where(unknown.all(axis=1), np.nan, q.max(axis=1))

    def _values(self) -> tuple[FloatArray, BoolArray]:
        """Return the action values, and the pairs neither tried nor updated, (S, A) each."""
        assert self._agent is not None
        rows, _ = self._agent.rows.many(self._observations)
        values = self._agent.values
        q = np.asarray(values.values(rows), dtype=np.float64)
        given: dict[str, Any] = getattr(values, "get_params", dict)()
        initial = given.get("initial_value", 0.0)
        # An agent may have learned before it was watched: its values have changed there.
        return q, (q == initial) & ~self._recorded.ever_tried

    def _policy(self) -> AnyArray:
        assert self._agent is not None
        return self._agent.action_probabilities(self._observations)

    def _visits(self) -> AnyArray:
        assert self._recorded.visits is not None
        return self._recorded.visits

    def _wall_probabilities(self) -> AnyArray:
        assert self._walls is not None
        tried = self._recorded.tried
        # All pairs once, then only those tried since the last frame: the others are unchanged.
        self._walls.update(tried if self._predicted_all else np.ones_like(tried))
        self._predicted_all = True
        tried[...] = False
        return self._walls.probabilities()

    def _planned(self) -> AnyArray:
        planning = getattr(self._agent, "planning", None)
        assert isinstance(planning, RecordedPlanning)
        return planning.pairs

    def _record_planning(self, wanted: bool) -> None:
        """Wrap the planner while its updates are shown, and unwrap it afterwards."""
        if self._agent is None:
            return
        planning = self._agent.planning
        if wanted and not isinstance(planning, RecordedPlanning):
            self._agent.planning = RecordedPlanning(planning)
        elif not wanted and isinstance(planning, RecordedPlanning):
            self._agent.planning = planning.inner


class MapOverlays:
    """Overlays of a maze, read from the map that a policy keeps of it.

    Args:
        agent: the agent with the policy.
        recorded: wrapper that records the agent's steps.
    """

    def __init__(self, agent: MapPolicyAgent, recorded: RecordStatistics) -> None:
        self._agent, self._recorded = agent, recorded

    def unavailable(self, name: str) -> str:
        """Return the reason why an overlay is not available; "" if it is."""
        if name in ALWAYS_AVAILABLE or name == "belief" or (name == "values" and self._has_values):
            return ""
        return f"{self._agent.name} has a map and no {overlay_title(name)}"

    @property
    def _has_values(self) -> bool:
        return hasattr(self._agent.policy, "values")

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return where the policy believes walls, its values of all cells, and the visits."""
        wanted = set(names)
        arrays: dict[str, AnyArray] = {}
        if self._recorded.visits is not None:
            arrays["visits"] = self._recorded.visits
        memory, grid = self._agent.policy.memory, self._agent.policy.grid
        if memory is not None:
            event = map_of(memory).event.reshape(grid)
            arrays["belief"] = np.where(event == NEVER, np.nan, event == BUMPED)
            if self._has_values:
                arrays["values"] = self._agent.policy.values
        return {name: array for name, array in arrays.items() if name in wanted}


class EnvOverlays:
    """Overlays of a maze, computed from the maze itself.

    Attributes:
        shortest_path_only: restrict `policy` to a shortest path from the agent to a goal.
    """

    def __init__(self, maze: MazeEnv, recorded: RecordStatistics) -> None:
        self.shortest_path_only = False
        self._maze, self._recorded = maze, recorded
        self._solved: tuple[Layout, AnyArray, AnyArray] | None = None  # layout, q, policy

    def unavailable(self, name: str) -> str:
        """Return the reason why an overlay is not available; "" if it is."""
        if name in ALWAYS_AVAILABLE:
            return ""
        if name not in OPTIMAL:
            return f"{overlay_title(name)}: available for agents only"
        if isinstance(self._maze, GridEnv):
            return ""
        return f"{overlay_title(name)}: only for mazes of cells"

    def arrays(self, names: Iterable[str]) -> dict[str, AnyArray]:
        """Return the optimal values, action values and policy, and the player's visits."""
        wanted = set(names)
        arrays: dict[str, AnyArray] = {}
        if wanted.intersection(OPTIMAL):
            q, policy = self._solution()
            shown = shortest_path_policy(self._maze) if self.shortest_path_only else policy
            arrays = {"values": q.max(axis=1), "q": q, "policy": shown}
        if self._recorded.visits is not None:
            arrays["visits"] = self._recorded.visits
        return {name: array for name, array in arrays.items() if name in wanted}

    def _solution(self) -> tuple[AnyArray, AnyArray]:
        """Return q and policy of the present maze, cached until its layout changes."""
        maze, layout = self._maze, self._maze.layout
        if self._solved is None or self._solved[0] is not layout:
            if isinstance(maze, GridEnv):
                q, policy = maze.optimal_action_values(GAMMA), maze.optimal_policy(GAMMA)
            else:  # a continuous maze is shown by the solution of its cells
                q, policy = optimal_action_values(layout, GAMMA), optimal_policy(layout, GAMMA)
            self._solved = layout, np.nan_to_num(q), policy
        return self._solved[1], self._solved[2]


def shortest_path_policy(maze: MazeEnv) -> AnyArray:
    """Return (rows, cols, 4): 1 on a shortest path from the agent to a goal, 0 elsewhere."""
    layout = maze.layout
    shown = np.zeros((layout.rows, layout.cols, NUM_ACTIONS))
    cells = () if maze.agent is None else layout.path_from(maze.agent)
    for cell, following in pairwise(cells):
        step = following[0] - cell[0], following[1] - cell[1]
        shown[cell][DISPLACEMENTS.index(step)] = 1.0
    return shown


def cell_observations(agent: Agent, maze: MazeEnv) -> Any:
    """Return the observations of all cells, in the order of the cells.

    None unless the agent's table has one row for each cell, in this order.
    """
    states = np.arange(maze.layout.num_cells)
    # Such as an agent that observes patches: a row of its table is then not a cell.
    if not isinstance(agent.encoder, TableRows):
        return None
    if agent.spaces.observation != maze.observation_space or agent.rows.size != states.size:
        return None
    observations = maze.observation_encoder.encode_batch(states, np.zeros_like(states))
    try:
        rows, _ = agent.rows.many(observations)
    except (TypeError, ValueError):  # such as a dictionary, which has no row
        return None
    return observations if np.array_equal(rows, states) else None


def find_predictive_model(model: Any) -> Any:
    """Return the outermost of a model and those it wraps that has `predict`; None if none has."""
    while model is not None and not hasattr(model, "predict"):
        model = getattr(model, "model", None)
    return model


class PredictedWalls:
    """Wall probabilities that follow from a model's predictions for (cell, action) pairs.

    A pair predicted to stay in its cell implies a wall on that side; one predicted to leave implies
    none. The probability of a wall is the mean over the pairs that lead into the cell: a model that
    has seen a wall from one side only may still predict a free cell from the other. A cell that no
    visited pair leads into is free if the model has seen an action in it.
    """

    def __init__(self, model: Any, shape: tuple[int, int]) -> None:
        """Set the model, which has `predict`, and the maze's (rows, cols)."""
        self._model = model
        self._shape = shape
        self._stays = np.full((shape[0] * shape[1], NUM_ACTIONS), np.nan)

    def update(self, tried: BoolArray) -> None:
        """Update the predictions of the pairs (S, 4) that are True.

        Only pairs tried since the last call need an update: a table's other predictions are
        unchanged.
        """
        states, actions = np.nonzero(tried)
        if not states.size:
            return
        predicted = self._model.predict(states, actions)
        stays = np.asarray(predicted.next_observation) == states
        self._stays[states, actions] = np.where(predicted.visits > 0, stays, np.nan)

    def probabilities(self) -> FloatArray:
        """Return the probability of a wall, (rows, cols); NaN where nothing is predicted."""
        rows, cols = self._shape
        votes, total = np.zeros((rows, cols)), np.zeros((rows, cols))
        stays = self._stays.reshape(rows, cols, NUM_ACTIONS)
        for action, (down, right) in enumerate(DISPLACEMENTS):
            # The cells from which this action leads into the maze, and the cells it leads to.
            source = _shifted(-down, rows), _shifted(-right, cols)
            target = _shifted(down, rows), _shifted(right, cols)
            predicted = stays[..., action][source]
            votes[target] += ~np.isnan(predicted)
            total[target] += np.nan_to_num(predicted)
        acted = ~np.isnan(stays).all(axis=2)
        return np.where(votes > 0, total / np.maximum(votes, 1), np.where(acted, 0.0, np.nan))


def _shifted(offset: int, length: int) -> slice:
    """Return the slice of indices i for which i - offset is a valid index too."""
    return slice(max(0, offset), length + min(0, offset))


class RecordedPlanning(Planning):
    """Planner wrapper that records the pairs updated in the last planning phase.

    For a planner that writes into a table itself, these are the pairs whose values changed. The
    random numbers are untouched: an agent's results are bit-identical with and without it.

    Attributes:
        inner: the wrapped planner.
        pairs: (n, 2) state and action of each update of the last planning phase, the newest last.
    """

    def __init__(self, inner: Planning) -> None:
        self.inner = inner
        self.pairs: IntArray = np.empty((0, 2), dtype=np.int64)
        self.needs, self.needs_table = inner.needs, inner.needs_table
        self.learns_directly = inner.learns_directly
        self.learns_from = inner.learns_from  # type: ignore[method-assign]
        self.record_transition = inner.record_transition  # type: ignore[method-assign]
        self.action_values = inner.action_values  # type: ignore[method-assign]
        self.get_state, self.set_state = inner.get_state, inner.set_state  # type: ignore[method-assign]

    def plan(self, values: Any, model: Any, rng: np.random.Generator) -> None:
        """Plan, and record the updates."""
        before = values.q.copy() if hasattr(values, "q") else None
        recording = _RecordedValues(values)
        self.inner.plan(recording, model, rng)
        updates = recording.pairs or [self.pairs[:0]]
        if before is not None and not recording.pairs:
            updates = [np.argwhere(values.q != before)]
        self.pairs = np.concatenate(updates)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _RecordedValues:
    """Action values that record which pairs are updated."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.pairs: list[IntArray] = []

    def update(self, transitions: Any) -> None:
        """Update the values, and record the pairs."""
        self.pairs.append(np.stack([transitions.observation, transitions.action], axis=1))
        self.inner.update(transitions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
