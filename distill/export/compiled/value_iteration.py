"""A recurrent planner that runs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray

from ...core.logits import LogitPolicy
from ...files.safetensors import Arrays
from ..common.float32 import PLANES, no_agent, numbers, other_shape
from .conv import KERNEL
from .kernels import planner_act, planner_many
from .value_iteration_kernel import PlannerWeights, PlannerWork


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
            raise no_agent()
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


def planner_policy(config: Mapping[str, Any], weights: Arrays) -> PlannerPolicy:
    """From what a file holds.

    Raises:
        KeyError: for a weight that is missing.
        ValueError: for one that does not fit.
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


def _shares(rows: Float32Array) -> Float32Array:
    """The softmax of each row, as torch's in float32."""
    likely = np.exp(rows - rows.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
