"""A student as a tuple of operations with their weights, from which every export is written.

The first operation takes an observation, and the last gives the action logits:

    Vector, Dense with tanh, Dense                  a multilayer perceptron
    Vector, GRUCell, Dense                          a recurrent student
    Image, Conv3x3, Conv3x3, Flatten, Dense         a student of images or windows
    Planes, Conv3x3, Conv3x3, MarkedCells, Dense    a student of mazes of any size
    ValueIteration                                  a value iteration network
    MapValueIteration                               one on a map of its own
    Tree                                            a decision tree

With a `Gaussian` after them the outputs are those of continuous actions. An operation knows the
size of what it gives: (numbers,) of a vector, or (rows, cols, channels) of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array

from ...core.distributions import Bounds
from ...core.map_state import OBSERVATION, Grid, known_grid, state_width
from ...core.maze_maps import ActionMaps, costs_of
from ...core.observations import KERNEL, PLANES, iterations_for
from ...students.tree import LEAF, DecisionTree

Size = tuple[int, ...]


class Operation:
    """Base class of operations: frozen dataclasses whose arrays of floats become float32."""

    def __post_init__(self) -> None:
        """Convert arrays of floats to contiguous float32."""
        for name, array in self.arrays().items():
            if array.dtype.kind == "f":
                whole = np.ascontiguousarray(array, dtype=np.float32)
                object.__setattr__(self, name, whole)

    def size_after(self, before: Size) -> Size:
        """Return the size of the output.

        Raises:
            ValueError: for an input, or an observation, of another shape.
        """
        raise NotImplementedError

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the number of multiply-adds."""
        return 0

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(array.size for array in self.arrays().values())

    @property
    def memory_width(self) -> int:
        """Size of the recurrent state; 0 for none."""
        return 0

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return weights, biases and other arrays by the names of their fields."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        return {name: each for name, each in named.items() if isinstance(each, np.ndarray)}


class First(Operation):
    """Base class of operations that take an observation.

    Attributes:
        observation_shape: shape of a single observation, None for each side of any length.
        is_image: True if observations of uint8 are divided by 255.
    """

    observation_shape: tuple[int | None, ...]
    is_image = False


# -- from observations -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Vector(First):
    """Observation as a vector, row after row; images of uint8 are divided by 255."""

    observation_shape: tuple[int, ...]
    is_image = True

    def size_after(self, before: Size) -> Size:
        """Return the number of components."""
        check_shape(before, self.observation_shape)
        return (prod(before),)


@dataclass(frozen=True, eq=False)
class Image(First):
    """Observation as a map; images of uint8 are divided by 255."""

    observation_shape: tuple[int, ...]
    channels_last: bool  # True for (rows, cols, channels), False for (channels, rows, cols)
    is_image = True

    def size_after(self, before: Size) -> Size:
        """Return rows, columns and channels."""
        check_shape(before, self.observation_shape)
        return before if self.channels_last else (*before[1:], before[0])

    def strides(self, rows: int, cols: int, channels: int) -> tuple[int, int, int]:
        """Return the strides of rows, columns and channels in an observation."""
        return (cols * channels, channels, 1) if self.channels_last else (cols, 1, rows * cols)


@dataclass(frozen=True, eq=False)
class Planes(First):
    """Walls and goals of a maze of any size, as a map of two channels."""

    observation_shape = (PLANES, None, None)

    def size_after(self, before: Size) -> Size:
        """Return rows, columns and channels."""
        check_shape(before, self.observation_shape)
        return (*before[1:], PLANES - 1)

    def strides(self, rows: int, cols: int, channels: int) -> tuple[int, int, int]:
        """Return the strides of rows, columns and channels in an observation."""
        return cols, 1, 2 * rows * cols  # from walls to goals the marked cells are skipped


@dataclass(frozen=True, eq=False)
class ValueIteration(First):
    """Value iteration in a maze of any size; a vector of action values for each marked cell.

    See `ValueIterationNetwork`. Its readout, if it has one, is merged into the maps.
    """

    reward: Float32Array  # (actions, 18) 3x3 of the walls, then of the goals
    moves: Float32Array  # (actions, 9), each row sums to 1
    bias: Float32Array  # (actions,)
    top: float  # upper bound of values
    sharpness: float  # factor from values to logits
    iterations: int | None = None  # None for the number that the maze's size needs
    parameters: int | None = None  # of the student, if its readout was merged
    observation_shape = (PLANES, None, None)

    def size_after(self, before: Size) -> Size:
        """Return the number of actions."""
        check_shape(before, self.observation_shape)
        return (len(self.bias),)

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the multiply-adds of all iterations; a policy that stops early does fewer."""
        _, rows, cols = before
        each = len(self.bias) * KERNEL * (2 + self.iterations_for(rows, cols))
        return rows * cols * each

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases of the student, and `top`."""
        return super().num_parameters + 1 if self.parameters is None else self.parameters

    def iterations_for(self, rows: int, cols: int) -> int:
        """Return the number of iterations for a maze of this size."""
        return self.iterations or iterations_for(rows, cols)

    @cached_property
    def crossing(self) -> float | None:
        """Reward between that of a step and that of a step into or out of a wall.

        None unless `MoveCosts.spreads_from_goals`: then a wave from the goals gives the values to
        which iterations converge. A fixed number of iterations is not replaced.
        """
        costs = costs_of(ActionMaps(self.reward, self.moves, self.bias))
        if self.iterations is not None or costs is None or not costs.spreads_from_goals:
            return None
        return -float(costs.step.max() + max(costs.entering.min(), costs.leaving.min()) / 2)


