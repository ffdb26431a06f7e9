"""Students that run without torch: NumPy arrays, and compiled rules."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from .logits import FloatArray, LogitPolicy
from .numba_conv import KERNEL, conv_policy
from .numba_gru import gru_policy
from .numba_kernels import layers_act, layers_many, planner_act, planner_many
from .numba_observations import PLANES, Array, numbers, other_shape
from .numba_planning import PlannerWeights, PlannerWork
from .weights import Arrays, Stored, StudentFileError, fitting_error, read_weights


class LayersPolicy(LogitPolicy):
    """An MLP or linear student. It works in arrays of its own: not for two threads at once.

    Args:
        layers: (outputs, inputs) weights and (outputs,) biases, float32; tanh stands between.
        observation_shape: of a single observation; it is flattened, and uint8 divided by 255.

    Raises:
        ValueError: if the layers do not fit each other or the observation.
    """

    def __init__(self, layers: list[tuple[Array, Array]], observation_shape: tuple[int, ...]):
        self.layers, self.observation_shape = layers, observation_shape
        sizes = [prod(observation_shape)]
        for weight, bias in layers:
            if weight.ndim != 2 or weight.shape[1] != sizes[-1] or bias.shape != weight.shape[:1]:
                raise ValueError(
                    f"weights {weight.shape} and biases {bias.shape} after {sizes[-1]} numbers"
                )
            sizes.append(len(weight))
        self.num_actions = sizes[-1]
        parts = [part.ravel() for layer in layers for part in layer]
        hidden = np.zeros(sum(sizes[1:-1]), dtype=np.float32)
        self._rule = (np.concatenate(parts).astype(np.float32), np.array(sizes), hidden)
        self._logits = np.zeros(self.num_actions, dtype=np.float32)

    def act(self, observation: Any) -> int:
        """The best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape.
        """
        array, times = numbers(observation)
        if array.shape != self.observation_shape:
            raise other_shape(array.shape, self.observation_shape)
        return layers_act(array, times, *self._rule, self._logits)  # type: ignore[no-any-return]

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) logits for a batch of observations.

        Raises:
            ValueError: for observations of another shape.
        """
        array, times = numbers(observations)
        if array.ndim == 0 or array.shape[1:] != self.observation_shape:
            raise other_shape(array.shape, ("batch", *self.observation_shape))
        rows = array.reshape(len(array), prod(self.observation_shape))
        logits = np.zeros((len(rows), self.num_actions), dtype=np.float32)
        layers_many(rows, times, *self._rule, logits)
        return logits.astype(np.float64)

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return int(self._rule[0].size)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of all layers."""
        return sum(weight.size for weight, _ in self.layers)


class PlannerPolicy(LogitPolicy):
    """A recurrent planner, for mazes of any size. Not for two threads at once.

    It ends as soon as an iteration changes nothing, which gives the same answers.

    Args:
        weights: see `PlannerWeights`.
        iterations: how many; None for what the maze's size asks for (see `RecurrentPlanner`).
        num_parameters: of the student that it was made of.
    """

    observation_shape = (PLANES, None, None)

    def __init__(
        self, weights: PlannerWeights, iterations: int | None = None, *, num_parameters: int
    ) -> None:
        self.weights, self.iterations = weights, iterations
        self.num_parameters = num_parameters
        self.num_actions = len(weights.bias)
        self._work: dict[tuple[int, int], tuple[int, PlannerWeights, PlannerWork]] = {}
        self._logits = np.zeros((1, self.num_actions), dtype=np.float32)

    def act(self, observation: Any) -> int:
        """The best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape, or one that marks no cell as the
                agent's.
        """
        array, _ = numbers(observation)
        if array.ndim != 3 or len(array) != PLANES:
            raise other_shape(array.shape, (PLANES, "rows", "cols"))
        action: int = planner_act(array, *self._for(array.shape), self._logits)
        if action < 0:
            raise ValueError("an observation in which no cell is the agent's; expected one")
        return action

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits at all cells that a batch marks as the agent's.

        Raises:
            ValueError: for observations of another shape.
        """
        array, _ = numbers(observations)
        if array.ndim != 4 or array.shape[1] != PLANES:
            raise other_shape(array.shape, ("batch", PLANES, "rows", "cols"))
        logits = np.zeros((int((array[:, 1] > 0.5).sum()), self.num_actions), dtype=np.float32)
        planner_many(array, *self._for(array.shape[1:]), logits)
        return logits.astype(np.float64)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of all iterations, for a maze of this size, were none left out."""
        _, rows, cols = observation_shape
        each = self.num_actions * KERNEL * (2 + iterations_for(self.iterations, rows, cols))
        return rows * cols * each

    def _for(self, shape: tuple[int, ...]) -> tuple[int, PlannerWeights, PlannerWork]:
        rows, cols = shape[1:]
        if (rows, cols) not in self._work:
            work = PlannerWork.make(self.num_actions, rows, cols)
            count = iterations_for(self.iterations, rows, cols)
            self._work = {(rows, cols): (count, self.weights, work)}  # of the last size only
        return self._work[rows, cols]


def iterations_for(iterations: int | None, rows: int, cols: int) -> int:
    """How many iterations a recurrent planner takes; see `RecurrentPlanner.iterations_for`."""
    return iterations or (rows * cols) // 2 + max(rows, cols)


def load_policy(path: str | os.PathLike[str]) -> LogitPolicy:
    """A student from its file (see `save_student`), to run without torch.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign, weights
            that do not fit their description, or a kind of student that needs torch.
    """
    stored = read_weights(path)
    return policy_of(stored, where=path)


def policy_of(stored: Stored, where: object = "the student") -> LogitPolicy:
    """What `load_policy` gives, from weights at hand.

    Args:
        stored: weights and description.
        where: for messages.

    Raises:
        StudentFileError: as `load_policy`.
    """
    kind = stored.config.get("kind")
    if kind not in RUNS:
        raise StudentFileError(
            f"{where} is of kind {kind!r}, which needs torch; expected one of {sorted(RUNS)}, or "
            "load_student, which loads all"
        )
    try:
        return RUNS[kind](stored.config, stored.weights)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise fitting_error(where, kind, what) from None


def _layers(config: Mapping[str, Any], weights: Arrays) -> LogitPolicy:
    # Numbers in names count as numbers: layer 10 comes after layer 9.
    names = sorted(
        (name for name in weights if name.endswith("weight")),
        key=lambda name: [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", name)],
    )
    layers = [(weights[name], weights[name[: -len("weight")] + "bias"]) for name in names]
    policy = LayersPolicy(layers, tuple(config["observation_shape"]))
    expected = config.get("layers", 0) + 1, config["num_actions"]
    if (len(layers), policy.num_actions) != expected:
        raise ValueError(
            f"{len(layers)} layers to {policy.num_actions} actions; expected {expected[0]} to "
            f"{expected[1]}"
        )
    return policy


def _planner(config: Mapping[str, Any], weights: Arrays) -> LogitPolicy:
    maps, actions = int(config["maps"]), 4
    whole = maps == actions
    shapes: dict[str, tuple[int, ...]] = {
        "move": (maps, KERNEL), "reward": (maps, 2, 3, 3), "bias": (maps,), "top": (1,),
        "scale": (), "sharpness": (),
        **({} if whole else {"readout": (actions, maps), "readout_bias": (actions,)}),
    }  # fmt: skip
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise ValueError(f"{name} {weights[name].shape}; expected {shape}")
    w = {name: np.asarray(weights[name], dtype=np.float32, order="C") for name in shapes}
    reward, bias = w["reward"].reshape(maps, 2 * KERNEL), w["bias"]
    moves = _shares(w["scale"] * w["move"])
    if not whole:
        # All is linear from the values to the actions' maps, so that one convolution does it.
        read = _shares(w["scale"] * w["readout"])
        reward, moves, bias = read @ reward, read @ moves, read @ bias + w["readout_bias"]
    constants = {"scale", "sharpness"}
    return PlannerPolicy(
        PlannerWeights(reward, moves, bias, np.float32(w["top"][0]), np.float32(w["sharpness"])),
        config.get("iterations"),
        num_parameters=sum(part.size for name, part in w.items() if name not in constants),
    )


def _shares(rows: Array) -> Array:
    """The softmax of each row, as torch's in float32."""
    likely = np.exp(rows - rows.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


def _no_network(config: Mapping[str, Any], weights: Arrays) -> LogitPolicy:
    """Tables and trees have no torch in them, and run as they are."""
    from .students.table import Table
    from .students.tree import Tree

    arguments = {name: value for name, value in config.items() if name != "kind"}
    student: Any = {"table": Table, "tree": Tree}[config["kind"]](**arguments)
    student.set_state(weights)
    return student  # type: ignore[no-any-return]


RUNS: dict[Any, Callable[[Mapping[str, Any], Arrays], LogitPolicy]] = {
    "conv": conv_policy,
    "gru": gru_policy,
    "linear": _layers,
    "mlp": _layers,
    "recurrent_planner": _planner,
    "table": _no_network,
    "tree": _no_network,
}
"""How each kind that runs without torch is made."""
