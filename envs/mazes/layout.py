"""Layout of a maze: walls, starts, goals and rewards, with a text form that round-trips.

Cells are ``(row, col)``, row 0 on top. A cell's index is ``row * cols + col``. The text form has
one line for each row: ``#`` is a wall, ``.`` or a space is free, ``S`` a start, ``G`` a goal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.configuration import call_repr, fields_repr
from dynamaze.common.validation import PrintableError, checked_number, shown

from .shortest_paths import bfs_distances, diameter, downhill_path

Cell = tuple[int, int]

LEGEND = "#. SG"
MAX_CELLS = 4_000_000
"""Larger mazes are refused before memory is allocated for them."""

MAX_SHOWN_CELLS = 100
"""A larger maze is not shown as text in a `repr`."""

# The four actions: 0 up, 1 right, 2 down, 3 left, as (row, col) displacements.
ACTIONS = ("up", "right", "down", "left")
DISPLACEMENTS: tuple[Cell, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))


class LayoutError(PrintableError):
    """Error for an invalid maze: the message says where and what was expected."""


class Rewards(NamedTuple):
    """Rewards of a step: on entering a goal, when a wall or the edge stops it, and otherwise."""

    goal: float = 1.0
    step: float = 0.0
    wall: float = 0.0

    @classmethod
    def of(cls, goal: float, step: float, wall: float | None) -> Rewards:
        """Return the rewards of an environment's arguments; None for a wall is that of a step.

        Raises:
            ValueError: for a reward that is not finite; TypeError for anything but a number.
        """
        step = checked_number("step_reward", step)
        return cls(
            checked_number("goal_reward", goal),
            step,
            step if wall is None else checked_number("wall_reward", wall),
        )


DEFAULT_REWARDS = Rewards()


@dataclass(frozen=True, eq=False, repr=False)
class Layout:
    """An immutable maze in which every start reaches a goal.

    Attributes:
        walls: (rows, cols) bool, True where there is a wall; kept as a read-only copy.
        starts: the cells where an episode may begin, with equal probabilities.
        goals: the cells that end an episode.
        rewards: the rewards of a step.
        slip_probability: with this probability in [0, 1] a step goes to one of the two directions
            perpendicular to the action, with equal probabilities.

    Raises:
        LayoutError: without a start or a goal, for one on a wall or outside, for a start on a
            goal, and for a start from which no goal can be reached.
        ValueError: for a reward that is not finite or a slip probability outside [0, 1].
        TypeError: if one of them is not a number, or a start or goal is no cell.
    """

    walls: BoolArray
    starts: tuple[Cell, ...]
    goals: tuple[Cell, ...]
    rewards: Rewards = DEFAULT_REWARDS
    slip_probability: float = 0.0

    def __post_init__(self) -> None:
        walls = np.array(self.walls, dtype=np.bool_)
        if walls.ndim != 2 or walls.size == 0:
            raise LayoutError(f"walls of shape {walls.shape}; expected (rows, cols), not empty")
        _check_size(walls.size)
        walls.flags.writeable = False
        object.__setattr__(self, "walls", walls)
        object.__setattr__(self, "starts", _checked_cells("starts", self.starts))
        object.__setattr__(self, "goals", _checked_cells("goals", self.goals))
        object.__setattr__(self, "rewards", _checked_rewards(self.rewards))
        slip = checked_number("slip_probability", self.slip_probability, 0, 1)
        object.__setattr__(self, "slip_probability", slip)
        _check_cells(walls, self.starts, "start 'S'")
        _check_cells(walls, self.goals, "goal 'G'")
        for row, col in self.starts:
            if self.distances[row, col] == 0:
                raise LayoutError(
                    f"start 'S' at row {row}, column {col} stands on a goal; expected a free cell"
                )
            if self.distances[row, col] < 0:
                raise LayoutError(
                    f"no goal can be reached from the start at row {row}, column {col}; "
                    "expected a path of free cells"
                )

    def __repr__(self) -> str:
        """Return the call that makes the layout; arrays of a large one are shortened."""
        if self.num_cells > MAX_SHOWN_CELLS:
            return fields_repr(self)
        given = {"rewards": self.rewards, "slip_probability": self.slip_probability}
        defaults = {"rewards": DEFAULT_REWARDS, "slip_probability": 0.0}
        return call_repr("Layout.from_text", {"text": self.to_text(), **given}, defaults)

    @classmethod
    def from_text(
        cls,
        text: str | Sequence[str],
        rewards: Rewards = DEFAULT_REWARDS,
        slip_probability: float = 0.0,
    ) -> Layout:
        """Read the text form: one string with newlines, or a sequence of rows.

        Raises:
            LayoutError: naming the row and column of an unknown character or a ragged row.
            TypeError: for anything but text or rows.
        """
        grid = _character_grid(text_rows(text))
        return cls(
            walls=grid == b"#",
            starts=_cells(grid == b"S"),
            goals=_cells(grid == b"G"),
            rewards=rewards,
            slip_probability=slip_probability,
        )

    def to_text(self) -> str:
        """Return the text form, rows joined by newlines; ``Layout.from_text`` reads it back."""
        return "\n".join(self.to_rows())

    def to_rows(self) -> list[str]:
        """Return the text form as a list of rows."""
        grid = np.where(self.walls, "#", ".")
        for letter, cells in (("S", self.starts), ("G", self.goals)):
            for cell in cells:
                grid[cell] = letter
        return ["".join(row) for row in grid]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.walls.shape[0])

    @property
    def cols(self) -> int:
        """The number of columns."""
        return int(self.walls.shape[1])

    @property
    def num_cells(self) -> int:
        """``rows * cols``, walls included: the number of states."""
        return self.walls.size

    def index(self, cell: Cell) -> int:
        """Return the index of a cell: ``row * cols + col``."""
        return cell[0] * self.cols + cell[1]

    def cell(self, index: int) -> Cell:
        """Return the cell of an index."""
        return divmod(index, self.cols)

    @cached_property
    def distances(self) -> IntArray:
        """(rows, cols) length of a shortest path to a goal; -1 on walls and where there is none.

        Read-only.
        """
        distances = bfs_distances(self.walls, [self.index(goal) for goal in self.goals])
        distances.flags.writeable = False
        return distances

    @cached_property
    def shortest_path(self) -> tuple[Cell, ...]:
        """A shortest path from the nearest start to a goal, both ends included."""
        return self.path_from(min(self.starts, key=lambda start: self.distances[start]))

    def path_from(self, cell: Cell) -> tuple[Cell, ...]:
        """Return a shortest path from a cell to a goal, ends included; empty if there is none."""
        return tuple(downhill_path(self.distances, cell)) if self.distances[cell] >= 0 else ()

    @property
    def shortest_path_length(self) -> int:
        """The length of a shortest path from the nearest start to a goal."""
        return min(int(self.distances[start]) for start in self.starts)

    @cached_property
    def diameter(self) -> int:
        """The length of the longest shortest path between two connected free cells.

        A goal may lie on the path. Exact for any size; see `shortest_paths.diameter` for its cost.
        """
        return diameter(self.walls)

    def shortest_path_values(self, gamma: float = 0.95) -> FloatArray:
        """Return (rows, cols) the return of a shortest path to a goal; NaN if there is none.

        From a cell d steps away it is ``step + gamma step + ... + gamma^(d-2) step +
        gamma^(d-1) goal``, and 0 on a goal. These are the optimal values of those cells if a
        shorter path is never worse: ``goal >= step / (1 - gamma)`` and ``wall <= step``, as in
        the mazes of the book. `dynamaze.envs.mazes.optimal_values.optimal_values` has no such
        condition.

        Args:
            gamma: discount in [0, 1].

        Raises:
            ValueError: if gamma is outside [0, 1], or if steps slip.
        """
        gamma = checked_number("gamma", gamma, 0, 1)
        if self.slip_probability > 0:
            raise ValueError(
                f"shortest-path values with slip_probability={self.slip_probability}; expected 0: "
                "for mazes that slip use dynamaze.envs.mazes.optimal_values.optimal_values"
            )
        longest = int(self.distances.max())
        returns = delayed_returns(self.rewards.goal, self.rewards.step, gamma, longest)
        # Distance 0 selects the first entry, -1 (unreachable) the last one.
        return np.array([0.0, *returns, np.nan])[self.distances]

    @property
    def is_random(self) -> bool:
        """True if a step or a start in this maze uses random numbers."""
        return self.slip_probability > 0 or len(self.starts) > 1

    def __deepcopy__(self, memo: object) -> Layout:
        return self

    def _key(self) -> tuple[object, ...]:
        return (
            self.walls.shape,
            self.walls.tobytes(),
            self.starts,
            self.goals,
            self.rewards,
            self.slip_probability,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def text_rows(text: Any) -> list[Any]:
    """Return the rows of the text form: text with newlines, or rows, also in an array.

    Args:
        text: a string, or a sequence of rows; in an array also rows of characters.

    Raises:
        TypeError: for anything else. That each row is a string is left to `Layout.from_text`.
    """
    given = text
    if isinstance(text, np.ndarray):
        rows: Any = text.tolist()
        text = ["".join(map(str, row)) for row in rows] if text.ndim == 2 else rows
    if isinstance(text, str):
        text = text.strip("\r\n")
        # Not `splitlines`, for which control characters end a line, too.
        return re.split(r"\r\n|\r|\n", text) if text else []
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray | memoryview):
        raise TypeError(
            f"layout={shown(given)}; expected a maze as text, a list of rows, a file's path or a "
            "Layout"
        )
    if len(text) > MAX_CELLS:  # before a list of a range is made
        raise LayoutError(f"layout of {len(text):,} rows; expected at most {MAX_CELLS:,} cells")
    return list(text)


def delayed_returns(last: float, step: float, gamma: float, count: int) -> list[float]:
    """Return the discounted returns of n step rewards and then `last`, for n = 0, 1, ... < count.

    Values made of them solve the Bellman equations to the last bit.
    """
    returns = [last] * count
    for n in range(1, count):
        returns[n] = step + gamma * returns[n - 1]  # Sutton & Barto 2018, equation 3.9
    return returns


def _check_size(cells: int) -> None:
    if cells > MAX_CELLS:
        raise LayoutError(f"layout of {cells:,} cells; expected at most {MAX_CELLS:,}")


def _checked_cells(name: str, cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return cells in order, each once."""
    try:
        return tuple(sorted({(index(row), index(col)) for row, col in cells}))
    except (TypeError, ValueError):
        raise TypeError(f"{name}={shown(cells)}; expected cells (row, col)") from None


