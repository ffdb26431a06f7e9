"""Data-free distillation: no environment and no data, only the teacher and made-up states.

Chen et al. (2019, "Data-free learning of student networks", arXiv 1904.01186), with the adversarial
term of Fang et al. (2019, "Data-free adversarial distillation", arXiv 1912.11006).

Differences from the papers:

1. States are in the observation's alphabet: walls and goals are 0 or 1, by a straight-through
   Gumbel softmax (Jang, Gu and Poole 2017), instead of real numbers.
2. The term of large activations (Chen et al. 2019, equation 5) is left out, since a teacher need
   not have an inner layer of features.
3. There is also a source of states without a generator: walls by coins. It is the baseline that a
   generator has to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..core.losses import Targets, kl, nll
from ..training.loop import Loop
from ..training.method import Method, Update
from .critics import BETAS, SLOPE
from .layers import has_cells

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402

MakeStates = Callable[[np.random.Generator, int], Any]
"""Function of a generator of random numbers and a count; returns a batch of observations."""

GENERATOR = "generator"
"""Name of the generator's part."""

STATES = ("coins", "pixels", GENERATOR)

TEMPERATURE = 1.0
"""Temperature of the Gumbel softmax."""

LEAST_CHANCE = 1e-6
"""Least probability of a wall of a generator, and least one of a free cell."""

CHANNELS = 32


@dataclass
class DataFree(Method):
    """Data-free distillation (Chen et al. 2019): students learn from made-up states.

    Value iteration networks weight the cells of a maze by exact path lengths in training, which is
    privileged information (`ValueIterationNetwork(curriculum=False)` does without).

    Args:
        states: "coins", mazes whose walls are independent, with a goal anywhere; "pixels", planes
            of uniform numbers; "generator", a network that learns mazes on which the student
            differs from the teacher; or a function, for other observations than planes.
        rows: rows of a maze.
        cols: columns.
        batch_size: states in a batch.
        density: largest probability of a wall; that of a maze of coins is uniform from 0 on. Below
            1, so that a generator cannot make mazes of walls alone, in which nothing is queried.
        disagreement: weight of the generator's term - KL(teacher || student).
        balance: weight of its term - H(mean answer), equation 6 of Chen et al.
        sureness: weight of its term of the teacher's uncertainty, equation 4.
        latent: numbers that the generator makes a maze of.
        learning_rate: step size of the generator.
    """

    states: str | MakeStates = "coins"
    rows: int = 11
    cols: int = 11
    batch_size: int = 13
    density: float = 0.6
    disagreement: float = 1.0
    balance: float = 1.0
    sureness: float = 0.1
    latent: int = 32
    learning_rate: float = 1e-3
    takes_source: ClassVar[bool] = False

    def setup(self, loop: Loop) -> None:
        """Check the settings, and add the generator if there is one.

        Raises:
            TypeError: for no teacher, a student without an answer for each cell, or a generator
                for a teacher that is no network.
            ValueError: for a number outside its range.
        """
        for name in ("rows", "cols", "batch_size", "latent"):
            checked_integer(name, getattr(self, name), 1)
        for name in ("disagreement", "balance", "sureness"):
            checked_number(name, getattr(self, name), 0)
        checked_number("density", self.density, 0, 1)
        rate = checked_number("learning_rate", self.learning_rate, 0, above=True)
        if loop.teacher is None:
            raise TypeError("DataFree without a teacher; expected Distiller(..., teacher=)")
        if callable(self.states):
            return
        checked_choice("states", self.states, STATES)
        for name, student in loop.students.items():
            if not has_cells(student):
                raise TypeError(
                    f"student {name!r} is a {type(student).__name__} without an answer for each "
                    "cell of planes; expected one with, or states, a function"
                )
        if self.states == GENERATOR:
            loop.teacher_module()  # refuses one that is no network
            checked_number("density", self.density, 0, 1 - 1e-3)
            size = self.latent, self.rows, self.cols, self.density
            loop.add(GENERATOR, lambda: PlanesGenerator(*size), learning_rate=rate, betas=BETAS)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Update the generator, if there is one, and then each student on the same states."""
        if self.states == GENERATOR:
            part = loop.parts[GENERATOR]
            planes = part.module(*self._noise(part.rng, loop.device))
            # The generator's graph has the students' weights, so that it takes its step first.
            yield Update((GENERATOR,), self._generator_terms(loop, planes))
            observations = planes.detach().cpu().numpy()
        else:
            observations = self.make_states(loop.rng)
        batch = loop.labelled(observations)
        answers = {name: loop.answers(name, batch.observations) for name in loop.students}
        for name, outputs in answers.items():
            yield Update((name,), {"soft": loop.supervised(name, outputs, batch)})

    def make_states(self, rng: np.random.Generator) -> Any:
        """Return a batch of states that are not the generator's."""
        if callable(self.states):
            return self.states(rng, self.batch_size)
        if self.states == "pixels":
            return rng.random((self.batch_size, 3, self.rows, self.cols), dtype=np.float32)
        return coin_mazes(rng, self.batch_size, self.rows, self.cols, self.density)

    def _noise(self, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, ...]:
        """Return the generator's inputs: latent numbers, and noise of walls and goal."""
        cells = (self.batch_size, self.rows, self.cols)
        noise = rng.normal(size=(self.batch_size, self.latent)), rng.logistic(size=cells)
        return tuple(
            torch.as_tensor(each, dtype=torch.float32, device=device)
            for each in (*noise, rng.gumbel(size=cells))
        )

    def _generator_terms(self, loop: Loop, planes: Tensor) -> dict[str, Tensor]:
        """Return the generator's loss terms for its mazes, with their graph."""
        teacher = loop.teacher_logits(planes)
        ones = torch.ones(len(teacher), device=teacher.device)
        targets = Targets(teacher, ones)
        divergence = kl()
        differences = [
            divergence(loop.answers(name, planes)[-1].logits, targets) for name in loop.students
        ]
        mean = teacher.softmax(dim=1).mean(dim=0)
        return {
            "disagreement": -self.disagreement * torch.stack(differences).mean(),
            "balance": self.balance * (mean * mean.clamp(min=1e-12).log()).sum(),
            "sureness": self.sureness * nll(teacher, targets),
        }


