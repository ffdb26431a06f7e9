"""Experiments of deep mutual learning: peers with data of their own, and with the same data."""

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
from dynamaze.distill.methods.mutual import Mutual
from dynamaze.distill.teachers.ensemble import Ensemble

ALONE, ENSEMBLE, POOLED = "alone", "ensemble of those alone", "one network with all labels"


def disjoint_trial(seed: int, size: Size = FULL) -> Arms:
    """Train peers on shards of their own: alone, and with each other on the shared states."""
    data = FewLabels(seed, size)
    shards = Shards(data)
    alone = data.distil(shards.students(), shards.sources, Mutual(weight=0)).students
    mutual = data.distil(shards.students(), shards.sources, Mutual()).students
    pooled = data.distil(data.student(), shards.pooled).student
    return {
        ALONE: {RETURN: data.mean_percent(alone)},
        ENSEMBLE: {RETURN: data.percent(Ensemble([*alone.values()]))},
        POOLED: {RETURN: data.percent(pooled)},
        "mutual": {RETURN: data.mean_percent(mutual)},
    }


DISJOINT = MethodExperiment(
    name="mutual",
    method="mutual",
    setting=(
        f"{SETTING}. Four peers have 50 labelled states each, which no other sees, and answer "
        f"{FULL.unlabelled} shared states without labels; {FULL.steps} steps."
    ),
    trial=disjoint_trial,
    comparisons=(
        Comparison("mutual", ALONE, 40),
        Comparison("mutual", POOLED, -5, NULL),
        Comparison("mutual", ENSEMBLE, 0),
    ),
    runs=16,
    lesson=(
        "Peers whose data are private teach each other, through their answers on shared states, "
        "about as much as one network learns from all labels, and more than their ensemble knows."
    ),
    testing={"size": TINY},
)

PEERS, LABELS, WRONG = "abc", 200, 0.4
"""Of the experiment with the same data: peers, labelled states, and fraction of wrong labels."""


def same_data_trial(seed: int, size: Size = FULL) -> Arms:
    """Train peers on the same labels, of which many are wrong: alone, and with each other."""
    data = FewLabels(seed, size)
    labels = data.wrong(LABELS, WRONG)
    arms = {}
    for name, weight in ((ALONE, 0.0), ("mutual", 1.0)):
        students = {peer: data.student(number) for number, peer in enumerate(PEERS)}
        trained = data.distil(students, labels, Mutual(weight), loss="nll").students
        arms[name] = {RETURN: data.mean_percent(trained)}
    return arms


SAME_DATA = MethodExperiment(
    name="mutual_same_data",
    method="mutual",
    setting=(
        f"{SETTING}. Three peers have the same {LABELS} states with the best actions as labels, "
        f"{WRONG:.0%} of them wrong; {FULL.steps} steps."
    ),
    trial=same_data_trial,
    comparisons=(Comparison("mutual", ALONE, -1, NULL),),
    runs=16,
    lesson="Peers that all see the same data have nothing to teach each other.",
    testing={"size": TINY},
)
