"""Operations of students: of objects, and of the contents of their files, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array

from ...core.distributions import Bounds
from ...core.maze_maps import action_maps, row_softmax
from ...core.observations import COLOURS, KERNEL, MAZE_ACTIONS
from ...files.weights import Arrays
from ...students.shapes import names_of_fitting, shapes_of
from ...students.tree import DecisionTree
from . import operations as ops


def operations_of(student: Any) -> ops.Operations | None:
    """Return the operations of a student, from which its exports are made.

    A student of another class has them from its own method `operations()`.

    Args:
        student: a student, or a policy of `load_policy`. Of an `ActorCritic` the actor is taken.

    Returns:
        None for a student that is not made of these operations.

    Raises:
        ValueError: for continuous actions with another number of outputs.
    """
    if callable(getattr(type(student), "operations", None)):
        return tuple(student.operations())
    if isinstance(student, DecisionTree):
        return (ops.Tree.of(student),)
    config = getattr(student, "config", {})
    kind = config.get("kind")
    if not _has_forward_of(kind, student):
        return None
    if kind in ACTING_PART:
        inner = operations_of(getattr(student, ACTING_PART[kind]))
        if inner is None or (kind == "gaussian" and ops.bounds_of(inner) is not None):
            return None
        return _with_bounds(inner, config)
    return _network_operations(student)


def _network_operations(student: Any) -> ops.Operations:
    """Return the operations of a network without other students inside."""
    # Imported here, since it needs torch; a network needs torch anyway.
    from ...students.parametrised import plain_weights

    weights = {name: part.cpu().numpy() for name, part in plain_weights(student).items()}
    operations = BUILDERS[student.config["kind"]](student.config, weights)
    if isinstance(operations[0], ops.MapValueIteration):
        return (replace(operations[0], grid=student.grid),)
    return operations


def stored_operations(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    """Return the operations of a student from the contents of its file.

    Raises:
        KeyError: for a missing weight, an entry that is missing in the description, or a kind that
            is not in `BUILDERS`.
        ValueError: for a weight that does not fit the description.
    """
    kind = config["kind"]
    if kind not in ACTING_PART:
        return BUILDERS[kind](config, weights)
    name = ACTING_PART[kind]
    own = {
        key.removeprefix(f"{name}."): array
        for key, array in weights.items()
        if key.startswith(f"{name}.")
    }
    return _with_bounds(stored_operations(config[name], own), config)


def acting_part(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the `config` of the part that acts; None for a student without parts."""
    name = ACTING_PART.get(config.get("kind"))
    if name is None:
        return None
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def describe_kind(student: Any) -> str:
    """Return the kind of a student and of its part that acts, for error messages.

    Args:
        student: a student or its `config`.
    """
    config = student if isinstance(student, Mapping) else getattr(student, "config", None)
    if config is None:
        return f"of type {type(student).__name__}"
    part = acting_part(config)
    return f"of kind {config.get('kind')!r}" + (
        "" if part is None else f" with one {describe_kind(part)}"
    )


def _has_forward_of(kind: Any, student: Any) -> bool:
    """Return True for a network of a known kind, unless its class computes something else."""
    if kind not in (*BUILDERS, *ACTING_PART) or not hasattr(student, "forward"):
        return False
    from ...students.registry import STUDENTS  # needs torch, as above

    known: Any = STUDENTS[kind]
    return bool(type(student).forward is known.forward)


def _with_bounds(operations: ops.Operations, config: Mapping[str, Any]) -> ops.Operations:
    if config["kind"] != "gaussian":
        return operations
    return (*operations, ops.Gaussian(Bounds.from_json(config)))


# -- by kind -----------------------------------------------------------------------------------


def _mlp(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    arrays = _fitting(config, weights)
    pairs = list(zip(arrays[::2], arrays[1::2], strict=True))
    layers = (ops.Dense(*pair, tanh=number < len(pairs) - 1) for number, pair in enumerate(pairs))
    return ops.Vector(tuple(config["observation_shape"])), *layers


def _gru(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    *cell, weight, bias = _fitting(config, weights)
    vector = ops.Vector(tuple(config["observation_shape"]))
    return vector, ops.GRUCell(*cell), ops.Dense(weight, bias)


def _convolution(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    shape, per_cell = tuple(config["observation_shape"]), config["per_cell"]
    *arrays, weight, bias = _fitting(config, weights)
    stride = 1 if per_cell else 2
    layers = (ops.Conv3x3(*pair, stride) for pair in zip(arrays[::2], arrays[1::2], strict=True))
    last = ops.Dense(weight, bias)
    if per_cell:
        return ops.Planes(), *layers, ops.MarkedCells(), last
    return ops.Image(shape, shape[2] == COLOURS), *layers, ops.Flatten(), last


def _value_iteration(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    scale, sharpness, move, reward, bias, top, *readout = arrays = _fitting(config, weights)
    return (
        ops.ValueIteration(
            *action_maps(scale, move, reward, bias, *readout),
            float(top[0]),
            float(sharpness),
            config.get("iterations"),
            parameters=sum(array.size for array in arrays[2:]),
        ),
    )


def _map_value_iteration(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    scale, sharpness, reading, *kernels = arrays = _fitting(config, weights)
    if kernels:
        move, cost, (bias,) = kernels
        moves, costs = _turned(row_softmax(scale * move[None])[0]), _turned(cost)
    else:
        up = np.zeros(KERNEL, dtype=np.float32)
        up[1] = 1
        moves, costs, bias = _turned(up), _turned(up), 0.0
    return (
        ops.MapValueIteration(
            reading,
            moves,
            costs,
            float(bias),
            float(sharpness),
            sum(array.size for array in arrays[2:]),
            config.get("iterations"),
        ),
    )


def _turned(kernel: Float32Array) -> Float32Array:
    """Return (4, 9): a kernel of the action up, turned to each action."""
    turns = [np.rot90(kernel.reshape(3, 3), -turn).ravel() for turn in range(MAZE_ACTIONS)]
    return np.stack(turns)


def _fitting(config: Mapping[str, Any], weights: Arrays) -> list[Float32Array]:
    """Return the weights in float32, in the order of `shapes_of`.

    Raises:
        KeyError: for a missing weight.
        ValueError: for another shape, or other weights.
    """
    names = names_of_fitting(weights, shapes_of(config))
    return [np.asarray(weights[name], dtype=np.float32, order="C") for name in names]


ACTING_PART: dict[Any, str] = {"actor_critic": "actor", "gaussian": "inner"}
"""Kind of a student with parts -> name of the part that acts."""

BUILDERS: dict[Any, Callable[[Mapping[str, Any], Arrays], ops.Operations]] = {
    "conv": _convolution,
    "gru": _gru,
    "linear": _mlp,
    "map_value_iteration": _map_value_iteration,
    "mlp": _mlp,
    "value_iteration": _value_iteration,
}
"""Kind of a student -> its operations, from its description and weights."""
