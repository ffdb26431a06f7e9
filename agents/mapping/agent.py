"""Agent that explores optimistically on a learned map, and plans again after every step.

The map has for each cell of a grid the last event and its age (`dynamaze.common.map_memory`).
Before each step the agent finds the cheapest paths on it (`paths`), and takes one: to the goal that
it knows, into the unknown, or to what it has not seen for long. It differs from table agents in
what it is told: the position in the observation and the displacements of the moves, so that a wall
that was bumped into from one side is a wall from all sides. Nothing of the maze is known before.

Its ancestors:

1. Dyna-Q+ (Sutton 1990; Sutton & Barto 2018, section 8.3): what was not tried for long is worth
   trying again. Here doubt is a cost of paths, and planning is exact after each step.
2. Path planning in unknown terrain that is assumed free until it is found blocked: D* (Stentz
   1994), and exploration of the nearest frontier (Yamauchi 1997).
3. Optimism about unknown states as in R-max (Brafman & Tennenholtz 2002).
4. Cognitive Mapping and Planning (Gupta et al. 2017) and Episodic Planning Networks (Ritter et al.
   2021), which learn a map, or the planning on a memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.map_memory import (
    BUMPED,
    MAZE_MOVES,
    NEVER,
    NUM_EVENTS,
    REWARDED,
    MapMemory,
    contradicts,
    move_targets,
    record_moves,
    record_presences,
)
from dynamaze.common.validation import checked_count, shown

from ..agent import Agent, EnvLike, resolve_env, spaces_of
from ..core.records import Stateful
from ..core.rng import Seed
from ..core.spaces import Spaces, TableRows, count_actions
from ..core.transitions import Transitions, check_transitions
from ..exploration import EpsilonGreedy
from ..models.protocol import Prediction
from ..planning.base import Planning
from .paths import MapCosts, PathPlanner, path_costs

EVERYWHERE = np.ones(1, dtype=np.bool_)


class MapExplorer(Agent):
    """Optimistic planning on a learned map with ages, in a grid that may change.

    Suited to grids whose size and moves are known and whose walls are not, with few steps to learn.

    It acts without learning rates or discounts. The cost of a path is its number of moves, plus
    what it costs to end there: nothing at a known goal, `unknown_cost` in a cell that was never
    seen, `entered_cost` less its age in one that was entered; a wall costs `wall_cost` less its
    age. A goal is a cell that gave a reward above 0 when it was entered last.

        from dynamaze.agents import MapExplorer

        agent = MapExplorer("DynaMazeShortcut-v0", seed=0)
        agent.learn(6000)

    Args:
        env: environment or its id. Observations are discrete and hold a position: the number of a
            cell in row-major order (`Discrete`), or parts of which two are its row and column
            (`MultiDiscrete`, `Tuple`).
        shape: rows and columns of the grid; None: those of the observation's parts, or `height` and
            `width` of the environment.
        position: which two parts are row and column, where an observation has parts.
        displacements: (rows, cols) of each action.
        unknown_cost: in moves; a whole number of at least 0.
        entered_cost: the same.
        wall_cost: the same.
        epsilon: probability of a random action, in [0, 1].
        seed: determines every random number; see `Agent`.

    Attributes:
        model: the map, a `GridMap`.
        reported_changes: the real steps, from 0, at which the map was contradicted: a wall was
            open, a free cell closed, or a reward came or stayed away where it did not before. After
            one change it may be contradicted in several places; slips contradict it, too.

    Raises:
        ValueError: for a number outside its range, an unknown shape, or one that does not fit the
            observations, or another number of displacements than of actions.
        TypeError: for spaces that are not discrete.
    """

    model: GridMap

    def __init__(
        self,
        env: EnvLike,
        *,
        shape: Sequence[int] | None = None,
        position: Sequence[int] = (0, 1),
        displacements: Sequence[Sequence[int]] = MAZE_MOVES,
        unknown_cost: int = 1000,
        entered_cost: int = 3000,
        wall_cost: int = 400,
        epsilon: float = 0.0,
        seed: Seed = None,
    ) -> None:
        env = resolve_env(env)
        costs = MapCosts(unknown=unknown_cost, entered=entered_cost, wall=wall_cost)
        grid = GridRows(spaces_of(env), shape if shape is not None else size_of(env), position)
        model = GridMap(grid, displacements)
        super().__init__(
            env,
            values=PathValues(model, costs),
            model=model,
            planning=MapPlanning(),
            exploration=EpsilonGreedy(epsilon),
            seed=seed,
            config={"shape": list(grid.shape)},
        )

    @property
    def reported_changes(self) -> list[int]:
        """Real steps, from 0, at which the map was contradicted, ascending."""
        steps: list[int] = self.model.contradictions.tolist()
        return steps


class GridRows:
    """Cells of a grid in the rows of a table of observations.

    Args:
        spaces: the spaces of the environment.
        shape: (rows, cols) of the grid, or None.
        position: which two parts of an observation are row and column.

    Attributes:
        shape: (rows, cols).
        num_rows: rows of the table.
        num_actions: number of actions.
        cells: (num_rows,) the cell of each row.
        weights: (2,) rows of the table from a cell to the one below, and to the one on the right.

    Raises:
        ValueError: for an unknown shape, or one that does not fit; TypeError for other spaces.
    """

    def __init__(
        self, spaces: Spaces, shape: Sequence[int] | None, position: Sequence[int]
    ) -> None:
        rows = TableRows(spaces.observation)
        self.num_rows, self.num_actions = rows.size, count_actions(spaces.action)[0]
        parts, places = rows.shape, (0, 1)
        if len(parts) == 1:
            if shape is None:
                raise ValueError(
                    f"shape=None with observations {spaces.observation}; expected the (rows, cols) "
                    "of the grid"
                )
            parts = _checked_pair("shape", shape)
        else:
            places = _checked_pair("position", position, low=0, high=len(parts) - 1)
        self.shape = parts[places[0]], parts[places[1]]
        if shape is not None and _checked_pair("shape", shape) != self.shape:
            raise ValueError(f"shape={shown(shape)}; expected {self.shape}, as of the observations")
        if self.shape[0] * self.shape[1] != self.num_rows and len(rows.shape) == 1:
            raise ValueError(
                f"shape={shown(shape)} with observations {spaces.observation}; expected "
                f"{self.num_rows} cells"
            )
        row, col = (np.indices(parts)[place].ravel() for place in places)
        self.cells: IntArray = row * self.shape[1] + col
        strides = [int(np.prod(parts[place + 1 :])) for place in places]
        self.weights: IntArray = np.array(strides, dtype=np.int64)


def _checked_pair(name: str, pair: Any, low: int = 1, high: float = 2**27) -> tuple[int, int]:
    """Return two whole numbers of an argument.

    Raises:
        ValueError: for another number of them, or one outside the range; TypeError for others.
    """
    if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise ValueError(f"{name}={shown(pair)}; expected two whole numbers, rows and columns")
    first, second = (checked_count(name, number, low, high) for number in pair)
    return first, second


def size_of(env: gym.Env[Any, Any] | Spaces) -> tuple[int, int] | None:
    """Return the rows and columns that an environment declares as MiniGrid does, or None."""
    found = getattr(env, "unwrapped", None)
    height, width = getattr(found, "height", None), getattr(found, "width", None)
    if not isinstance(height, int) or not isinstance(width, int):
        return None
    return height, width


class GridMap(Stateful):
    """Model of a grid: the map memory of one agent.

    It predicts that a move leads into its target, unless the last move into that cell was stopped.

    Args:
        grid: cells of the table's rows.
        displacements: (rows, cols) of each action.

    Attributes:
        memory: `MapMemory` of one run.
        targets: (cells, actions) of `move_targets`.
        contradictions: (contradictions,) moves, from 0, that contradicted the map.

    Raises:
        ValueError: for another number of displacements than of actions.
    """

    observes = "discrete"
    capabilities: ClassVar[frozenset[str]] = frozenset({"predict"})
    state_fields: ClassVar = {"memory": "", "contradictions": "contradictions"}
    growing_fields = ("contradictions",)

    def __init__(self, grid: GridRows, displacements: Sequence[Sequence[int]]) -> None:
        moves = [tuple(move) for move in displacements]
        self.grid = grid
        self.targets = move_targets(grid.shape, moves)  # type: ignore[arg-type]  # checked there
        if len(moves) != grid.num_actions:
            raise ValueError(
                f"displacements={shown(displacements)}; expected one for each of "
                f"{grid.num_actions} actions"
            )
        self.memory = MapMemory.empty(len(self.targets))
        self.contradictions: IntArray = np.zeros(0, dtype=np.int64)

    def update(self, transitions: Transitions) -> None:
        """Record real transitions, in their order.

        Raises:
            TypeError, ValueError: for an observation or an action outside the table, or a reward
                that is not finite; then none is recorded.
        """
        check_transitions(transitions, self.grid.num_rows, self.grid.num_actions)
        before, after = (
            self.grid.cells[rows]
            for rows in (transitions.observation, transitions.next_observation)
        )
        columns = before, transitions.action.astype(np.int64), transitions.reward, after
        for i in range(len(before)):
            if contradicts(self.memory, self.targets, 0, *(column[i] for column in columns)):
                self.contradictions = np.append(self.contradictions, self.memory.clock[0])
            one = (np.ascontiguousarray(column[i : i + 1]) for column in columns)
            record_moves(self.memory, self.targets, *one)

    def record_presence(self, row: int) -> None:
        """Record that the agent is in the cell of a row, as at the beginning of an episode."""
        record_presences(self.memory, self.grid.cells[row : row + 1], EVERYWHERE)

    def predict(self, observations: IntArray, actions: IntArray) -> Prediction:
        """Return the prediction of each pair; one of 0 visits is a guess.

        Args:
            observations: (batch,) rows of the table.
            actions: (batch,) from 0.
        """
        rows, event = np.asarray(observations), self.memory.event[0]
        here = self.grid.cells[rows]
        target = self.targets[here, actions]
        last = np.where(target >= 0, event[target], BUMPED)
        there = np.where(last == BUMPED, here, target)
        steps = np.stack(np.divmod(there, self.grid.shape[1])) - np.divmod(here, self.grid.shape[1])
        rewarded = (last == REWARDED).astype(np.float64)
        return Prediction(
            rewarded,
            rows + self.grid.weights @ steps,
            rewarded.copy(),
            ((last != NEVER) & (target >= 0)).astype(np.int64),
        )

    def sample(self, n: int, rng: np.random.Generator) -> Transitions:
        """Refuse to sample: paths are found on the map as a whole.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a map cannot be sampled; MapExplorer finds paths on it")

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check a restored memory.

        Raises:
            ValueError: for an event that does not exist, or a time or move that has not come.
        """
        memory: MapMemory = restored["memory"]
        if not 0 <= memory.event.min() <= memory.event.max() < NUM_EVENTS:
            raise ValueError(
                f"an event from {memory.event.min()} to {memory.event.max()}; expected 0 to "
                f"{NUM_EVENTS - 1}"
            )
        if memory.time.min() < 0 or (memory.time > memory.clock[:, None]).any():
            raise ValueError(
                f"times from {memory.time.min()} to {memory.time.max()}; expected 0 to "
                f"{memory.clock.max()}"
            )
        moves: IntArray = restored["contradictions"]
        if (np.diff(moves, prepend=-1, append=memory.clock[0]) < 1).any():
            raise ValueError(
                f"contradictions {shown(moves.tolist())}; expected ascending moves from 0 to "
                f"{memory.clock[0] - 1}"
            )


class PathValues(Stateful):
    """Action values on a map: minus the costs of the cheapest paths that begin with each action.

    Nothing is learned but the map, so an update changes nothing.

    Args:
        model: the map.
        costs: costs of paths.
    """

    observes = "discrete"
    gamma = 1.0  # costs are not discounted
    learning_rate = 1.0

    def __init__(self, model: GridMap, costs: MapCosts) -> None:
        self.model = model
        self._planner = PathPlanner.of(model.targets, costs)

    def values(self, observations: IntArray) -> FloatArray:
        """Return the (batch, actions) values of (batch,) rows.

        A move beyond the edge is worth 1 less than the worst of the others.
        """
        cells = np.atleast_1d(self.model.grid.cells[observations]).astype(np.int64)
        values = -path_costs(self._planner, self.model.memory, cells)
        beyond = np.isinf(values)
        values[beyond] = 0.0
        worst = values.min(axis=1, keepdims=True) - 1.0
        return np.where(beyond, worst, values)

    def update(self, transitions: Transitions) -> None:
        """Do nothing."""


class MapPlanning(Planning):
    """Planning on the map before each decision: that of `PathValues`, where the agent is now."""

    learns_directly = False

    def action_values(
        self,
        values: Any,
        model: Any,
        observations: Any,
        rng: np.random.Generator,
        *,
        learning: bool = False,
    ) -> FloatArray:
        """Return the (batch, actions) values of rows; the map records the agent's own position."""
        if learning:
            model.record_presence(int(observations[0]))
        return super().action_values(values, model, observations, rng, learning=learning)