def _checked_rewards(rewards: Rewards) -> Rewards:
    if not isinstance(rewards, Sequence) or len(rewards) != len(Rewards._fields):
        raise TypeError(f"rewards={shown(rewards)}; expected {Rewards._fields}")
    named = zip(Rewards._fields, rewards, strict=True)
    return Rewards(*(checked_number(f"{name}_reward", value) for name, value in named))


def _check_cells(walls: BoolArray, cells: Sequence[Cell], label: str) -> None:
    if not cells:
        raise LayoutError(f"the layout has no {label}; expected at least one")
    for row, col in cells:
        if not (0 <= row < walls.shape[0] and 0 <= col < walls.shape[1]):
            raise LayoutError(
                f"{label} at row {row}, column {col} is outside the maze of shape {walls.shape}"
            )
        if walls[row, col]:
            raise LayoutError(
                f"{label} at row {row}, column {col} stands on a wall; expected a free cell"
            )


def _character_grid(rows: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return (rows, cols) the characters, one byte each, after checking them."""
    if not rows:
        raise LayoutError("the layout has no rows; expected at least one row of text")
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            raise LayoutError(f"layout row {number} is {shown(row)}; expected text")
    width = len(rows[0])
    _check_size(max(len(rows) * width, sum(len(row) for row in rows)))
    for number, row in enumerate(rows):
        for col, character in enumerate(row if set(row) - set(LEGEND) else ""):
            if character not in LEGEND:
                raise LayoutError(
                    f"layout row {number}, column {col}: unknown character {character!r}; "
                    "expected one of '#', '.', ' ', 'S', 'G'"
                )
        if len(row) != width or width == 0:
            raise LayoutError(
                f"layout row {number} has {len(row)} columns; expected {max(width, 1)} as in row 0"
            )
    return np.frombuffer("".join(rows).encode(), dtype="S1").reshape(len(rows), width)


def _cells(mask: BoolArray) -> tuple[Cell, ...]:
    return tuple((int(row), int(col)) for row, col in np.argwhere(mask))
