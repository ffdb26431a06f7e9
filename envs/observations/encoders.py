"""Encoders of observations, from the agent's state and the mazes in which it is.

An encoder holds what it needs of each maze in a slot, like the compiled step: the single
environment has one slot, the vector environment one for each maze.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.registry import Registry
from dynamaze.common.validation import checked_choice, checked_integer, naming, shown

from ..mazes.layout import Layout

ObservationLike = str | Mapping[str, Any]
EncoderKinds = Registry[Callable[..., "ObservationEncoder"]]


def make_encoder(
    observation: ObservationLike, layout: Layout, kinds: EncoderKinds | None = None
) -> ObservationEncoder:
    """Return the encoder that an environment's argument `observation` selects.

    Args:
        observation: its name, or a mapping of its "kind" and its options: `{"kind": "window",
            "radius": 3}`, `{"kind": "rgb", "cell_size": 4}`, `{"kind": "action_mask", "of":
            "planes"}`, `{"kind": "goal", "of": "one_hot"}`.
        layout: the first maze; all others have its shape.
        kinds: the kinds to choose from; None for `OBSERVATIONS`. The options of a kind are the
            `options` of its class, and `inner` is the default of the option "of".

    Raises:
        ValueError: for an unknown name, listing the known ones, or an option outside its range;
            TypeError for an option that is not a number.
    """
    kinds = OBSERVATIONS if kinds is None else kinds
    given: dict[str, Any] = (
        dict(observation) if isinstance(observation, Mapping) else {"kind": observation}
    )
    kind = given.pop("kind", observation)
    make = kinds.find(kind)
    for name in given:
        known = ("kind", *getattr(make, "options", ()))
        checked_choice(f"{kind} observation key", name, known)
    inner: str | None = getattr(make, "inner", None)
    if inner is not None:
        given["of"] = make_encoder(given.get("of", inner), layout, kinds)
    with naming("observation"):
        return make(layout, **given)


def describe_observation(
    observation: ObservationLike, kinds: EncoderKinds | None = None
) -> dict[str, Any]:
    """Return an argument of `make_encoder` with all its options, as plain data: one form for all.

    Args:
        observation: as of `make_encoder`, which has accepted it.
        kinds: the same.
    """
    kinds = OBSERVATIONS if kinds is None else kinds
    given: dict[str, Any] = (
        dict(observation) if isinstance(observation, Mapping) else {"kind": observation}
    )
    make = kinds.find(given["kind"])
    defaults = inspect.signature(make).parameters
    options = {
        name: given.get(name, defaults[name].default) for name in getattr(make, "options", ())
    }
    if options.get("dtype") is not None:
        options["dtype"] = np.dtype(options["dtype"]).name
    inner: str | None = getattr(make, "inner", None)
    if inner is not None:
        options["of"] = describe_observation(given.get("of", inner), kinds)
    return {"kind": given["kind"], **options}


class ObservationEncoder(Protocol):
    """Encoder of agents' states as observations."""

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of its observations."""

    def load(self, slot: int, layout: Layout) -> None:
        """Store what is needed of the maze in a slot; free of cost if it has not changed."""

    def encode(self, state: Any, slot: int) -> Any:
        """Return the observation of a state in the maze of a slot, in a new object."""

    def encode_batch(self, states: Any, slots: IntArray) -> Any:
        """Return the observations of (n,) states in the mazes of (n,) slots, in new arrays."""


class IndexObservation(Configurable):
    """Number of the agent's cell, ``row * cols + col``."""

    def __init__(self, layout: Layout) -> None:
        self.space = spaces.Discrete(layout.num_cells)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> int:
        """Return the observation of a state: an int."""
        return state

    def encode_batch(self, states: IntArray, slots: IntArray) -> IntArray:
        """Return the observations of a batch: (n,) int64."""
        return states.copy()


class CoordinatesObservation(Configurable):
    """Row and column of the agent's cell.

    Args:
        layout: the first maze.
        dtype: None for a `MultiDiscrete` space; a real dtype ("float32") for a `Box`, which
            Gymnasium's wrappers that reshape, rescale or convert observations need.

    Raises:
        ValueError: for a dtype that cannot hold the numbers; TypeError if it is none.
    """

    options: ClassVar = ("dtype",)

    def __init__(self, layout: Layout, dtype: npt.DTypeLike | None = None) -> None:
        self._cols = layout.cols
        self._dtype = np.dtype(np.int64)
        self.space: spaces.Space[Any] = spaces.MultiDiscrete([layout.rows, layout.cols])
        if dtype is not None:
            high = np.maximum([layout.rows - 1, layout.cols - 1], 1)
            self._dtype = _checked_dtype(dtype, high)
            self.space = spaces.Box(np.zeros_like(high), high, dtype=self._dtype.type)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> npt.NDArray[Any]:
        """Return the observation of a state: (2,)."""
        return np.array(divmod(state, self._cols), dtype=self._dtype)

    def encode_batch(self, states: IntArray, slots: IntArray) -> npt.NDArray[Any]:
        """Return the observations of a batch: (n, 2)."""
        return np.stack(np.divmod(states, self._cols), axis=1, dtype=self._dtype, casting="unsafe")


