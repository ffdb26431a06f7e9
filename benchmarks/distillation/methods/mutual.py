"""Experiments of deep mutual learning: peers with data of their own, and with the same data."""

from __future__ import annotations

from dynamaze.benchmarks.distillation.methods.few_labels import FULL, FewLabels, Size
from dynamaze.benchmarks.distillation.methods.harness import (
    RETURN,
    Arms,
)
from dynamaze.distill.methods.mutual import SHARED, Mutual
from dynamaze.distill.teachers.ensemble import Ensemble

PEERS = ("a", "b", "c", "d")

LABELS = 50
"""Labelled states of each peer."""

UNLABELLED = 4000
"""Shared states without labels."""


def disjoint_trial(seed: int, size: Size = FULL, peers: int = len(PEERS)) -> Arms:
    """Train peers on shards of their own: alone, and with each other on the shared states."""
    data = FewLabels(seed, size)
    names = PEERS[:peers]
    shards = {name: data.labelled(LABELS * n, LABELS) for n, name in enumerate(names)}
    states = data.unlabelled(LABELS * peers, UNLABELLED)

    def students() -> dict:
        return {name: data.student(number) for number, name in enumerate(names)}

    alone = data.distil(students(), shards, Mutual(weight=0)).students
    mutual = data.distil(students(), {**shards, SHARED: states}, Mutual()).students
    pooled = data.distil(data.student(), data.labelled(0, LABELS * peers)).student
    return {
        "alone": {RETURN: data.returns(alone).mean()},
        "ensemble of those alone": {RETURN: data.percent(Ensemble([*alone.values()]))},
        "one network with all labels": {RETURN: data.percent(pooled)},
        "mutual": {RETURN: data.returns(mutual).mean()},
    }
