"""A small convolution, for planes of a maze and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from dynamaze.common.validation import checked_number

from .base import Student
from .inputs import as_floats, checked_shape
from .planes import answers_at, check_planes, split_planes

KERNEL = 9  # the cells of a 3x3 kernel
COLOURS = 3


class Convolution(Student):
    """3x3 convolutions with tanh between them.

    Planes keep their size, so that mazes of any size can be asked about, in as many cells as are
    marked; an answer sees as far as there are layers. Of pictures and windows each convolution
    halves the sides, and a linear layer reads the actions from what is left.

    Args:
        observation_shape: of a single observation; (3, rows, cols) planes, (rows, cols, 3) a
            picture, or (planes, rows, cols) anything else, such as a window.
        num_actions: how many; 4 for planes of a maze.
        channels: of each convolution.
        layers: how many convolutions.
        asks: whether the second plane says where an answer is wanted; None for yes where there are
            three planes and they are no picture.
        seed: settles the first weights.

    Raises:
        ValueError: for a number outside its range, or another shape.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        num_actions: int,
        channels: int = 8,
        *,
        layers: int = 2,
        asks: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.observation_shape = checked_shape(observation_shape)
        if len(self.observation_shape) != 3:
            raise ValueError(
                f"observation_shape={self.observation_shape}; expected (planes, rows, cols), or "
                "(rows, cols, 3) of a picture"
            )
        actions = int(checked_number("num_actions", num_actions, 1, whole=True))
        channels = int(checked_number("channels", channels, 1, whole=True))
        count = int(checked_number("layers", layers, 1, whole=True))
        self.is_picture = self.observation_shape[2] == COLOURS and not asks
        self.asks = self.observation_shape[0] == 3 and not self.is_picture if asks is None else asks
        if self.asks:
            check_planes(self.observation_shape)
        self.config = {
            "kind": "conv",
            "observation_shape": list(self.observation_shape),
            "num_actions": actions,
            "channels": channels,
            "layers": count,
            "asks": self.asks,
        }
        planes, self.sides = self._seen(self.observation_shape)
        self.channels = (planes, *[channels] * count)
        stride = 1 if self.asks else 2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.ModuleList(
                nn.Conv2d(inputs, channels, 3, padding=1, stride=stride)
                for inputs in self.channels[:-1]
            )
            rows, cols = self._sides_after(count)
            left = channels if self.asks else channels * rows * cols
            self.last = nn.Linear(left, actions)

    def forward(self, observations: Tensor) -> Tensor:
        """(answers, actions) logits for (batch, *observation_shape), or planes of another size."""
        if self.asks:
            units, asked = split_planes(observations)
        else:
            units = as_floats(observations, self.observation_shape)
            units = units.movedim(-1, 1) if self.is_picture else units
        for layer in self.layers:
            units = torch.tanh(layer(units))
        read = answers_at(units, asked) if self.asks else units.flatten(1)
        logits: Tensor = self.last(read)
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Those of all convolutions, and of the last layer for one answer."""
        if self.asks:
            rows, cols = check_planes(observation_shape)
            cells = [rows * cols] * len(self.layers)
        else:
            cells = [prod(self._sides_after(number + 1)) for number in range(len(self.layers))]
        pairs = zip(cells, self.channels, self.channels[1:], strict=False)
        convolved = sum(n * KERNEL * inputs * outputs for n, inputs, outputs in pairs)
        return convolved + self.last.in_features * self.last.out_features

    def _seen(self, shape: tuple[int, ...]) -> tuple[int, tuple[int, int]]:
        """How many planes the first convolution gets, and of which size."""
        if self.asks:
            return 2, (shape[1], shape[2])
        if self.is_picture:
            return COLOURS, (shape[0], shape[1])
        return shape[0], (shape[1], shape[2])

    def _sides_after(self, layers: int) -> tuple[int, int]:
        """Rows and columns after some convolutions, where they halve them."""
        rows, cols = self.sides
        for _ in range(layers):
            rows, cols = (rows + 1) // 2, (cols + 1) // 2
        return rows, cols
