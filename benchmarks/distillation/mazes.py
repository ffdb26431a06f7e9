"""Mazes of distillation, for training and held out, and the exact evaluation of policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.intervals import IntervalEstimate, format_interval
from dynamaze.benchmarks.harness.analysis.summaries import fraction_interval
from dynamaze.common.arrays import FloatArray
from dynamaze.distill.core.checks import check_labels, checked_probabilities
from dynamaze.distill.core.distances import DistanceRange, success_by_distance
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.files.card import ReturnEstimate
from dynamaze.distill.teachers import logits_of
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import (
    Planes,
    ShortestPathPolicy,
    distances_to_goal,
    query_all_cells,
    steps_to_goal,
)

TRAINING = LevelRange(0, 1_000_000)
HELD_OUT = LevelRange(10_000_000, 1_000_000)
"""Ranges of levels for training, and held out."""

ENVIRONMENT = {"id": "DynaMazeGenerated-v0", "size": 11, "observation": "planes"}
"""Environment of the policies of these mazes."""

SIZES = (5, 7, 9, 11, 13, 15)
"""Sides of the mazes for training."""

PERFECT = tuple(MazeGenerator(size) for size in SIZES)
LOOPS = tuple(MazeGenerator(size, "prim", loops=0.3) for size in SIZES)
OBSTACLES = tuple(MazeGenerator(size, "obstacles", density=0.3) for size in SIZES)

KINDS = {"perfect": PERFECT, "loops": LOOPS, "obstacles": OBSTACLES}
"""Mazes for training, with equal frequency: with one path, with loops, and with random
obstacles."""


@dataclass(frozen=True)
class MazeSampler:
    """Samples mazes of several generators, with every free cell queried.

    A batch is of one generator, because all mazes of a batch have one shape, and has a similar
    number of cells whatever their size. With `growing` it is a curriculum: the larger ones are
    added as training progresses.
    """

    generators: tuple[MazeGenerator, ...] = (*PERFECT, *LOOPS, *OBSTACLES)
    levels: LevelRange = TRAINING
    cells: int = 1600
    growing: bool = False

    def __call__(self, rng: np.random.Generator, progress: float) -> Planes:
        """Return planes of mazes drawn at random, (mazes, 3, rows, cols)."""
        generators = self.generators
        if self.growing:
            largest = max(generator.shape for generator in generators)
            smallest = min(generator.shape for generator in generators)
            side = smallest[0] + 2 * progress * (largest[0] - smallest[0])
            generators = tuple(generator for generator in generators if generator.shape[0] <= side)
        generator = generators[int(rng.integers(len(generators)))]
        count = max(2, self.cells // (generator.shape[0] * generator.shape[1]))
        numbers = self.levels.first + rng.integers(self.levels.levels, size=count)
        return query_all_cells(generator, numbers.tolist())


@dataclass(frozen=True)
class HeldOut:
    """Held-out mazes, on which a policy is evaluated from every cell."""

    planes: Planes  # (mazes, 3, rows, cols)
    shortest: np.ndarray[tuple[int], np.dtype[np.int64]]  # (queries,) shortest path lengths

    @classmethod
    def generate(
        cls, generator: MazeGenerator, count: int, levels: LevelRange = HELD_OUT
    ) -> HeldOut:
        """Return the first mazes of a range of levels."""
        planes = query_all_cells(generator, range(levels.first, levels.first + count))
        return cls(planes, distances_to_goal(planes)[planes[:, 1] > 0.5])


def held_out_generators(size: int) -> dict[str, MazeGenerator]:
    """Return the kinds of mazes, of one size."""
    return {
        "perfect": MazeGenerator(size),
        "loops": MazeGenerator(size, "prim", loops=0.3),
        "obstacles": MazeGenerator(size, "obstacles", density=0.3),
    }


# -- exact evaluation ---------------------------------------------------------------------------

GAMMA = 0.95
"""Discount of the evaluations."""


class EvaluationResult(NamedTuple):
    """Evaluation of a policy, as means over mazes of means over their cells."""

    success: float  # success rate: fraction of the cells from which it reaches the goal
    normalised_return: float  # discounted return as a fraction of the optimal return
    agreement: float  # fraction of the cells in which its action is optimal
    by_maze: FloatArray  # (mazes,) normalised return in each
    success_by_maze: FloatArray  # (mazes,) success rate in each
    by_distance: tuple[DistanceRange, ...]  # success rates by distance to the goal


def evaluate_policy(policy: Any, held_out: HeldOut, chunk: int = 64) -> EvaluationResult:
    """Evaluate a greedy policy from every queried cell, exactly and without playing episodes.

    Args:
        policy: an object with `action_logits` or `action_probabilities`.
        held_out: the mazes.
        chunk: mazes in one call of the policy.
    """
    planes, predict = held_out.planes, outputs_of(policy)
    outputs = [predict(planes[at : at + chunk]) for at in range(0, len(planes), chunk)]
    actions = np.concatenate(outputs).argmax(axis=1)
    steps = steps_to_goal(planes, actions)
    maze = np.nonzero(planes[:, 1] > 0.5)[0]
    reached = steps >= 0
    # The reward is 1 at the goal, so a return is gamma^(steps - 1).
    returns = np.where(reached, GAMMA ** np.maximum(steps - 1.0, 0), 0.0)
    best = GAMMA ** (held_out.shortest - 1.0)
    counts = np.bincount(maze)
    success = np.bincount(maze, reached) / counts
    by_maze = np.bincount(maze, returns) / np.bincount(maze, best)
    return EvaluationResult(
        float(success.mean()),
        float(by_maze.mean()),
        _agreement(held_out, actions),
        by_maze,
        success,
        success_by_distance(held_out.shortest, reached, maze, gamma=GAMMA),
    )


def outputs_of(policy: Any) -> Callable[[Any], Any]:
    """Return the policy's function of observations, whose largest output is the greedy action.

    Its outputs are checked: logits that are finite, or probabilities.
    """
    if not hasattr(policy, "action_logits"):
        return lambda planes: checked_probabilities(policy.action_probabilities(planes), policy)

    def logits(planes: Any) -> FloatArray:
        found = logits_of(policy, planes)
        check_labels(found, policy, is_gaussian=False)
        return found

    return logits


def evaluate_on_kinds(
    policy: Any, size: int, mazes: int
) -> Iterator[tuple[str, HeldOut, EvaluationResult]]:
    """Yield the evaluations of a policy in held-out mazes of each kind, of one size."""
    for name, generator in held_out_generators(size).items():
        held_out = HeldOut.generate(generator, mazes)
        yield name, held_out, evaluate_policy(policy, held_out)


def return_estimate(result: EvaluationResult) -> ReturnEstimate:
    """Return the normalised return with its interval over mazes.

    It is that of a fraction (`fraction_interval`): a mean of numbers of which nearly all are 1 has
    none by Student, which would be from 1 to 1 where no maze of the sample fails.
    """
    found = fraction_interval(result.by_maze)
    share, low, high = (float(part) for part in found)
    return ReturnEstimate(share, low, high, len(result.by_maze))


def percent_text(by_maze: FloatArray) -> str:
    """Return the mean of fractions of each maze and its interval: "99.91% [99.2, 100.0] n=500"."""
    percents = IntervalEstimate(*(100 * part for part in fraction_interval(by_maze)))
    return format_interval(percents, 2, unit="%", runs=len(by_maze))


def _agreement(held_out: HeldOut, actions: Any) -> float:
    """Return the fraction of the cells in which the action leads a step nearer to the goal."""
    best = ShortestPathPolicy().action_probabilities(held_out.planes)
    return float((best[np.arange(len(actions)), actions] > 0).mean())