class PlanesGenerator(nn.Module):
    """Network from random numbers to planes of mazes with one goal.

    Args:
        latent: numbers that a maze is made of.
        rows: rows of a maze.
        cols: columns.
        density: largest probability of a wall, below 1.
    """

    def __init__(self, latent: int, rows: int, cols: int, density: float) -> None:
        super().__init__()
        self.rows, self.cols, self.density = rows, cols, density
        self.first = nn.Linear(latent, CHANNELS * rows * cols)
        self.body = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(CHANNELS, 2, 3, padding=1),
        )

    def forward(self, latent: Tensor, logistic: Tensor, gumbel: Tensor) -> Tensor:
        """Return (batch, 3, rows, cols) planes of 0 and 1 that query every free cell but the goal.

        The gradient of walls and goals passes straight through the rounding.

        Args:
            latent: (batch, latent) normal numbers.
            logistic: (batch, rows, cols) logistic noise, of the walls.
            gumbel: (batch, rows, cols) Gumbel noise, of the goal.
        """
        units = self.first(latent).view(len(latent), CHANNELS, self.rows, self.cols)
        walls, goals = self.body(units).unbind(dim=1)
        chances = self.density * torch.sigmoid(walls)
        soft = torch.sigmoid((torch.logit(chances, LEAST_CHANCE) + logistic) / TEMPERATURE)
        walls = _straight_through(soft, (soft > 0.5).float())
        scores = ((goals + gumbel) / TEMPERATURE).flatten(1)
        best = nn.functional.one_hot(scores.argmax(dim=1), scores.shape[1]).float()
        goals = _straight_through(scores.softmax(dim=1), best).view_as(walls)
        walls = walls * (1 - goals)
        return torch.stack([walls, ((1 - walls) * (1 - goals)).detach(), goals], dim=1)


def coin_mazes(
    rng: np.random.Generator, count: int, rows: int, cols: int, density: float = 0.6
) -> Any:
    """Return (count, 3, rows, cols) float32 planes of mazes whose walls are independent.

    A maze's probability of a wall is uniform from 0 to `density`. The goal is in a random cell, and
    every other free cell is queried, whether the goal can be reached from it or not.
    """
    chances = density * rng.random((count, 1, 1))
    planes = np.zeros((count, 3, rows, cols), dtype=np.float32)
    planes[:, 0] = rng.random((count, rows, cols)) < chances
    cells, mazes = planes.reshape(count, 3, -1), np.arange(count)
    goals = rng.integers(rows * cols, size=count)
    cells[mazes, 0, goals], cells[mazes, 2, goals] = 0.0, 1.0
    planes[:, 1] = 1.0 - planes[:, 0] - planes[:, 2]
    return planes


def _straight_through(soft: Tensor, hard: Tensor) -> Tensor:
    """Return the hard values with the gradient of the soft ones, exactly."""
    return hard + (soft - soft.detach())
