"""Command `dynamaze distill synthetic-mazes`: two mazes from which fresh networks learn to plan.

Evolution of training data, as HaDES evolves synthetic states (Lupu et al. 2024, "Behaviour
distillation", arXiv 2406.15042): no gradient goes through the training of a network, so that states
may be discrete, and each network has new initial weights.
A pair of mazes is scored by value iteration networks with new initial weights that are trained on
it alone and evaluated in mazes of the training levels. Good pairs are scored again with more
networks, since the score of a lucky one falls.

Differences from HaDES: mazes are discrete, so that mutations flip walls and move goals; labels are
exact; and a population of pairs with counted scores replaces an evolution strategy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from rich.console import Console

from dynamaze.benchmarks.distillation.many_networks import ManyNetworks
from dynamaze.benchmarks.distillation.mazes import TRAINING, HeldOut, held_out_generators
from dynamaze.benchmarks.distillation.training import tracked
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.options import OutputFile, Range, Seed32, check_numbers
from dynamaze.envs.generation.planes import Planes

Mazes = npt.NDArray[np.uint8]
"""(mazes, rows, cols) of `FREE`, `WALL` and `GOAL`."""

FREE, WALL, GOAL = 0, 1, 2
CHARACTERS = ".#G"

PAIR, SIDE, STEPS, LEARNING_RATE = 2, 11, 300, 0.05
"""Mazes, their side, and the training of a network on them."""

SUFFICIENT = 0.99
"""Success rate of a network that has learned to plan."""

LARGER, SMALLER, GOALS = 21, 9, 120
"""Sides of the mazes in which networks are evaluated, and number of the smaller ones."""

DENSITIES, MOST_GOALS = (0.05, 0.3), 5
"""Range of the probability of a wall, and largest number of goals, of the first mazes."""

FLIPS = (1, 2, 4, 8, 16)
"""Numbers of flipped walls in a mutation."""

FIRST, MUTANTS, CHILDREN, NEWCOMERS, KEPT, PARENTS = 40, 12, 6, 2, 40, 8
"""Pairs of the first generation; of each later one; those that stay; and those that have
children."""

ROUNDS = ((12, 3), (4, 6))
"""Numbers of the best pairs that are scored again in each generation, and of networks for each."""

SHARE_WEIGHT, PRIOR = 0.7, (0.3, 2)
"""Weight of the share of sufficient networks against the mean success rate; and value and number of
networks that are added to each pair's, so that few lucky ones are not the best."""


@dataclass(frozen=True)
class SyntheticMazesConfig:
    """Search two mazes of 11x11 from which value iteration networks learn to plan in 300 steps.

    Networks have fresh initial weights and are evaluated in mazes of 21x21. About five minutes on
    one core. `dynamaze distill methods synthetic_mazes` evaluates the mazes that are in the
    package, with other networks and mazes.
    """

    output: OutputFile = Path("synthetic_mazes.txt")
    """The file of the mazes."""
    generations: Annotated[int, Range(1, limit=1000)] = 10
    """Generations of pairs."""
    seed: Seed32 = 0
    """Seed of all random numbers."""


def main(config: SyntheticMazesConfig) -> None:
    """Search, print the best pair of each generation, and write the last one.

    Raises:
        ValueError: for a number outside its range.
        OSError: if the file cannot be written.
    """
    check_numbers(config)
    console = Console()
    search = Search(np.random.default_rng(config.seed))
    for _ in tracked(range(config.generations), "generations", config.generations, console):
        search.generation()
        best = search.population[0]
        console.print(
            f"best pair: {np.mean(np.array(best.rates) >= SUFFICIENT):.0%} of {len(best.rates)} "
            f"networks at {SUFFICIENT:.0%}, mean success rate {np.mean(best.rates):.2%}"
        )
    text = as_text(search.population[0].mazes)
    write_atomically(config.output, f"{text}\n".encode())
    console.print(f"{text}\nin {config.output}")


