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
    trials = [
        arm_table(name, seed, experiment.trial(seed, **experiment.testing)) for seed in (0, 1)
    ]
    rows = stack(trials)
    assert set(experiment.columns) <= set(rows["measure"].tolist())
    for comparison in experiment.comparisons:
        paired_gain(rows, comparison)
    again = arm_table(name, 0, experiment.trial(0, **experiment.testing))
    assert again["value"].tolist() == trials[0]["value"].tolist()