@dataclass(frozen=True, eq=False)
class MapValueIteration(First):
    """Value iteration on the agent's own map; see the student of this name."""

    reading: Float32Array  # (2, 12) of the value of ending in a cell, and of the cost of a step
    moves: Float32Array  # (actions, 9), each row sums to 1
    costs: Float32Array  # (actions, 9) weights of the cells from which a step's cost is read
    bias: float
    sharpness: float  # factor from values to logits
    parameters: int  # of the student, whose two kernels are turned
    iterations: int | None = None  # None for the number that the maze's size needs
    grid: Grid | None = None  # rows and columns of the maze; None until they are known
    observation_shape = (len(OBSERVATION),)

    @property
    def memory_width(self) -> int:
        """Size of the state: the map of a run."""
        return state_width(known_grid(self.grid))

    def size_after(self, before: Size) -> Size:
        """Return the number of actions."""
        check_shape(before, self.observation_shape)
        return (len(self.moves),)

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the multiply-adds of all iterations; a policy that stops early does fewer."""
        rows, cols = known_grid(self.grid)
        taps = np.count_nonzero(self.costs) + self.iterations_for * np.count_nonzero(self.moves)
        return int(rows * cols * (self.reading.size // 2 + taps))

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases of the student."""
        return self.parameters

    @property
    def iterations_for(self) -> int:
        """Number of iterations in the maze."""
        return self.iterations or iterations_for(*known_grid(self.grid))


@dataclass(frozen=True, eq=False)
class Tree(First):
    """Decision tree in float32; the first node is the root."""

    observation_shape: tuple[int, ...]
    feature: npt.NDArray[np.int64]  # (nodes,) component that is compared, `LEAF` for a leaf
    threshold: Float32Array  # (nodes,)
    below: npt.NDArray[np.int64]  # (nodes, 2) children for x <= t, x > t; of the n-th leaf (n, n)
    leaf: Float32Array  # (leaves, actions) logits of the n-th leaf

    @classmethod
    def of(cls, tree: DecisionTree) -> Tree:
        """Convert a tree; its decisions for float32 observations stay the same."""
        state = tree.get_state()
        feature, below, exact = state["feature"], state["below"], state["threshold"]
        # x > t holds for a float32 x exactly if x is above the largest float32 <= t.
        with np.errstate(over="ignore"):
            threshold = exact.astype(np.float32)
        above = threshold.astype(np.float64) > exact
        threshold = np.where(above, np.nextafter(threshold, np.float32(-np.inf)), threshold)
        leaves = np.flatnonzero(feature == LEAF)
        below[leaves] = np.arange(len(leaves))[:, None]
        wanted = state["logits"][leaves]
        logits, rows = wanted.astype(np.float32), np.arange(len(leaves))
        best = wanted.argmax(axis=1)
        # Where rounding makes logits equal, the best is raised to the next float32.
        tied = logits.argmax(axis=1) != best
        raised = np.nextafter(logits[rows, best], np.float32(np.inf))
        logits[rows, best] = np.where(tied, raised, logits[rows, best])
        return cls(tree.observation_shape, feature, threshold, below, logits)

    def size_after(self, before: Size) -> Size:
        """Return the number of actions."""
        check_shape(before, self.observation_shape)
        return self.leaf.shape[1:]