def _checked_dtype(dtype: npt.DTypeLike, high: IntArray) -> np.dtype[Any]:
    """Return the dtype of coordinates from 0 to `high`."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype={shown(dtype)}; expected a real dtype, such as 'float32'") from None
    if found.kind not in "fiu" or (high.astype(found) != high).any():
        raise ValueError(
            f"dtype={shown(dtype)}; expected a real dtype for numbers up to {high.max()}, such as "
            "'float32'"
        )
    return found


class OneHotObservation(Configurable):
    """One-hot vector of the agent's cell."""

    def __init__(self, layout: Layout) -> None:
        self._num_states = layout.num_cells
        self.space = spaces.Box(0.0, 1.0, (self._num_states,), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Store nothing: the maze is not observed."""

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (states,) float32."""
        observation = np.zeros(self._num_states, dtype=np.float32)
        observation[state] = 1.0
        return observation

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, states) float32."""
        observation = np.zeros((len(states), self._num_states), dtype=np.float32)
        observation[np.arange(len(states)), states] = 1.0
        return observation


class PlanesObservation(Configurable):
    """Three planes of the present maze: walls, agent, goals."""

    def __init__(self, layout: Layout) -> None:
        self._cols = layout.cols
        self._planes = SlotCache((3, layout.rows, layout.cols), np.float32)
        self.space = spaces.Box(0.0, 1.0, (3, layout.rows, layout.cols), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Write the walls and goals of the maze in a slot."""
        planes = self._planes.stale(slot, layout)
        if planes is None:
            return
        planes[0], planes[2] = layout.walls, 0.0
        for goal in layout.goals:
            planes[(2, *goal)] = 1.0

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (3, rows, cols) float32."""
        observation: Float32Array = self._planes.arrays[slot].copy()
        observation[(1, *divmod(state, self._cols))] = 1.0
        return observation

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 3, rows, cols) float32."""
        observation: Float32Array = self._planes.arrays[slots]
        rows, cols = np.divmod(states, self._cols)
        observation[np.arange(len(states)), 1, rows, cols] = 1.0
        return observation


