"""Students that run without torch: a plan of their operations, and compiled functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.distributions import split
from ...core.gaussian_actions import LOG_STD
from ...core.observations import KERNEL, MAX_BRIGHTNESS
from ...files.weights import StoredStudent, StudentFileError, fitting_error, read_weights
from ...students.shapes import check_weights
from ...students.table import TableStudent
from ...students.tree import DecisionTree
from ..common import operations as ops
from ..common.exported_policy import ExportedPolicy, no_agent_error
from ..common.students import ACTING_PART, BUILDERS, acting_part, describe_kind, stored_operations
from . import kernels
from .map_value_iteration import MapPolicy
from .value_iteration import new_buffers


class CompiledPolicy(ExportedPolicy):
    """Policy that runs the operations of a student without torch.

    It stops value iteration as soon as an iteration changes nothing, or follows the wave from the
    goals (`ValueIteration.crossing`), and computes convolutions of planes only in the receptive
    field of the marked cells. It has work arrays of its own: not for two threads at once. With
    continuous actions it has `action_gaussian(observations)` and `bounds`, as `GaussianStudent`,
    instead of logits. With a `GRU` it has a recurrent state.

    Args:
        operations: of the student; all kinds but trees.

    Raises:
        ValueError: if the operations do not fit each other.
        TypeError: for a tree.
    """

    def __init__(self, operations: ops.Operations) -> None:
        (self._columns,) = ops.sizes_of(operations)[-1]
        first = ops.first_of(operations)
        if type(first) not in FUNCTIONS:
            raise TypeError(
                f"a {type(first).__name__}; expected one of {[kind.__name__ for kind in FUNCTIONS]}"
            )
        super().__init__(ops.bounds_of(operations), ops.memory_width(operations))
        if self._bounds is None:
            self.num_actions = self._columns
        self._operations = operations
        self.observation_shape: tuple[int | None, ...] = first.observation_shape
        self._is_plain = self._bounds is None and not self.width
        self._shape: tuple[int, ...] | None = None
        self._state: Float32Array
        self._best_action: Callable[..., int]
        self._fill_rows: Callable[..., None]

    def act(self, observation: Any) -> Any:
        """Return the best action for one observation, or the action of the mean.

        A Discrete action is the first of equal ones. Continuous ones are arrays of float32, as the
        environment takes them.

        Raises:
            ValueError: for an observation of another shape, planes without a marked cell, or a
                state of several episodes.
        """
        array = np.ascontiguousarray(observation)
        times = FACTORS.get(array.dtype)
        if times is None or array.shape != self._shape:
            array, times = numbers(observation)
            self._prepare(array.shape)
        if self._is_plain:
            action = self._best_action(array, times)
        elif self._bounds is None:
            self._state[:] = self.recall(1)[0]
            action = self._best_action(array, times)
            self.memory = self._state[None].copy()
        else:
            means, _ = self.action_gaussian(array[None])
            if len(means):
                return self._bounds.action(means)[0]
            action = -1
        if action < 0:
            raise no_agent_error()
        return action

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the arrays of one shape, parts of each other: a copy lays out its own."""
        return {**self.__dict__, "_shape": None, "_best_action": None, "_fill_rows": None}

    def operations(self) -> ops.Operations:
        """Return the operations of the student."""
        return self._operations

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases of the student."""
        return ops.num_parameters(self._operations)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one decision; `act` does fewer where it stops early."""
        return ops.multiply_adds(self._operations, observation_shape)

    def _rows(self, observations: Any) -> FloatArray:
        array, times = numbers(observations)
        ops.check_shape(array.shape, self.observation_shape, batch=True)
        shape, count = array.shape[1:], len(array)
        per_cell = None in self.observation_shape
        queries = int((array[:, 1] > 0.5).sum()) if per_cell else count
        rows = np.zeros((queries, self._columns), dtype=np.float32)
        memory = self.recall(count)
        self._prepare(shape)
        self._fill_rows(array.reshape(count, prod(shape)), times, memory, rows)
        self._keep(memory)
        if self._bounds is not None:
            _, log_std = split(rows)
            np.clip(log_std, *LOG_STD, out=log_std)
        return rows.astype(np.float64)

    def _prepare(self, shape: tuple[int, ...]) -> None:
        """Lay out weights and units for observations of another shape; only the latest is kept."""
        if shape == self._shape:
            return
        ops.check_shape(shape, self.observation_shape)
        layout = _Layout(self._operations, shape)
        plan, weights, units = layout.arrays()
        self._shape, self._state = shape, units[layout.state]
        best_action, fill_rows = FUNCTIONS[type(self._operations[0])]
        self._best_action = partial(best_action, plan, weights, units)
        self._fill_rows = partial(fill_rows, plan, weights, units, self._state)