# -- from maps ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Conv3x3(Operation):
    """3x3 convolution with a border of zeros."""

    weight: Float32Array  # (channels, inputs, 3, 3)
    bias: Float32Array  # (channels,)
    stride: int = 1  # 1, or 2 for half the sides, rounded up
    tanh: bool = True

    def size_after(self, before: Size) -> Size:
        """Return rows, columns and channels."""
        inputs = before[-1] if len(before) == 3 else "the channels of a map"
        _check_weights(self.weight, self.bias, (inputs, 3, 3))
        rows, cols = (-(-side // self.stride) for side in before[:2])
        return rows, cols, len(self.weight)

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the multiply-adds of all cells; a policy that skips some does fewer."""
        return after[0] * after[1] * self.weight.size


@dataclass(frozen=True, eq=False)
class MarkedCells(Operation):
    """Channels of each cell marked as the agent's in `Planes`; what follows is done for each."""

    def size_after(self, before: Size) -> Size:
        """Return the number of channels."""
        return before[-1:]


@dataclass(frozen=True, eq=False)
class Flatten(Operation):
    """All numbers of a map as a vector: channel after channel, and row after row."""

    def size_after(self, before: Size) -> Size:
        """Return their number."""
        return (prod(before),)


FARTHEST = np.float32(7.9)
"""Beyond it tanh is 1 in float32, to within 3e-7."""

ABOVE = np.array(
    [2.41062899e-11, -1.49066928e-08, 9.93934555e-06, 0.00299211522, 0.12984927, 1.0],
    dtype=np.float32,
)
BELOW = np.array([0.000238089298, 0.0240531694, 0.463182449, 1.0], dtype=np.float32)
"""Coefficients of a rational approximation of tanh after convolutions, highest power first.

As a rational function of x * x it can be vectorised.

Fitted by least squares of the relative error up to `FARTHEST`, reweighted until the error was
uniform: 2e-8, a tenth of the rounding error of float32.
"""


# -- from vectors ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Dense(Operation):
    """Linear layer, optionally followed by tanh."""

    weight: Float32Array  # (outputs, inputs)
    bias: Float32Array  # (outputs,)
    tanh: bool = False

    def size_after(self, before: Size) -> Size:
        """Return the number of outputs."""
        _check_weights(self.weight, self.bias, before if len(before) == 1 else ("inputs",))
        return self.bias.shape

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the number of weights."""
        return self.weight.size


@dataclass(frozen=True, eq=False)
class GRUCell(Operation):
    """Gated recurrent unit; the gates are reset, update and new, in this order."""

    inwards: Float32Array  # (3 * width, inputs)
    inwards_bias: Float32Array  # (3 * width,)
    backwards: Float32Array  # (3 * width, width) from the state
    backwards_bias: Float32Array  # (3 * width,)

    @property
    def memory_width(self) -> int:
        """Size of the state."""
        return int(self.backwards.shape[1])

    def size_after(self, before: Size) -> Size:
        """Return the size of the state."""
        _check_weights(self.inwards, self.inwards_bias, before if len(before) == 1 else ("inputs",))
        _check_weights(self.backwards, self.backwards_bias, (len(self.inwards) // 3,))
        return (self.memory_width,)

    def multiply_adds(self, before: Size, after: Size) -> int:
        """Return the number of weights."""
        return self.inwards.size + self.backwards.size


@dataclass(frozen=True, eq=False)
class Gaussian(Operation):
    """Continuous actions: the outputs are means and then logarithms of standard deviations."""

    bounds: Bounds  # they map samples to actions

    def size_after(self, before: Size) -> Size:
        """Return the number of outputs."""
        if before != (2 * self.bounds.dimensions,):
            raise ValueError(f"{before[-1]} outputs; expected {2 * self.bounds.dimensions}")
        return before

    def sides(self) -> dict[str, Float32Array]:
        """Return (dimensions,) "low" and "high"; for squashed actions "middle", "half_range" too.

        A squashed action is middle + half_range * tanh(sample), any other the sample itself. Both
        are clipped, the squashed one since rounding may exceed the bounds. A bound beyond the range
        of float32 becomes infinite.

        Raises:
            ValueError: for squashed actions with such bounds.
        """
        bounds = self.bounds
        numbers = {"low": bounds.low, "high": bounds.high}
        if bounds.squashed:
            numbers["middle"] = bounds.low / 2 + bounds.high / 2
            numbers["half_range"] = bounds.high / 2 - bounds.low / 2
        with np.errstate(over="ignore"):
            sides = {name: side.ravel().astype(np.float32) for name, side in numbers.items()}
        if bounds.squashed and not all(np.isfinite(side).all() for side in sides.values()):
            raise ValueError(
                f"squashed actions from {bounds.low.tolist()} to {bounds.high.tolist()}; expected "
                "bounds that float32 holds"
            )
        return sides


Operations = tuple[Operation, ...]


# -- of all operations -------------------------------------------------------------------------


def sizes_of(operations: Operations, observation_shape: Sequence[int] | None = None) -> list[Size]:
    """Return the shape of an observation, and the size after each operation.

    Args:
        operations: of a student.
        observation_shape: shape of a single observation; None for the student's own, or the
            smallest maze.

    Raises:
        ValueError: for operations that do not fit each other or the observation.
    """
    first = first_of(operations)
    own = [side or 1 for side in first.observation_shape]
    sizes = [tuple(own if observation_shape is None else observation_shape)]
    for number, operation in enumerate(operations):
        try:
            sizes.append(operation.size_after(sizes[-1]))
        except ValueError as error:
            if number == 0:
                raise
            kind = type(operation).__name__
            raise ValueError(f"operation {number} ({kind}): {error}") from None
    _check_order(operations)
    return sizes


def first_of(operations: Operations) -> First:
    """Return the operation that takes the observation.

    Raises:
        ValueError: if there is none, or not in the first place.
    """
    kinds = [type(each).__name__ for each in operations]
    if [isinstance(each, First) for each in operations] != [True, *[False] * (len(kinds) - 1)]:
        raise ValueError(
            f"operations {kinds}; expected one of Vector, Image, Planes, ValueIteration, "
            "MapValueIteration and Tree in the first place, and none later"
        )
    first = operations[0]
    assert isinstance(first, First)
    return first


def _check_order(operations: Operations) -> None:
    """Check what the sizes do not show.

    Raises:
        ValueError: for operations in another order.
    """
    kinds = [type(each) for each in operations]
    reading = [each for each in kinds if each in (MarkedCells, Flatten)]
    expected = {Planes: [MarkedCells], Image: [Flatten]}.get(kinds[0], [])
    halved = any(isinstance(each, Conv3x3) and each.stride != 1 for each in operations)
    if (
        reading != expected
        or (kinds[0] is Planes and halved)
        or kinds.count(GRUCell) > (kinds[0] in (Vector, Image))
        or Gaussian in kinds[:-1]
    ):
        raise ValueError(
            f"operations {[kind.__name__ for kind in kinds]}; expected one MarkedCells after "
            "Planes and convolutions of stride 1, one Flatten after an Image, at most one GRU, "
            "after one of Vector and Image, and a Gaussian only at the end"
        )


def cell_by_cell(weight: Float32Array, size: Size) -> Float32Array:
    """Return (outputs, inputs) weights of a vector from `Flatten`, the channels of a cell together.

    Args:
        weight: of the operation after it.
        size: of the map; empty for any other vector, whose weights are returned as they are.
    """
    if not size:
        return weight
    rows, cols, channels = size
    by_channel = weight.reshape(len(weight), channels, rows, cols)
    return by_channel.transpose(0, 2, 3, 1).reshape(len(weight), -1)


def bounds_of(operations: Operations) -> Bounds | None:
    """Return the bounds of continuous actions; None for Discrete ones."""
    last = operations[-1]
    return last.bounds if isinstance(last, Gaussian) else None


def memory_width(operations: Operations) -> int:
    """Return the size of the recurrent state; 0 for none."""
    return sum(each.memory_width for each in operations)


def num_parameters(operations: Operations) -> int:
    """Return the number of weights and biases."""
    return sum(each.num_parameters for each in operations)


def multiply_adds(operations: Operations, observation_shape: Sequence[int]) -> int:
    """Return the multiply-adds of one decision, for an observation of this shape."""
    pairs = pairwise(sizes_of(operations, observation_shape))
    return sum(each.multiply_adds(*pair) for each, pair in zip(operations, pairs, strict=True))


def check_shape(
    shape: tuple[int, ...], expected: tuple[int | None, ...], *, batch: bool = False
) -> None:
    """Check the shape of an observation, or of a batch.

    Args:
        shape: the shape.
        expected: that of a single observation, None for each side of any length.
        batch: True for a batch of them.

    Raises:
        ValueError: for another shape.
    """
    sides = (None, *expected) if batch else expected
    if len(shape) != len(sides) or any(
        side is not None and side != found for side, found in zip(sides, shape, strict=True)
    ):
        wanted = ", ".join(named_sides(expected, batch=batch))
        raise ValueError(f"observations of shape {shape}; expected ({wanted})")


def named_sides(shape: tuple[int | None, ...], *, batch: bool) -> list[str]:
    """Return the sides of an observation or a batch as text, a name for each of any length."""
    names = ("planes", "rows", "cols")
    sides = [str(side or names[axis]) for axis, side in enumerate(shape)]
    return ["batch", *sides] if batch else sides


def _check_weights(weight: Any, bias: Any, inputs: tuple[object, ...]) -> None:
    if weight.shape[1:] != inputs or bias.shape != weight.shape[:1]:
        sides = ", ".join(str(each) for each in ("outputs", *inputs))
        raise ValueError(
            f"weights {weight.shape} and biases {bias.shape}; expected ({sides}) and (outputs,)"
        )
