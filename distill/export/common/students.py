"""Operations of students: of objects, and of the contents of their files, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array

from ...core.distributions import Bounds
from ...core.observations import COLOURS, KERNEL, MAZE_ACTIONS, PLANES
from ...files.weights import Arrays
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
    # Imported here, since it needs torch; a network needs torch anyway.
    from ...students.parametrised import plain_weights

    weights = {name: part.cpu().numpy() for name, part in plain_weights(student).items()}
    return BUILDERS[kind](config, weights)


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


def _linear(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    return _mlp({**config, "layers": 0, "width": 0}, weights)


def _mlp(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    shape, hidden = tuple(config["observation_shape"]), config["layers"]
    sizes = [prod(shape), *[config["width"]] * hidden, config["num_actions"]]
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        shapes |= _layer(f"layers.{number}", outputs, inputs)
    arrays = _fitting(weights, shapes)
    pairs = zip(arrays[::2], arrays[1::2], strict=True)
    layers = (ops.Dense(*pair, tanh=number < hidden) for number, pair in enumerate(pairs))
    return ops.Vector(shape), *layers


def _gru(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    shape, width = tuple(config["observation_shape"]), config["width"]
    shapes = {
        "cell.weight_ih_l0": (3 * width, prod(shape)),
        "cell.bias_ih_l0": (3 * width,),
        "cell.weight_hh_l0": (3 * width, width),
        "cell.bias_hh_l0": (3 * width,),
        **_layer("last", config["num_actions"], width),
    }
    *cell, weight, bias = _fitting(weights, shapes)
    return ops.Vector(shape), ops.GRUCell(*cell), ops.Dense(weight, bias)


def _convolution(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    shape, per_cell = tuple(config["observation_shape"]), config["per_cell"]
    count, channels, actions = config["layers"], config["channels"], config["num_actions"]
    channels_last = not per_cell and shape[2] == COLOURS
    rows, cols, inputs = shape if channels_last else (*shape[1:], shape[0])
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(count):
        before = channels if number else PLANES - 1 if per_cell else inputs
        shapes |= _layer(f"layers.{number}", channels, before, 3, 3)
        rows, cols = (rows + 1) // 2, (cols + 1) // 2
    shapes |= _layer("last", actions, channels if per_cell else channels * rows * cols)
    *arrays, weight, bias = _fitting(weights, shapes)
    stride = 1 if per_cell else 2
    layers = (ops.Conv3x3(*pair, stride) for pair in zip(arrays[::2], arrays[1::2], strict=True))
    last = ops.Dense(weight, bias)
    if per_cell:
        return ops.Planes(), *layers, ops.MarkedCells(), last
    return ops.Image(shape, channels_last), *layers, ops.Flatten(), last


def _value_iteration(config: Mapping[str, Any], weights: Arrays) -> ops.Operations:
    maps, actions = int(config["maps"]), MAZE_ACTIONS
    shapes: dict[str, tuple[int, ...]] = {
        "scale": (), "sharpness": (),
        "move": (maps, KERNEL), "reward": (maps, 2, 3, 3), "bias": (maps,), "top": (1,),
    }  # fmt: skip
    if maps != actions:
        shapes |= {"readout": (actions, maps), "readout_bias": (actions,)}
    scale, sharpness, move, reward, bias, top, *readout = arrays = _fitting(weights, shapes)
    reward, moves = reward.reshape(maps, 2 * KERNEL), _softmax(scale * move)
    if readout:
        # The map from values to the actions' maps is linear, so both convolutions become one.
        read = _softmax(scale * readout[0])
        reward, moves, bias = read @ reward, read @ moves, read @ bias + readout[1]
    return (
        ops.ValueIteration(
            reward,
            moves,
            bias,
            float(top[0]),
            float(sharpness),
            config.get("iterations"),
            parameters=sum(array.size for array in arrays[2:]),
        ),
    )


def _softmax(rows: Float32Array) -> Float32Array:
    """Return the softmax of each row, as torch computes it in float32."""
    unnormalised = np.exp(rows - rows.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _layer(name: str, outputs: int, *inputs: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a layer's weights and biases."""
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _fitting(weights: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> list[Float32Array]:
    """Return the weights in float32, in the order of the expected shapes.

    Raises:
        KeyError: for a missing weight.
        ValueError: for another shape, or other weights.
    """
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise ValueError(f"{name} {weights[name].shape}; expected {shape}")
    if len(weights) > len(shapes):
        raise ValueError(f"weights {sorted(weights)}; expected {sorted(shapes)}")
    return [np.asarray(weights[name], dtype=np.float32, order="C") for name in shapes]


ACTING_PART: dict[Any, str] = {"actor_critic": "actor", "gaussian": "inner"}
"""Kind of a student with parts -> name of the part that acts."""

BUILDERS: dict[Any, Callable[[Mapping[str, Any], Arrays], ops.Operations]] = {
    "conv": _convolution,
    "gru": _gru,
    "linear": _linear,
    "mlp": _mlp,
    "value_iteration": _value_iteration,
}
"""Kind of a student -> its operations, from its description and weights."""
