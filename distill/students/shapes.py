"""Shapes of the weights of each kind of student, from its `config`; no torch.

A file's weights are held against them before a student is made, since a `config` of a few bytes may
declare any size. They are generated one by one: the first that does not fit ends the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, pairwise, repeat
from math import prod
from typing import Any, NamedTuple

import numpy.typing as npt

from dynamaze.common.validation import (
    MOST_COUNT,
    MOST_ENTRIES,
    checked_choice,
    checked_integer,
)

from ..core.observations import (
    CELL_FEATURES,
    COLOURS,
    EXPERIENCE_FEATURES,
    KERNEL,
    MAP_FEATURES,
    MAZE_ACTIONS,
    PLANES,
)


class ExpectedArray(NamedTuple):
    """Name, shape and kind of an array in a student's file."""

    name: str
    shape: tuple[int | None, ...]  # None for any length
    kinds: str = "f"  # of its dtype


Arrays = Iterator[ExpectedArray]

MOST_LAYERS, MOST_ITERATIONS = 1000, MOST_COUNT
"""Largest numbers of layers or blocks, and of iterations of a value iteration network."""


def names_of_fitting(
    weights: Mapping[str, npt.NDArray[Any]], expected: Iterable[ExpectedArray]
) -> list[str]:
    """Return the expected names, in their order, after checking that the weights are as expected.

    Raises:
        KeyError: for a missing weight.
        ValueError: for another shape or dtype, or a weight that is not expected.
    """
    names = []
    for name, shape, kinds in expected:
        found = weights[name]
        same = len(found.shape) == len(shape) and all(
            wanted in (None, n) for wanted, n in zip(shape, found.shape, strict=True)
        )
        if not same:
            raise ValueError(f"{name} {found.shape}; expected {shape}")
        if found.dtype.kind not in kinds:
            raise ValueError(f"{name} of {found.dtype}; expected dtype kind {kinds}")
        names.append(name)
    if len(weights) > len(names):
        raise ValueError(f"weights {sorted(weights)[:20]}; expected {sorted(names)[:20]}")
    return names


