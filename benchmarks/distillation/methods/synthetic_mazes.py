"""Experiment of synthetic mazes: two of them teach a fresh value iteration network to plan.

The mazes are those of `dynamaze distill synthetic-mazes`, in a file beside this module.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from dynamaze.benchmarks.distillation.mazes import (
    TRAINING,
    HeldOut,
    evaluate_policy,
    held_out_generators,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.synthetic_mazes import (
    LARGER,
    LEARNING_RATE,
    PAIR,
    SIDE,
    STEPS,
    SUFFICIENT,
    as_planes,
    from_text,
    random_mazes,
)
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import Planes, ShortestPathPolicy, query_all_cells

MAZES = 50
"""Held-out mazes of each kind."""

SYNTHETIC, REAL, RANDOM = "two synthetic mazes", "two real mazes", "two random mazes"
DEMANDED = "nine of ten networks"

SUCCESS, SHARE = "success", f"networks of {SUFFICIENT:.0%}"
"""Measures: success rate, the least of the three kinds; and 100 if it is sufficient, else 0."""


def trial(seed: int, *, steps: int = STEPS, mazes: int = MAZES) -> Arms:
    """Train the same fresh network on each pair of mazes, and evaluate it in larger ones."""
    rng = np.random.default_rng(seed)
    levels = (TRAINING.first + rng.integers(TRAINING.levels, size=PAIR)).tolist()
    pairs = {
        SYNTHETIC: synthetic_mazes(),
        REAL: query_all_cells(MazeGenerator(SIDE), levels),
        RANDOM: as_planes(random_mazes(rng)),
    }
    arms = {name: measures(trained(pair, seed, steps), mazes) for name, pair in pairs.items()}
    return {**arms, DEMANDED: {SHARE: 90.0}}


@cache
def synthetic_mazes() -> Planes:
    """Return planes of the two mazes."""
    text = files(__package__).joinpath("synthetic_mazes.txt").read_text(encoding="utf-8")
    return as_planes(from_text(text))


def trained(pair: Planes, seed: int, steps: int) -> ValueIterationNetwork:
    """Return a network of new initial weights after its training on a pair of mazes."""
    network = ValueIterationNetwork(seed=seed)
    source = FunctionSource(ShortestPathPolicy(), lambda rng, progress: pair)
    Distiller(
        network, source, total_steps=steps, learning_rate=LEARNING_RATE, device="cpu", seed=seed
    ).distil()
    return network


def measures(network: ValueIterationNetwork, mazes: int) -> dict[str, float]:
    """Return the lowest normalised return and success rate of the kinds, in percent."""
    found = [evaluate_policy(network, each) for each in held_out_mazes(mazes)]
    success = min(each.success for each in found)
    return {
        RETURN: 100 * min(each.normalised_return for each in found),
        SUCCESS: 100 * success,
        SHARE: 100.0 * (success >= SUFFICIENT),
    }


@cache
def held_out_mazes(count: int) -> list[HeldOut]:
    """Return held-out mazes of each kind."""
    generators = held_out_generators(LARGER).values()
    return [HeldOut.generate(generator, count) for generator in generators]


EXPERIMENT = MethodExperiment(
    name="synthetic_mazes",
    method="soft",
    setting=(
        f"A fresh value iteration network of 113 parameters, {STEPS} steps on the cells of two "
        f"{SIDE}x{SIDE} mazes with exact labels: those found by `dynamaze distill "
        "synthetic-mazes`, two real perfect ones, or two of random walls. Evaluation from every "
        f"cell of {MAZES} unseen {LARGER}x{LARGER} mazes of each kind (perfect, loops, obstacles); "
        "the lowest of the three."
    ),
    trial=trial,
    comparisons=(
        Comparison(SYNTHETIC, DEMANDED, 0.0, measure=SHARE),
        Comparison(SYNTHETIC, REAL, 50.0, measure=SUCCESS),
        Comparison(SYNTHETIC, RANDOM, 0.0, measure=SUCCESS),
    ),
    runs=40,
    lesson=(
        "Two small mazes hold all that this architecture has to learn; which two matters: not "
        "mazes of the test's kind, but open ones with several goals."
    ),
    columns=(RETURN, SUCCESS, SHARE),
    testing={"steps": 2, "mazes": 2},
)
