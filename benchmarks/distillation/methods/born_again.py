"""Experiment of born-again networks: generations of one size, and their ensemble."""

from __future__ import annotations

from dynamaze.benchmarks.distillation.methods.few_labels import (
    FULL,
    SETTING,
    TINY,
    FewLabels,
    Size,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.distill.methods.born_again import BornAgain
from dynamaze.distill.teachers.ensemble import Ensemble
from dynamaze.distill.training.distiller import ONLY

LABELS, WRONG, GENERATIONS = 200, 0.4, 3

FIRST, LAST = "generation 1", f"generation {GENERATIONS}"
INHERITED, INDEPENDENT = "ensemble of generations", "ensemble of independent networks"


def trial(seed: int, size: Size = FULL) -> Arms:
    """Train generations and, as a control, as many independent networks on the same labels."""
    data = FewLabels(seed, size)
    labels = data.wrong(LABELS, WRONG)
    method = BornAgain(generations=GENERATIONS)
    loop = data.distil(
        data.student(), labels, method, loss="nll", total_steps=GENERATIONS * size.steps
    )
    inherited = method.ensemble(loop, ONLY)
    students = {str(number): data.student(number) for number in range(GENERATIONS)}
    independent = Ensemble([*data.distil(students, labels, loss="nll").students.values()])
    arms = {f"generation {n}": each for n, each in enumerate(inherited.members, 1)}
    arms |= {INHERITED: inherited, INDEPENDENT: independent}
    return {name: {RETURN: data.percent(policy)} for name, policy in arms.items()}


EXPERIMENT = MethodExperiment(
    name="born_again",
    method="born_again",
    setting=(
        f"{SETTING}. {LABELS} states with the best actions as labels, {WRONG:.0%} of them wrong; "
        f"{FULL.steps} steps for each of {GENERATIONS} generations."
    ),
    trial=trial,
    comparisons=(
        Comparison(LAST, FIRST, -1, NULL),
        Comparison(INHERITED, FIRST, -1, NULL),
        Comparison(INHERITED, INDEPENDENT, -1, NULL),
    ),
    runs=16,
    lesson=(
        "A student of its teacher's size that sees the same data does not become better, and an "
        "ensemble of generations is no better than one of independent networks."
    ),
    testing={"size": TINY},
)
