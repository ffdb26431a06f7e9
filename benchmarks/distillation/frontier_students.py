"""The students of the frontier, kinds and sizes over three orders of magnitude; floors, mazes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import split_queries

SIDE = 11
"""Networks with an input for each cell are made for mazes of this side alone."""

TABLE, EXACT, DIRECT = "table", "exact planner", "planner, 4 maps, trained directly"
STALE = "exact planner, by the first map"
"""Names of the floors."""

LARGER = {"perfect 21x21": MazeGenerator(21), "perfect 31x31": MazeGenerator(31)}
CHANGING = f"loops {SIDE}x{SIDE}, walls changing"
"""Mazes in which students are judged, beside the held-out kinds of this side."""


class Entry(NamedTuple):
    """A student of the frontier."""

    make: Callable[[int], Student]  # of a seed
    learning_rate: float
    any_size: bool  # whether it sees mazes of every size
    beginnings: int = 1  # first weights that are tried


class EveryCell(Student):
    """A student that sees one agent at a time, asked about every cell that is marked."""

    def __init__(self, inner: Student) -> None:
        super().__init__()
        self.inner = inner
        self.config = inner.config

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, actions) logits; each marked cell is shown alone."""
        maze, row, col = torch.nonzero(observations[:, 1] > 0.5, as_tuple=True)
        alone = observations[maze].clone()
        alone[:, 1] = 0.0
        alone[torch.arange(len(maze)), 1, row, col] = 1.0
        logits: Tensor = self.inner(alone)
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of one decision."""
        return self.inner.multiply_adds(observation_shape)


class Alone:
    """A policy that sees one agent at a time, asked about every cell that is marked."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def action_logits(self, observations: Any) -> Any:
        """(answers, actions) logits."""
        return self.inner.action_logits(split_queries(observations))


def _planner(maps: int, learning_rate: float) -> Entry:
    return Entry(
        lambda seed: ValueIterationNetwork(maps, seed=seed), learning_rate, True, beginnings=2
    )


def _residual(channels: int, blocks: int) -> Entry:
    return Entry(lambda seed: Residual(channels, blocks, seed=seed), 2e-3, True)


def _mlp(width: int) -> Entry:
    return Entry(lambda seed: EveryCell(MLP((3, SIDE, SIDE), 4, width, seed=seed)), 5e-3, False)


ENTRIES: dict[str, Entry] = {
    "planner, 4 maps": _planner(4, 0.05),
    "planner, 8 maps": _planner(8, 0.03),
    "perceptron, 4 units": _mlp(4),
    "perceptron, 64 units": _mlp(64),
    "convolutional, 8 x 8": _residual(8, 4),
    "convolutional, 16 x 16": _residual(16, 8),
    "convolutional, 32 x 16": _residual(32, 8),
}
"""By name; of convolutional ones channels and layers."""


def seed_of(run: int, beginning: int) -> int:
    """The seed of a student's first weights; no two runs share one."""
    return int(np.random.SeedSequence([run, beginning]).generate_state(1)[0] % 2**31)
