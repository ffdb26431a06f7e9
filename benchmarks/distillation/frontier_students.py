"""Students and baselines of the frontier, over three orders of magnitude, and its mazes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dynamaze.distill.core.size import Size, measure, microseconds
from dynamaze.distill.export.c_source.object_code import object_code
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import file_bytes, to_stored
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, split_queries

SIDE = 11
"""Side of the mazes of networks with an input for each cell."""

TABLE, EXACT_PLANNER, POLICY_GRADIENT = "table", "exact planner", "VIN, 4 channels, policy gradient"
STALE_PLANNER = "exact planner, initial map"
"""Names of the baselines."""

LARGER_MAZES = {"perfect 21x21": MazeGenerator(21), "perfect 31x31": MazeGenerator(31)}
CHANGING_MAZES = f"loops {SIDE}x{SIDE}, walls changing"
"""Mazes of the evaluation, beside the held-out kinds of this side."""

AXES = {
    "parameters": "parameters",
    "bytes": "bytes of weights",
    "multiply_adds": "multiply-adds of a decision",
    "microseconds": "microseconds of a decision",
}
"""Columns of the four measures of size, and their labels."""

STORED = {"file_bytes": "bytes of a file", "object_bytes": "bytes of object code"}
"""Columns of two further sizes, and their labels: NaN of policies without."""


class FrontierStudent(NamedTuple):
    """A student of the frontier."""

    make: Callable[[int], Student]  # called with a seed
    learning_rate: float
    any_size: bool  # whether it accepts mazes of every size
    restarts: int = 1  # random initialisations


class PerCellStudent(Student):
    """Student that is shown each queried cell in an observation of its own."""

    def __init__(self, inner: Student) -> None:
        super().__init__()
        self.inner = inner
        self.config = inner.config

    def forward(self, observations: Tensor) -> Tensor:
        """Return the logits of the queried cells, (queries, actions)."""
        maze, row, col = torch.nonzero(observations[:, 1] > 0.5, as_tuple=True)
        single = observations[maze].clone()
        single[:, 1] = 0.0
        single[torch.arange(len(maze)), 1, row, col] = 1.0
        logits: Tensor = self.inner(single)
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return those of one decision."""
        return self.inner.multiply_adds(observation_shape)


class PerCellPolicy:
    """Policy that is shown each queried cell in an observation of its own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def action_logits(self, observations: Any) -> Any:
        """Return the logits of the queried cells, (queries, actions)."""
        return self.inner.action_logits(split_queries(observations))


def _value_iteration(maps: int, learning_rate: float) -> FrontierStudent:
    return FrontierStudent(
        lambda seed: ValueIterationNetwork(maps, seed=seed), learning_rate, True, restarts=2
    )


def _residual(channels: int, blocks: int) -> FrontierStudent:
    return FrontierStudent(lambda seed: Residual(channels, blocks, seed=seed), 2e-3, True)


def _mlp(width: int) -> FrontierStudent:
    return FrontierStudent(
        lambda seed: PerCellStudent(MLP((3, SIDE, SIDE), 4, width, seed=seed)), 5e-3, False
    )


STUDENTS: dict[str, FrontierStudent] = {
    "VIN, 4 channels": _value_iteration(4, 0.05),
    "VIN, 8 channels": _value_iteration(8, 0.03),
    "MLP, 4 units": _mlp(4),
    "MLP, 64 units": _mlp(64),
    "convolutional, 8 x 8": _residual(8, 4),
    "convolutional, 16 x 16": _residual(16, 8),
    "convolutional, 32 x 16": _residual(32, 8),
}
"""Students by name; numbers of convolutional ones are channels and layers."""


def measure_size(policy: Any, observation: Any) -> Size:
    """Return the four axes and the object code; time without torch where the kind allows."""
    if isinstance(policy, ShortestPathPolicy):
        only = observation[None]
        return Size(0, 0, 0, microseconds(lambda: policy.action_probabilities(only)))
    inner = getattr(policy, "inner", policy)
    try:
        runs_as: Any = build_policy(to_stored(inner))
    except (TypeError, ValueError):
        runs_as = inner
    size = measure(inner, observation, runs_as=runs_as)
    return size._replace(object_code=object_code(inner, observation))


def sizes_of(policy: Any, observation: Any) -> dict[str, float]:
    """Return the sizes of a policy by column."""
    size = measure_size(policy, observation)
    try:
        stored: float = file_bytes(getattr(policy, "inner", policy))
    except (TypeError, ValueError):  # as the exact planner
        stored = np.nan
    return {
        **{name: float(getattr(size, name)) for name in AXES},
        "file_bytes": stored,
        "object_bytes": np.nan if size.object_code is None else size.object_code.bytes,
    }
