"""Discriminators of answers (Goodfellow et al. 2014), and their loss terms."""

from __future__ import annotations

from collections.abc import Callable

from dynamaze.common.optional_imports import optional_import

from ..students.base import Student
from ..students.conv import at_cells, split_planes
from ..training.loop import Loop
from .layers import example_observations, has_cells

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

SLOPE = 0.2
"""Slope of the leaky ReLUs below 0 (Radford et al. 2016)."""

BETAS = (0.5, 0.999)
"""Adam's betas of adversarial networks (Radford et al. 2016)."""

DILATIONS = (1, 2, 4)
"""Dilations of a map critic's convolutions; it sees 15 x 15 cells."""


class MapCritic(nn.Module):
    """Convolutions over a maze and the answers in its cells, with a score of each cell.

    Args:
        answers: numbers of an answer.
        channels: channels of each convolution.
    """

    def __init__(self, answers: int, channels: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3 + answers  # walls, goals, queried cells
        for dilation in DILATIONS:
            layers += [
                nn.Conv2d(inputs, channels, 3, padding=dilation, dilation=dilation),
                nn.LeakyReLU(SLOPE),
            ]
            inputs = channels
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))

    def forward(self, planes: Tensor, answers: Tensor) -> Tensor:
        """Return (batch, 1, rows, cols) scores.

        Args:
            planes: (batch, 3, rows, cols).
            answers: (queries, answers) of the queried cells.
        """
        maze, queried = split_planes(planes)
        answered = answer_map(queried, answers)
        scores: Tensor = self.layers(torch.cat([maze, queried[:, None].float(), answered], 1))
        return scores


class CellCritic(MapCritic):
    """Map critic with a score of each queried cell, (queries,)."""

    def forward(self, planes: Tensor, answers: Tensor) -> Tensor:
        """Return (queries,) scores; the arguments are those of `MapCritic`."""
        return at_cells(super().forward(planes, answers), split_planes(planes)[1])[:, 0]


class HolisticCritic(MapCritic):
    """Map critic with one score for a whole map, the mean of its cells' (batch,)."""

    def forward(self, planes: Tensor, answers: Tensor) -> Tensor:
        """Return (batch,) scores; the arguments are those of `MapCritic`."""
        return super().forward(planes, answers).mean(dim=(1, 2, 3))


class VectorCritic(nn.Module):
    """Two hidden layers over a flattened observation and the answer to it.

    Args:
        inputs: numbers of an observation.
        answers: numbers of an answer.
        width: units of a layer.
    """

    def __init__(self, inputs: int, answers: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs + answers, width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(width, width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(width, 1),
        )

    def forward(self, observations: Tensor, answers: Tensor) -> Tensor:
        """Return (batch,) scores of (batch, ...) observations and (batch, answers)."""
        flat = observations.flatten(1).to(answers.dtype)
        scores: Tensor = self.layers(torch.cat([flat, answers], dim=1))
        return scores[:, 0]


def answer_map(queried: Tensor, answers: Tensor) -> Tensor:
    """Return (batch, answers, rows, cols) the answers in their cells, 0 elsewhere.

    Args:
        queried: (batch, rows, cols) True for the queried cells.
        answers: (queries, answers), in the order of batch, row and column.
    """
    cells = torch.zeros((*queried.shape, answers.shape[1]), dtype=answers.dtype).to(answers.device)
    return cells.masked_scatter(queried[..., None], answers).movedim(-1, 1)


def critic_of(loop: Loop, student: Student, answers: int) -> Callable[[], nn.Module]:
    """Return a function that makes a critic of a student's single answers.

    Raises:
        TypeError: for a student whose observations are unknown.
    """
    if has_cells(student):
        return lambda: CellCritic(answers)
    inputs = example_observations(loop, student)[0].numel()
    return lambda: VectorCritic(inputs, answers)


def real_term(scores: Tensor) -> Tensor:
    """Return the mean of -log D, of the scores of what the critic is to accept."""
    return functional.softplus(-scores).mean()


def fake_term(scores: Tensor) -> Tensor:
    """Return the mean of -log (1 - D), of the scores of what the critic is to reject."""
    return functional.softplus(scores).mean()


def accuracy(real: Tensor, fake: Tensor) -> float:
    """Return the fraction of answers that a critic assigns correctly; 0.5 is chance."""
    correct = (real > 0).float().mean() + (fake < 0).float().mean()
    return float(correct) / 2
