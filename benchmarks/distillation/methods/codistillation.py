"""Experiment of codistillation in one process: peers learn from copies that are some steps old."""

from __future__ import annotations

from dynamaze.benchmarks.distillation.methods.few_labels import (
    FULL,
    SETTING,
    TINY,
    FewLabels,
    Shards,
    Size,
)
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.distill.methods.codistillation import Codistillation
from dynamaze.distill.methods.mutual import Mutual

ALONE, FRESH = "alone", "mutual"

AGES = {"codistillation, 25 steps": 25, "codistillation, 100 steps": 100}
"""Arm -> steps between two copies."""


def trial(seed: int, size: Size = FULL) -> Arms:
    """Train peers on shards of their own with copies of each other of several ages."""
    data = FewLabels(seed, size)
    shards = Shards(data)
    methods = {ALONE: Mutual(weight=0), FRESH: Mutual()}
    methods |= {name: Codistillation(every=age) for name, age in AGES.items()}
    arms = {}
    for name, method in methods.items():
        students = data.distil(shards.students(), shards.sources, method).students
        arms[name] = {RETURN: data.mean_percent(students)}
    return arms


EXPERIMENT = MethodExperiment(
    name="codistillation",
    method="codistillation",
    setting=(
        f"{SETTING}. Four peers have 50 labelled states each, which no other sees, and answer "
        f"{FULL.unlabelled} shared states without labels; {FULL.steps} steps, in one process."
    ),
    trial=trial,
    comparisons=(
        Comparison("codistillation, 25 steps", ALONE, 38),
        Comparison("codistillation, 25 steps", FRESH, -5, NULL),
        Comparison("codistillation, 100 steps", ALONE, 38),
    ),
    runs=16,
    lesson=(
        "Peers may learn from copies of each other that are some steps old, so that workers need "
        "not wait for each other; the older the copies, the smaller the gain."
    ),
    testing={"size": TINY},
)
