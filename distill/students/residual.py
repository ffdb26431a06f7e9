"""Residual network on planes, the teacher's architecture for mazes."""

from __future__ import annotations

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.observations import CELL_FEATURES, KERNEL, MAZE_ACTIONS
from .base import Student
from .conv import at_cells, check_planes, split_planes
from .shapes import check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402


class Residual(Student):
    """Residual network (He et al. 2016) with an output row for each queried cell, in one pass.

    Suited to teachers of mazes: it answers for all cells at once.

    Its blocks work at half resolution (every other row and column, where the corridors of perfect
    mazes are), and a transposed convolution returns to the cells. This takes a quarter of the
    multiply-adds of full resolution and doubles the receptive field: with the defaults, 1.1 million
    parameters, it covers a maze of 61 x 61 from every cell.

    Args:
        channels: channels of each layer.
        blocks: number of blocks of two convolutions each.
        seed: seed of the initial weights.
    """

    per_cell = True
    feature_path = "cells"

    def __init__(self, channels: int = 64, blocks: int = 15, *, seed: int = 0) -> None:
        super().__init__()
        self.channels = checked_integer("channels", channels, 1)
        self.blocks = checked_integer("blocks", blocks, 1)
        self.config = {"kind": "residual", "channels": channels, "blocks": blocks}
        check_size(self.config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(2, channels, 3, stride=2, padding=1)
            self.body = nn.ModuleList(_Block(channels) for _ in range(blocks))
            self.back = nn.ConvTranspose2d(channels, CELL_FEATURES, 3, stride=2, padding=1)
            self.near = nn.Conv2d(2, CELL_FEATURES, 3, padding=1)
            self.cells = nn.ReLU()  # a module, so that a hook can record the features of the cells
            self.last = nn.Conv2d(CELL_FEATURES, MAZE_ACTIONS, 1)

    def features(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return (batch, 64, rows, cols) features of the cells, and the mask of queried cells."""
        maze, queried = split_planes(observations)
        hidden = torch.relu(self.first(maze))
        for block in self.body:
            hidden = block(hidden)
        cells = self.back(hidden, output_size=maze.shape[2:]) + self.near(maze)
        return self.cells(cells), queried

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, 4) logits for (batch, 3, rows, cols) planes."""
        cells, queried = self.features(observations)
        return at_cells(self.last(cells), queried)

    @property
    def num_outputs(self) -> int:
        """Number of actions in a maze."""
        return MAZE_ACTIONS

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds for all cells of a maze, which even one decision needs."""
        rows, cols = check_planes(observation_shape)
        c, half = self.channels, ((rows + 1) // 2) * ((cols + 1) // 2)
        trunk = half * KERNEL * (2 * c + 2 * self.blocks * c * c + c * CELL_FEATURES)
        return trunk + rows * cols * (2 * KERNEL * CELL_FEATURES + MAZE_ACTIONS * CELL_FEATURES)


class _Block(nn.Module):
    """Two convolutions with a skip connection.

    The second is initialised to zero, so that the network starts shallow and trains without
    normalisation (Zhang, Dauphin and Ma 2019).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)
        for weight in self.two.parameters():
            nn.init.zeros_(weight)

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = torch.relu(hidden + self.two(torch.relu(self.one(hidden))))
        return out