@dataclass
class Candidate:
    """A pair of mazes with the success rates of the networks that were trained on it."""

    mazes: Mazes
    rates: list[float] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Score in [0, 1], of which a larger one is better."""
        rates = np.array(self.rates)
        scores = SHARE_WEIGHT * (rates >= SUFFICIENT) + (1 - SHARE_WEIGHT) * rates
        value, count = PRIOR
        return float((scores.sum() + value * count) / (len(rates) + count))


class Search:
    """Evolution of pairs of mazes.

    Args:
        rng: draws mazes, mutations, and the networks' seeds.
        steps: training steps of a network.
        larger: side of the mazes of the evaluation.
    """

    def __init__(
        self, rng: np.random.Generator, *, steps: int = STEPS, larger: int = LARGER
    ) -> None:
        self.rng, self._steps = rng, steps
        self.population: list[Candidate] = []
        kinds = held_out_generators(larger)
        planes = [
            HeldOut.generate(kinds[name], 2, TRAINING).planes for name in ("perfect", "loops")
        ]
        # Networks that plan may still fail at goals with certain walls beside them, or at an edge.
        # Many small mazes have many such goals.
        goals = HeldOut.generate(held_out_generators(SMALLER)["obstacles"], GOALS, TRAINING).planes
        self._tests = np.concatenate(planes), goals

    def generation(self) -> None:
        """Make new pairs, score them, and score the best again; the best is the first."""
        new = [Candidate(mazes) for mazes in self._new_pairs()]
        self._score(new, 2)
        self.population += new
        self._sort()
        for count, networks in ROUNDS:
            self._score(self.population[:count], networks)
            self._sort()

    def _sort(self) -> None:
        self.population = sorted(self.population, key=lambda each: -each.score)[:KEPT]

    def _new_pairs(self) -> list[Mazes]:
        rng = self.rng
        if not self.population:
            return [random_mazes(rng) for _ in range(FIRST)]
        best = [each.mazes for each in self.population[:PARENTS]]

        def parent() -> Mazes:
            return best[rng.integers(len(best))]

        return [
            *(random_mazes(rng) for _ in range(NEWCOMERS)),
            *(mutated(parent(), rng) for _ in range(MUTANTS)),
            *(mutated(crossed(parent(), parent(), rng), rng) for _ in range(CHILDREN)),
        ]

    def _score(self, candidates: Sequence[Candidate], count: int) -> None:
        """Add the rates of so many fresh networks to each candidate."""
        seeds = self.rng.integers(2**31, size=count * len(candidates))
        networks = ManyNetworks(seeds.tolist())
        planes = np.repeat([as_planes(each.mazes) for each in candidates], count, axis=0)
        networks.train(planes, steps=self._steps, learning_rate=LEARNING_RATE, rng=self.rng)
        rates = np.min([networks.success(test) for test in self._tests], axis=0)
        for candidate, found in zip(candidates, rates.reshape(-1, count), strict=True):
            candidate.rates += found.tolist()


# -- mazes -----------------------------------------------------------------------------------------


def random_mazes(rng: np.random.Generator) -> Mazes:
    """Return a pair of mazes with independent walls and one to five goals."""
    mazes = (rng.random((PAIR, SIDE, SIDE)) < rng.uniform(*DENSITIES)).astype(np.uint8)
    for maze in mazes:
        for _ in range(rng.integers(1, MOST_GOALS + 1)):
            maze[random_cell(rng)] = GOAL
    return mazes


def random_cell(rng: np.random.Generator) -> tuple[int, int]:
    """Return row and column of a cell."""
    row, col = rng.integers(SIDE, size=2)
    return int(row), int(col)


def mutated(mazes: Mazes, rng: np.random.Generator) -> Mazes:
    """Return a copy with some walls flipped, and now and then with a goal moved, added or removed.

    Every maze keeps a goal.
    """
    changed = mazes.copy()
    for _ in range(rng.choice(FLIPS)):
        cell = (int(rng.integers(PAIR)), *random_cell(rng))
        if changed[cell] != GOAL:
            changed[cell] = WALL - changed[cell]
    if rng.random() < 0.3:
        maze = changed[rng.integers(PAIR)]
        goals = np.argwhere(maze == GOAL)
        change = rng.choice(("move", "add", "remove"))
        if change != "add" and (change == "move" or len(goals) > 1):
            maze[tuple(goals[rng.integers(len(goals))])] = FREE
        if change != "remove":
            maze[random_cell(rng)] = GOAL
    return changed


def crossed(first: Mazes, second: Mazes, rng: np.random.Generator) -> Mazes:
    """Return one maze of each pair."""
    return np.stack([first[rng.integers(PAIR)], second[rng.integers(PAIR)]])


def as_planes(mazes: Mazes) -> Planes:
    """Return (mazes, 3, rows, cols) planes with every free cell queried."""
    planes: Planes = np.stack([mazes == WALL, mazes == FREE, mazes == GOAL], 1).astype(np.float32)
    return planes


def as_text(mazes: Mazes) -> str:
    """Return the mazes as lines of `.`, `#` and `G`, with an empty line between two."""
    return "\n\n".join(
        "\n".join("".join(CHARACTERS[cell] for cell in row) for row in maze) for maze in mazes
    )


def from_text(text: str) -> Mazes:
    """Return the mazes of a text, see `as_text`."""
    mazes = [maze.split() for maze in text.strip().split("\n\n")]
    return np.array(
        [[[CHARACTERS.index(c) for c in row] for row in maze] for maze in mazes], np.uint8
    )


if __name__ == "__main__":
    run_script(__file__)