ONE = np.float32(1)

FACTORS = {
    **{np.dtype(kind): ONE for kind in ("f4", "f8", "i4", "i8", "?")},
    np.dtype("u1"): np.float32(1 / MAX_BRIGHTNESS),
}
"""Types that compiled functions take unconverted -> the factor of an image's numbers."""


def numbers(observation: Any) -> tuple[npt.NDArray[Any], np.float32]:
    """Return a contiguous array of the observation, and the factor that scales an image.

    Raises:
        ValueError: if it does not hold numbers.
    """
    array = np.ascontiguousarray(observation)
    times = FACTORS.get(array.dtype)
    if times is not None:
        return array, times
    if array.dtype.kind not in "fiu":
        raise ValueError(f"observations of {array.dtype}; expected numbers")
    return array.astype(np.float32), ONE


FUNCTIONS: dict[type, tuple[Any, Any]] = {
    ops.Vector: (kernels.best_of_vector, kernels.fill_from_vectors),
    ops.Image: (kernels.best_of_map, kernels.fill_from_maps),
    ops.Planes: (kernels.best_of_map, kernels.fill_from_maps),
    ops.ValueIteration: (kernels.best_of_maze, kernels.fill_from_mazes),
}
"""First operation -> compiled functions for one observation, and for a batch."""


class _Layout:
    """Places of all weights and units, and the plan that says where each operation finds its own.

    Args:
        operations: of the student.
        shape: of a single observation.

    Attributes:
        rows: of the plan.
        weights: of all operations, in the order in which the compiled functions read them.
        units: outputs and work areas.
        state: slice of the units that is the recurrent state.
    """

    def __init__(self, operations: ops.Operations, shape: tuple[int, ...]) -> None:
        self.rows: list[list[int]] = []
        self.weights: list[Float32Array] = []
        self.units: list[Float32Array] = []
        self.state = slice(0)
        self._runs = (0, 0, 0)  # of the next vector; see `kernels.RUNS`
        self._map: ops.Size = ()  # whose cells are the next vector
        sizes = ops.sizes_of(operations, shape)
        for operation, before, after in zip(operations, sizes, sizes[1:], strict=False):
            self._add(operation, before, after)
        self.rows[0][kernels.OPTION] += sum(isinstance(each, ops.Conv3x3) for each in operations)
        self.units.append(_zeros(sizes[-1][-1]))

    def arrays(self) -> tuple[npt.NDArray[np.int64], Float32Array, Float32Array]:
        """Return the plan, weights and units that the compiled functions take."""
        weights = [_zeros(0), *(part.ravel() for part in self.weights)]
        plan = np.array(self.rows, dtype=np.int64)
        return plan, np.concatenate(weights), np.concatenate(self.units)

    def _add(self, operation: ops.Operation, before: ops.Size, after: ops.Size) -> None:
        """Add an operation, with the sizes of its input and output."""
        match operation:
            case ops.Vector():
                self._row(kernels.VECTOR, after, [_zeros(after[0])])
            case ops.Image() | ops.Planes():
                kind = kernels.IMAGE if isinstance(operation, ops.Image) else kernels.PLANES
                self._runs = operation.strides(*after)
                self._row(kind, after, [_bordered(after)])
            case ops.ValueIteration():
                o, (_, rows, cols) = operation, before
                limits = np.array([o.top, o.sharpness, o.crossing or 0.0], dtype=np.float32)
                self._row(
                    kernels.VALUE_ITERATION,
                    (rows, cols, *after),
                    [_zeros(after[0]), new_buffers(after[0], rows, cols)],
                    option=o.iterations_for(rows, cols) if o.crossing is None else 0,
                    weights=[o.reward, o.moves, o.bias, limits],
                )
                self._read(1, after[0])
            case ops.Conv3x3():
                beside = operation.weight.transpose(0, 2, 3, 1)  # the channels of a cell
                self._row(
                    kernels.CONVOLUTION,
                    after,
                    [_bordered(after), _zeros(KERNEL * before[2])],
                    option=operation.stride if operation.tanh else -operation.stride,
                    weights=[beside, operation.bias],
                )
            case ops.MarkedCells():
                self._read(1, after[0])
            case ops.Flatten():
                rows, cols, channels = before
                self._read(rows, cols * channels, (cols + 2) * channels, before)
            case ops.Dense() | ops.GRUCell():
                first, *others = operation.arrays().values()
                weights = [ops.cell_by_cell(first, self._map), *others]
                output = _zeros(after[0])
                if isinstance(operation, ops.Dense):
                    option = int(operation.tanh)
                    self._row(kernels.LINEAR, after, [output], option=option, weights=weights)
                    return
                self._row(kernels.GRU, after, [output, _zeros(6 * len(output))], weights=weights)
                begins = self.rows[-1][kernels.INTO]
                self.state = slice(begins, begins + len(output))

    def _row(
        self,
        kind: int,
        size: ops.Size,
        units: list[Float32Array],
        *,
        option: int = 0,
        weights: Sequence[Float32Array] = (),
    ) -> None:
        """Add a row, the units of its output and then of its work area, and its weights."""
        into = sum(part.size for part in self.units)
        self.rows.append(
            [
                kind,
                option,
                sum(part.size for part in self.weights),
                into + units[0].size,
                into,
                *(size if len(size) == 3 else (1, 1, *size)),
                *self._runs,
            ]
        )
        self.units += units
        self.weights += weights
        if len(size) == 1:
            self._read(1, size[0])

    def _read(self, runs: int, run: int, wide: int = 0, map_size: ops.Size = ()) -> None:
        """Let the next operation on vectors read runs of numbers, `wide` apart."""
        self._runs, self._map = (runs, run, wide), map_size