RAY_DIRECTIONS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The directions of rays, clockwise from up, as (row, col) displacements."""


class WindowObservation(Configurable):
    """Two planes of the cells around the agent: walls and goals. Outside the maze are walls.

    Args:
        layout: the first maze.
        radius: cells observed to each side, at least 1.

    Raises:
        ValueError: for a radius below 1; TypeError if it is not a number.
    """

    options: ClassVar = ("radius",)

    def __init__(self, layout: Layout, radius: int = 2) -> None:
        self._radius = checked_integer("radius", radius, 1, 1000)
        self._side = 2 * self._radius + 1
        self._cols = layout.cols
        margin = 2 * self._radius
        self._mazes = SlotCache((2, layout.rows + margin, layout.cols + margin), np.float32)
        self.space = spaces.Box(0.0, 1.0, (2, self._side, self._side), np.float32)

    def load(self, slot: int, layout: Layout) -> None:
        """Write the walls and goals of the maze in a slot, with a margin of walls."""
        maze = self._mazes.stale(slot, layout)
        if maze is None:
            return
        inside = slice(self._radius, -self._radius)
        maze[0], maze[1] = 1.0, 0.0
        maze[0, inside, inside] = layout.walls
        for row, col in layout.goals:
            maze[1, row + self._radius, col + self._radius] = 1.0

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (2, 2 * radius + 1, 2 * radius + 1) float32."""
        row, col = divmod(state, self._cols)
        maze = self._mazes.arrays[slot]
        seen: Float32Array = maze[:, row : row + self._side, col : col + self._side].copy()
        return seen

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 2, 2 * radius + 1, 2 * radius + 1) float32."""
        rows, cols = np.divmod(states, self._cols)
        offset = np.arange(self._side)
        seen: Float32Array = self._mazes.arrays[
            slots[:, None, None, None],
            np.arange(2)[:, None, None],
            (rows[:, None] + offset)[:, None, :, None],
            (cols[:, None] + offset)[:, None, None, :],
        ]
        return seen


class RaysObservation(Configurable):
    """Rays in eight directions, clockwise from up.

    The first eight numbers count the free cells before the next wall, the other eight are 1 if a
    goal is among them and 0 otherwise.
    """

    def __init__(self, layout: Layout) -> None:
        self._mazes = SlotCache((layout.num_cells, 2 * len(RAY_DIRECTIONS)), np.float32)
        self.space = rays_space(max(layout.rows - 1, layout.cols - 1, 1))

    def load(self, slot: int, layout: Layout) -> None:
        """Cast the rays from every cell of the maze in a slot."""
        maze = self._mazes.stale(slot, layout)
        if maze is not None:
            for number, direction in enumerate(RAY_DIRECTIONS):
                maze[:, number :: len(RAY_DIRECTIONS)] = _ray_counts(layout, *direction)

    def encode(self, state: int, slot: int) -> Float32Array:
        """Return the observation of a state: (16,) float32."""
        seen: Float32Array = self._mazes.arrays[slot, state].copy()
        return seen

    def encode_batch(self, states: IntArray, slots: IntArray) -> Float32Array:
        """Return the observations of a batch: (n, 16) float32."""
        seen: Float32Array = self._mazes.arrays[slots, states]
        return seen


OBSERVATIONS: EncoderKinds = Registry(
    "observation",
    {
        "index": IndexObservation,
        "coordinates": CoordinatesObservation,
        "one_hot": OneHotObservation,
        "planes": PlanesObservation,
        "window": WindowObservation,
        "rays": RaysObservation,
        "rgb": ".image:ImageObservation",
        "action_mask": ".dicts:ActionMaskObservation",
        "goal": ".dicts:GoalObservation",
    },
    __package__,
)


def as_entries(observation: Any) -> dict[str, Any]:
    """Return an observation, or a space, as entries of a dictionary that can be extended."""
    if isinstance(observation, dict | spaces.Dict):
        return dict(observation)
    return {"observation": observation}


class SlotCache:
    """An array for each slot, recomputed where the maze of the slot has changed.

    Attributes:
        arrays: (slots, *shape).
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.arrays = np.zeros((1, *shape), dtype=dtype)
        self._layouts: list[Layout | None] = [None]

    def stale(self, slot: int, layout: Layout) -> npt.NDArray[Any] | None:
        """Return the array of a slot if it must be recomputed for the layout, otherwise None."""
        if slot >= len(self._layouts):
            # At least doubled: n slots that come one after the other then cost O(n) copies.
            more = max(slot + 1, 2 * len(self._layouts)) - len(self._layouts)
            added = np.zeros((more, *self.arrays.shape[1:]), self.arrays.dtype)
            self.arrays = np.concatenate([self.arrays, added])
            self._layouts += [None] * more
        if self._layouts[slot] is layout:
            return None
        self._layouts[slot] = layout
        array: npt.NDArray[Any] = self.arrays[slot]
        return array


def rays_space(farthest: float) -> spaces.Box:
    """Return the space of the rays in all directions: their lengths, and 1 for each with a goal."""
    high = np.repeat(np.array([farthest, 1], dtype=np.float32), len(RAY_DIRECTIONS))
    return spaces.Box(np.zeros_like(high), high, dtype=np.float32)


def _ray_counts(layout: Layout, down: int, right: int) -> Float32Array:
    """Return (cells, 2): the number of free cells in a direction, and 1 if a goal is among them."""
    rows, cols = layout.walls.shape
    goal = np.zeros((rows, cols), dtype=np.bool_)
    for cell in layout.goals:
        goal[cell] = True
    free = np.pad(~layout.walls, 1)  # nothing is free beyond the edge
    # The ray of a cell is its neighbour and the neighbour's ray: iterate until all have ended.
    count, found = np.zeros((rows + 2, cols + 2)), np.zeros((rows + 2, cols + 2), dtype=np.bool_)
    goal = np.pad(goal, 1)
    here = (slice(1, rows + 1), slice(1, cols + 1))
    there = (slice(1 + down, rows + 1 + down), slice(1 + right, cols + 1 + right))
    for _ in range(max(rows, cols) - 1):
        count[here] = np.where(free[there], 1 + count[there], 0)
        found[here] = free[there] & (goal[there] | found[there])
    seen: Float32Array = np.stack([count[here], found[here]], axis=-1).reshape(-1, 2)
    return seen.astype(np.float32)
