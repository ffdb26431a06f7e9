"""A large convolutional network on planes: what a teacher of mazes is made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynamaze.common.validation import checked_number

from .base import Student
from .planes import answers_at, check_planes, split_planes

ACTIONS = 4
KERNEL = 9

CELL = 64
"""Features of a cell, from which its actions are read."""


class Residual(Student):
    """A residual network (He et al. 2016) that answers for every cell asked in one pass.

    Its blocks work on every other row and column, where the corridors of perfect mazes are; a last
    layer comes back to the cells. So it costs a quarter, and sees twice as far: with the defaults,
    1.1 million parameters, a whole maze of 61 x 61 from every cell.

    Args:
        channels: in each layer.
        blocks: of two convolutions each.
        seed: settles the first weights.
    """

    def __init__(self, channels: int = 64, blocks: int = 15, *, seed: int = 0) -> None:
        super().__init__()
        self.channels = int(checked_number("channels", channels, 1, whole=True))
        self.blocks = int(checked_number("blocks", blocks, 1, whole=True))
        self.config = {"kind": "residual", "channels": channels, "blocks": blocks}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Conv2d(2, channels, 3, stride=2, padding=1)
            self.body = nn.ModuleList(_Block(channels) for _ in range(blocks))
            self.back = nn.ConvTranspose2d(channels, CELL, 3, stride=2, padding=1)
            self.near = nn.Conv2d(2, CELL, 3, padding=1)
            self.last = nn.Conv2d(CELL, ACTIONS, 1)

    def features(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 64, rows, cols) what is known of each cell, and which are asked about."""
        maze, asked = split_planes(observations)
        hidden = torch.relu(self.first(maze))
        for block in self.body:
            hidden = block(hidden)
        cells = self.back(hidden, output_size=maze.shape[2:]) + self.near(maze)
        return torch.relu(cells), asked

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, 4) logits for (batch, 3, rows, cols) planes."""
        cells, asked = self.features(observations)
        return answers_at(self.last(cells), asked)

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those for all cells of a maze, of which one is the decision's."""
        rows, cols = check_planes(observation_shape)
        c, half = self.channels, ((rows + 1) // 2) * ((cols + 1) // 2)
        trunk = half * KERNEL * (2 * c + 2 * self.blocks * c * c + c * CELL)
        return trunk + rows * cols * (2 * KERNEL * CELL + ACTIONS * CELL)


class _Block(nn.Module):
    """Two convolutions whose result is added to what came in.

    The second begins at zero, so that a deep network begins as a shallow one and trains without
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