def _zeros(size: int) -> Float32Array:
    return np.zeros(size, dtype=np.float32)


def _bordered(size: ops.Size) -> Float32Array:
    """Return the units of a map, with a border of one cell of zeros."""
    rows, cols, channels = size
    return _zeros((rows + 2) * (cols + 2) * channels)


# -- files -------------------------------------------------------------------------------------

FITTED: dict[Any, Any] = {"table": TableStudent, "tree": DecisionTree}
"""Kind of a student that runs without torch as it is -> its class."""


def load_policy(path: str | os.PathLike[str]) -> Any:
    """Load a student from its file (see `save_student`), to run without torch.

    Args:
        path: the file, or `builtin:NAME` of a student that comes with the package (`BUILTIN`).

    Returns:
        A policy with `act(observation)`, and `action_logits(observations)` or, for continuous
        actions, `action_gaussian(observations)`. For an `ActorCritic` it is the actor.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, weights
            that do not fit their description, or a kind of student that needs torch.
        ValueError: for an unknown built-in student.
    """
    return build_policy(read_weights(path), where=path)


def build_policy(stored: StoredStudent, where: object = "the student") -> Any:
    """Build the policy of `load_policy` from weights in memory.

    Args:
        stored: weights and description.
        where: name in error messages.

    Raises:
        StudentFileError: as `load_policy`.
    """
    config, kind = stored.config, stored.config.get("kind")
    if not runs_without_torch(config):
        raise StudentFileError(
            f"{where} is a student {describe_kind(config)}, which needs torch; expected one of "
            f"{sorted([*ACTING_PART, *BUILDERS, *FITTED])}, load_student, which loads every kind, "
            "or export_onnx, which writes networks for use without torch"
        )
    try:
        check_weights(config, stored.weights)  # before anything of a declared size is made
        if kind not in FITTED:
            return policy_of(stored_operations(config, stored.weights))
        arguments = {name: value for name, value in config.items() if name != "kind"}
        student = FITTED[kind](**arguments)
        student.set_state(stored.weights)
    except Exception as error:  # a forged file fails in many ways
        raise fitting_error(where, kind, error) from None
    return student


def policy_of(operations: ops.Operations) -> CompiledPolicy | MapPolicy:
    """Return the policy that runs the operations of a student."""
    first = ops.first_of(operations)
    if isinstance(first, ops.MapValueIteration):
        return MapPolicy(first)
    return CompiledPolicy(operations)


def runs_without_torch(config: Mapping[str, Any]) -> bool:
    """Return True if a student with this `config`, and its part that acts, runs without torch."""
    kind, part = config.get("kind"), acting_part(config)
    if part is not None:
        return part.get("kind") not in FITTED and runs_without_torch(part)
    return kind in BUILDERS or kind in FITTED