def check_weights(config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check that weights fit a student of a `config`, if its kind is one of ours.

    Raises:
        KeyError, TypeError, ValueError: if they do not, or the `config` is none.
    """
    if config.get("kind") in SHAPES:
        names_of_fitting(weights, shapes_of(config))


def shapes_of(config: Mapping[str, Any]) -> Arrays:
    """Generate the arrays of a student's file.

    Raises:
        KeyError, TypeError, ValueError: for a `config` that lacks an entry or has an invalid one.
    """
    return SHAPES[config["kind"]](config)


def check_size(config: Mapping[str, Any]) -> None:
    """Check the number of weights of a student, before they are allocated.

    Raises:
        ValueError: for more than `MOST_ENTRIES`.
    """
    numbers = 0
    for array in shapes_of(config):
        numbers += prod(1 if length is None else length for length in array.shape)
        if numbers > MOST_ENTRIES:
            given = ", ".join(f"{name}={value}" for name, value in config.items())
            raise ValueError(f"{given}: too large; expected at most {MOST_ENTRIES:,} weights")


def _size(config: Mapping[str, Any], name: str, low: int = 1, high: int = MOST_COUNT) -> int:
    return checked_integer(name, config[name], low, high)


def _observation(config: Mapping[str, Any]) -> tuple[int, ...]:
    shape = config["observation_shape"]
    return tuple(checked_integer("observation_shape", n, 1) for n in shape)


def _layer(name: str, outputs: int, *inputs: int) -> Arrays:
    """Generate the weights and biases of a layer."""
    yield ExpectedArray(f"{name}.weight", (outputs, *inputs))
    yield ExpectedArray(f"{name}.bias", (outputs,))


def _mlp(config: Mapping[str, Any]) -> Arrays:
    hidden = _size(config, "layers", 0, MOST_LAYERS)
    return _layers(config, repeat(_size(config, "width") if hidden else 0, hidden))


def _linear(config: Mapping[str, Any]) -> Arrays:
    return _layers(config, ())


def _layers(config: Mapping[str, Any], hidden: Iterable[int]) -> Arrays:
    sizes = chain((prod(_observation(config)),), hidden, (_size(config, "num_actions"),))
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        yield from _layer(f"layers.{number}", outputs, inputs)


def _gru(config: Mapping[str, Any]) -> Arrays:
    width = _size(config, "width")
    yield ExpectedArray("cell.weight_ih_l0", (3 * width, prod(_observation(config))))
    yield ExpectedArray("cell.bias_ih_l0", (3 * width,))
    yield ExpectedArray("cell.weight_hh_l0", (3 * width, width))
    yield ExpectedArray("cell.bias_hh_l0", (3 * width,))
    yield from _layer("last", _size(config, "num_actions"), width)


def convolved_map(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return rows, columns and channels of the map that the first convolution reads.

    Raises:
        ValueError: for observations without three dimensions.
    """
    shape = _observation(config)
    if len(shape) != 3:
        raise ValueError(f"observation_shape={shape}; expected three dimensions")
    if config["per_cell"]:
        return shape[1], shape[2], PLANES - 1
    return shape if shape[2] == COLOURS else (shape[1], shape[2], shape[0])


def _convolution(config: Mapping[str, Any]) -> Arrays:
    rows, cols, inputs = convolved_map(config)
    channels = _size(config, "channels")
    for number in range(_size(config, "layers", 1, MOST_LAYERS)):
        yield from _layer(f"layers.{number}", channels, inputs, 3, 3)
        inputs = channels
        rows, cols = (rows + 1) // 2, (cols + 1) // 2
    units = channels if config["per_cell"] else channels * rows * cols
    yield from _layer("last", _size(config, "num_actions"), units)


def _residual(config: Mapping[str, Any]) -> Arrays:
    channels, walls_and_goals = _size(config, "channels"), PLANES - 1
    yield from _layer("first", channels, walls_and_goals, 3, 3)
    for block in range(_size(config, "blocks", 1, MOST_LAYERS)):
        for part in ("one", "two"):
            yield from _layer(f"body.{block}.{part}", channels, channels, 3, 3)
    # A transposed convolution has its inputs first.
    yield ExpectedArray("back.weight", (channels, CELL_FEATURES, 3, 3))
    yield ExpectedArray("back.bias", (CELL_FEATURES,))
    yield from _layer("near", CELL_FEATURES, walls_and_goals, 3, 3)
    yield from _layer("last", MAZE_ACTIONS, CELL_FEATURES, 1, 1)


def _value_iteration(config: Mapping[str, Any]) -> Arrays:
    maps = _size(config, "maps")
    if config.get("iterations") is not None:
        _size(config, "iterations", high=MOST_ITERATIONS)
    shapes: dict[str, tuple[int, ...]] = {
        "scale": (), "sharpness": (),
        "move": (maps, KERNEL), "reward": (maps, 2, 3, 3), "bias": (maps,), "top": (1,),
    }  # fmt: skip
    if maps != MAZE_ACTIONS:
        shapes |= {"readout": (MAZE_ACTIONS, maps), "readout_bias": (MAZE_ACTIONS,)}
    return (ExpectedArray(*pair) for pair in shapes.items())


def _map_value_iteration(config: Mapping[str, Any]) -> Arrays:
    if config.get("iterations") is not None:
        _size(config, "iterations", high=MOST_ITERATIONS)
    shapes: dict[str, tuple[int, ...]] = {
        "scale": (), "sharpness": (), "reading": (2, MAP_FEATURES),
    }  # fmt: skip
    if checked_choice("moves", config["moves"], ("learned", "exact")) == "learned":
        shapes |= {"move": (KERNEL,), "cost": (KERNEL,), "bias": (1,)}
    return (ExpectedArray(*pair) for pair in shapes.items())


def _transformer(config: Mapping[str, Any]) -> Arrays:
    width = _size(config, "width")
    hidden = width * _size(config, "mlp_ratio")
    yield from _layer("embedding", width, PLANES - 1, 3, 3)
    for block in range(_size(config, "layers", 1, MOST_LAYERS)):
        path = f"blocks.{block}"
        yield from _layer(f"{path}.attention_norm", width)
        yield from _layer(f"{path}.attention.inputs", 3 * width, width)
        yield from _layer(f"{path}.attention.output", width, width)
        yield from _layer(f"{path}.mlp_norm", width)
        yield from _layer(f"{path}.mlp.0", hidden, width)
        yield from _layer(f"{path}.mlp.2", width, hidden)
    yield from _layer("norm", width)
    yield from _layer("last", MAZE_ACTIONS, width)


def _table(config: Mapping[str, Any]) -> Arrays:
    yield ExpectedArray("keys", (None, None), "u")
    yield ExpectedArray("logits", (None, _size(config, "num_actions")))


def _tree(config: Mapping[str, Any]) -> Arrays:
    yield ExpectedArray("feature", (None,), "i")
    yield ExpectedArray("threshold", (None,))
    yield ExpectedArray("below", (None, 2), "i")
    yield ExpectedArray("logits", (None, _size(config, "num_actions")))


def _parts(*names: str) -> Callable[[Mapping[str, Any]], Arrays]:
    """Return a function that generates the arrays of a student's parts."""

    def shapes(config: Mapping[str, Any]) -> Arrays:
        for name in names:
            for array in shapes_of(config[name]):
                yield array._replace(name=f"{name}.{array.name}")

    return shapes


def _experience_gru(config: Mapping[str, Any]) -> Arrays:
    inner = {"observation_shape": (EXPERIENCE_FEATURES,), "num_actions": MAZE_ACTIONS}
    for array in _gru({**config, **inner}):
        yield array._replace(name=f"inner.{array.name}")


SHAPES: dict[Any, Callable[[Mapping[str, Any]], Arrays]] = {
    "actor_critic": _parts("actor", "critic"),
    "conv": _convolution,
    "experience_gru": _experience_gru,
    "gaussian": _parts("inner"),
    "gru": _gru,
    "linear": _linear,
    "map_value_iteration": _map_value_iteration,
    "mlp": _mlp,
    "residual": _residual,
    "table": _table,
    "transformer": _transformer,
    "tree": _tree,
    "value_iteration": _value_iteration,
}
"""Kind of a student -> function that generates the arrays of its file from its `config`."""
