"""Small convolutional network for planes of a maze, images and windows; helpers for planes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from dynamaze.common.deprecation import renamed_arguments
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.observations import COLOURS, KERNEL
from .base import Student, as_floats, checked_shape
from .shapes import check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402


class Convolution(Student):
    """3x3 convolutions with tanh between them, and a linear output layer.

    Suited to planes, windows and images where near cells decide.

    On planes of a maze convolutions keep the size, so that mazes of any size can be given, with any
    number of marked cells; the receptive field grows by one cell with each layer. On images and
    windows each convolution halves the sides, and the linear layer reads all remaining units.

    Args:
        observation_shape: shape of a single observation; (3, rows, cols) planes, (rows, cols, 3) an
            image, or (planes, rows, cols) anything else, such as a window.
        num_actions: number of actions; 4 for planes of a maze.
        channels: output channels of each convolution.
        layers: number of convolutions.
        per_cell: True for one output row for each cell marked in the second plane; None for True
            if there are three planes and they are not an image.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a number outside its range, or another shape.
    """

    @renamed_arguments(asks="per_cell")
    def __init__(
        self,
        observation_shape: Sequence[int],
        num_actions: int,
        channels: int = 8,
        *,
        layers: int = 2,
        per_cell: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.observation_shape = checked_shape(observation_shape)
        if len(self.observation_shape) != 3:
            raise ValueError(
                f"observation_shape={self.observation_shape}; expected (planes, rows, cols), or "
                "(rows, cols, 3) of an image"
            )
        actions = checked_integer("num_actions", num_actions, 1)
        channels = checked_integer("channels", channels, 1)
        count = checked_integer("layers", layers, 1)
        self.is_image = self.observation_shape[2] == COLOURS and not per_cell
        self.per_cell = (
            self.observation_shape[0] == 3 and not self.is_image if per_cell is None else per_cell
        )
        if self.per_cell:
            check_planes(self.observation_shape)
        self.config = {
            "kind": "conv",
            "observation_shape": list(self.observation_shape),
            "num_actions": actions,
            "channels": channels,
            "layers": count,
            "per_cell": self.per_cell,
        }
        check_size(self.config)
        planes, self.sides = self._input_size(self.observation_shape)
        self.channels = (planes, *[channels] * count)
        self.feature_path = f"layers.{count - 1}"
        stride = 1 if self.per_cell else 2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.ModuleList(
                nn.Conv2d(inputs, channels, 3, padding=1, stride=stride)
                for inputs in self.channels[:-1]
            )
            rows, cols = self._sides_after(count)
            units = channels if self.per_cell else channels * rows * cols
            self.last = nn.Linear(units, actions)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, actions) logits for (batch, *observation_shape), or other planes."""
        if self.per_cell:
            units, queried = split_planes(observations)
        else:
            units = as_floats(observations, self.observation_shape)
            units = units.movedim(-1, 1) if self.is_image else units
        for layer in self.layers:
            units = torch.tanh(layer(units))
        read = at_cells(units, queried) if self.per_cell else units.flatten(1)
        logits: Tensor = self.last(read)
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of the convolutions and of the last layer for one output row."""
        if self.per_cell:
            rows, cols = check_planes(observation_shape)
            cells = [rows * cols] * len(self.layers)
        else:
            cells = [prod(self._sides_after(number + 1)) for number in range(len(self.layers))]
        pairs = zip(cells, self.channels, self.channels[1:], strict=False)
        convolved = sum(n * KERNEL * inputs * outputs for n, inputs, outputs in pairs)
        return convolved + self.last.in_features * self.last.out_features

    def _input_size(self, shape: tuple[int, ...]) -> tuple[int, tuple[int, int]]:
        """Return the number of input planes of the first convolution, and their (rows, cols)."""
        if self.per_cell:
            return 2, (shape[1], shape[2])
        if self.is_image:
            return COLOURS, (shape[0], shape[1])
        return shape[0], (shape[1], shape[2])

    def _sides_after(self, layers: int) -> tuple[int, int]:
        """Return rows and columns after some convolutions with stride 2."""
        rows, cols = self.sides
        for _ in range(layers):
            rows, cols = (rows + 1) // 2, (cols + 1) // 2
        return rows, cols


WALLS, AGENT, GOALS = range(3)
"""Indices of the planes of an observation."""


def split_planes(observations: Tensor) -> tuple[Tensor, Tensor]:
    """Split planes into the maze and the queried cells.

    Args:
        observations: (batch, 3, rows, cols) of walls, agent and goals.

    Returns:
        (batch, 2, rows, cols) walls and goals as float32, and (batch, rows, cols) True at the cells
        that are marked as the agent's.

    Raises:
        ValueError: for another shape.
    """
    if observations.ndim != 4 or observations.shape[1] != 3:
        raise ValueError(
            f"observations of shape {tuple(observations.shape)}; expected (batch, 3, rows, cols), "
            'as `observation="planes"` gives'
        )
    maze = observations[:, [WALLS, GOALS]].float()
    return maze, observations[:, AGENT] > 0.5


def walled(maze: Tensor) -> Tensor:
    """Pad walls and goals to (batch, 2, rows + 2, cols + 2) with a wall all round."""
    return torch.cat(
        [
            functional.pad(maze[:, :1], (1, 1, 1, 1), value=1.0),
            functional.pad(maze[:, 1:], (1, 1, 1, 1)),
        ],
        1,
    )


def at_cells(maps: Tensor, queried: Tensor) -> Tensor:
    """Return (queries, actions) values of (batch, actions, rows, cols) maps at queried cells."""
    return maps.movedim(1, -1)[queried]


def check_planes(observation_shape: Any) -> tuple[int, int]:
    """Return rows and columns of a single observation.

    Raises:
        ValueError: if it is not (3, rows, cols).
    """
    shape = tuple(observation_shape)
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"an observation of shape {shape}; expected (3, rows, cols)")
    return int(shape[1]), int(shape[2])
