"""Every experiment of a method: what it declares, and a trial of toy size."""

from __future__ import annotations

import pytest

from dynamaze.benchmarks.distillation.methods import EXPERIMENTS
from dynamaze.benchmarks.distillation.methods.harness import arm_table, paired_gain
from dynamaze.benchmarks.harness.analysis.table import stack
from dynamaze.distill.training.method import METHODS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment(name: str) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.name == name
    assert experiment.method in METHODS
    assert experiment.runs >= 8
    assert experiment.setting.endswith(".")
    assert experiment.lesson.endswith(".")
    one, other = (arm_table(name, run, experiment.trial(0, **experiment.testing)) for run in (0, 1))
    is_exact = [measure not in experiment.timed for measure in one["measure"].tolist()]
    assert one["value"][is_exact].tolist() == other["value"][is_exact].tolist()
    rows = stack([one, other])
    assert set(experiment.columns) <= set(rows["measure"].tolist())
    for comparison in experiment.comparisons:
        paired_gain(rows, comparison)
