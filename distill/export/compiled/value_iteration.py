"""Value iteration network that runs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.policy import LogitPolicy
from ...files.weights import Arrays
from ..common.float32 import PLANES, no_agent_error, numbers, shape_error
from .conv import KERNEL
from .kernels import value_iteration_act, value_iteration_batch
from .value_iteration_kernel import ValueIterationBuffers, ValueIterationWeights


class CompiledValueIteration(LogitPolicy):
    """Compiled `ValueIterationNetwork`, for mazes of any size. Not for two threads at once.

    It stops as soon as an iteration changes nothing, which gives the same logits.

    Args:
        weights: see `ValueIterationWeights`.
        iterations: number of iterations; None for the number that the maze's size needs (see
            `ValueIterationNetwork`).
        num_parameters: number of parameters of the student.
    """

    observation_shape = (PLANES, None, None)

    def __init__(
        self, weights: ValueIterationWeights, iterations: int | None = None, *, num_parameters: int
    ) -> None:
        self.weights, self.iterations = weights, iterations
        self.num_parameters = num_parameters
        self.num_actions = len(weights.bias)
        self._work: dict[
            tuple[int, int], tuple[int, ValueIterationWeights, ValueIterationBuffers]
        ] = {}
        self._logits = np.zeros((1, self.num_actions), dtype=np.float32)

    def act(self, observation: Any) -> int:
        """Return the best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape, or one without a marked cell.
        """
        array, _ = numbers(observation)
        if array.ndim != 3 or len(array) != PLANES:
            raise shape_error(array.shape, (PLANES, "rows", "cols"))
        action: int = value_iteration_act(array, *self._for(array.shape), self._logits)
        if action < 0:
            raise no_agent_error()
        return action

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits at all cells that a batch marks as the agent's.

        Raises:
            ValueError: for observations of another shape.
        """
        array, _ = numbers(observations)
        if array.ndim != 4 or array.shape[1] != PLANES:
            raise shape_error(array.shape, ("batch", PLANES, "rows", "cols"))
        logits = np.zeros((int((array[:, 1] > 0.5).sum()), self.num_actions), dtype=np.float32)
        value_iteration_batch(array, *self._for(array.shape[1:]), logits)
        return logits.astype(np.float64)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of all iterations for a maze of this size.

        `act` does fewer where it stops early.
        """
        _, rows, cols = observation_shape
        each = self.num_actions * KERNEL * (2 + iterations_for(self.iterations, rows, cols))
        return rows * cols * each

    def _for(
        self, shape: tuple[int, ...]
    ) -> tuple[int, ValueIterationWeights, ValueIterationBuffers]:
        rows, cols = shape[1:]
        if (rows, cols) not in self._work:
            work = ValueIterationBuffers.make(self.num_actions, rows, cols)
            count = iterations_for(self.iterations, rows, cols)
            self._work = {(rows, cols): (count, self.weights, work)}  # only the latest size is kept
        return self._work[rows, cols]


def iterations_for(iterations: int | None, rows: int, cols: int) -> int:
    """Return the number of iterations; see `ValueIterationNetwork.iterations_for`."""
    return iterations or (rows * cols) // 2 + max(rows, cols)


def build_value_iteration(config: Mapping[str, Any], weights: Arrays) -> CompiledValueIteration:
    """Build the policy from the contents of a file.

    Raises:
        KeyError: for a missing weight.
        ValueError: for a weight that does not fit.
    """
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
    moves = _softmax(w["scale"] * w["move"])
    if not whole:
        # The map from values to the actions' maps is linear, so both convolutions become one.
        read = _softmax(w["scale"] * w["readout"])
        reward, moves, bias = read @ reward, read @ moves, read @ bias + w["readout_bias"]
    constants = {"scale", "sharpness"}
    return CompiledValueIteration(
        ValueIterationWeights(
            reward, moves, bias, np.float32(w["top"][0]), np.float32(w["sharpness"])
        ),
        config.get("iterations"),
        num_parameters=sum(part.size for name, part in w.items() if name not in constants),
    )


def _softmax(rows: Float32Array) -> Float32Array:
    """Return the softmax of each row, as torch computes it in float32."""
    unnormalised = np.exp(rows - rows.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
