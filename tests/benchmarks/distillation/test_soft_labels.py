"""Soft labels and weights, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation import soft_labels
from dynamaze.benchmarks.distillation.labelled_states import LabelledStates
from dynamaze.benchmarks.distillation.soft_labels import (
    LABEL_LOSSES,
    RESTARTS,
    SMALL_STUDENT,
    WEIGHTED_LOSSES,
    SoftLabelsConfig,
    small_student_states,
)
from dynamaze.benchmarks.harness.experiment import read_tables, run_module
from dynamaze.distill.core.losses import Targets
from dynamaze.envs.generation import MazeGenerator

GENERATOR = MazeGenerator(4, "obstacles", density=0.2)


SMALL = SoftLabelsConfig(runs=2, labelled=(20, 60), few_steps=15, small_steps=15, seed=3, workers=1)


def test_teacher_logits_are_scaled_values() -> None:
    states = LabelledStates(map(GENERATOR.make, range(2)), "planes", 0.2)
    np.testing.assert_allclose(states.teacher_logits(0.05), states.values / 0.05, rtol=1e-6)
    rows = soft_labels.label_dataset(states, SMALL_STUDENT._replace(temperature=0.5)).rows
    np.testing.assert_allclose(rows.logits, 2 * states.values, rtol=1e-6)
    np.testing.assert_array_equal(rows.observations, states.observations)
    assert (rows.weights == 1).all()


def test_margin_weights_of_ties() -> None:
    unique, tied = [30.0, 0.0, 0.0, 0.0], [30.0, 30.0, 0.0, 0.0]
    targets = Targets(torch.tensor([unique, tied]), torch.ones(2))
    outputs = torch.tensor([unique, [0.0, 9.0, 0.0, 0.0]])
    uniform = float(WEIGHTED_LOSSES["uniform"](outputs, targets))
    assert uniform > 0.5
    # Weights 1.2 and 0.2, and only the second row has a loss.
    by_margin = float(WEIGHTED_LOSSES["by margin"](outputs, targets))
    assert by_margin == pytest.approx(uniform * 2 / 7, rel=1e-5)


def test_teacher_divides_probability_equally() -> None:
    states = small_student_states()
    logits = states.teacher_logits(SMALL_STUDENT.temperature)
    policy = torch.softmax(torch.tensor(logits), 1).sort(dim=1, descending=True).values
    two = np.isclose(states.values, states.values.max(axis=1, keepdims=True)).sum(axis=1) == 2
    assert 0.4 < two.mean() < 0.7
    np.testing.assert_allclose(policy[two, 0], policy[two, 1], atol=1e-4)
    assert (policy[two, :2].sum(dim=1) > 0.95).all()


def test_small_student_size() -> None:
    assert (
        soft_labels.initial_student(
            soft_labels.label_dataset(small_student_states(), SMALL_STUDENT), SMALL_STUDENT, 0
        ).num_parameters
        == 313
    )


def test_small_student_uses_best_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[tuple[bytes, ...]] = []

    def best_restart(candidates: Any, source: Any, **settings: Any) -> tuple[int, list[float]]:
        chosen.append(
            tuple(each.layers[0].weight.detach().numpy().tobytes() for each in candidates)
        )
        assert (settings["steps"], settings["total_steps"]) == (8, 15)
        return 4, [0.0] * len(candidates)

    trained = []
    monkeypatch.setattr(soft_labels, "best_restart", best_restart)
    monkeypatch.setattr(
        soft_labels, "train", lambda student, *_: trained.append(student) or student
    )
    soft_labels.trial(SMALL, "small", SMALL.small_steps, 0, 0)
    assert len(chosen) == len(trained) == len(WEIGHTED_LOSSES)
    assert len(set(chosen)) == 1
    assert len(set(chosen[0])) == RESTARTS
    for student in trained:
        assert student.layers[0].weight.detach().numpy().tobytes() == chosen[0][4]


def test_run_is_reproducible() -> None:
    tables = soft_labels.run(SMALL)
    again = soft_labels.run(SMALL)
    for name, table in tables.items():
        for column, values in table.items():
            np.testing.assert_array_equal(values, again[name][column])
    rows = tables["soft_labels"]
    assert len(rows["normalised_return"]) == 2 * 2 * len(LABEL_LOSSES)
    assert len(tables["soft_labels_weights"]["normalised_return"]) == 2 * len(WEIGHTED_LOSSES)
    one, other = (rows["normalised_return"][rows["run"] == run] for run in (0, 1))
    assert (one != other).any()
    assert ((rows["normalised_return"] >= 0) & (rows["normalised_return"] <= 1)).all()


def test_run_module_writes_files_and_rejects_values(tmp_path: Any) -> None:
    config = replace(SMALL, output=tmp_path, labelled=(20,), few_steps=2, small_steps=2)
    run_module(soft_labels, config)
    found = {path.name for path in (tmp_path / "results").iterdir()}
    assert found == {
        "soft_labels.csv",
        "soft_labels_distances.csv",
        "soft_labels_weights.csv",
        "soft_labels_weights_distances.csv",
        "soft_labels.png",
        "soft_labels.html",
        "runs.sqlite",
    }
    run_module(soft_labels, replace(config, plot_only=True))
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        run_module(soft_labels, replace(config, runs=1))
    with pytest.raises(ValueError, match=r"labelled=0; expected a whole number in \[1, 18900\]"):
        run_module(soft_labels, replace(config, labelled=(0,)))
    with pytest.raises(ValueError, match="small_steps=0; expected"):
        run_module(soft_labels, replace(config, small_steps=0))


OLD_TABLES = {
    "labels.csv": """\
run,labelled,loss,kept
0,20,hard labels,0.1105320995925529
0,20,"KL, temperature 1",0.15425195136202619
0,20,"KL, temperature 2",0.15360207945678836
0,20,"KL, temperature 4",0.1462006358444333
0,20,centred logits,0.13862553188626497
1,20,hard labels,0.11777579496208608
1,20,"KL, temperature 1",0.1242451730373523
1,20,"KL, temperature 2",0.11681937602618234
1,20,"KL, temperature 4",0.08436204193047019
1,20,centred logits,0.11719981279460925
""",
    "labels_weights.csv": """\
run,weights,parameters,kept
0,alike,313,0.13116681916497022
0,by margin,313,0.12302163589613772
0,by criticality,313,0.13116681916497022
1,alike,313,0.12302163589613772
1,by margin,313,0.12302163589613772
1,by criticality,313,0.12302163589613772
""",
}
"""Tables of version 0.1, of two runs with two gradient steps."""


def test_run_module_reads_old_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for name, text in OLD_TABLES.items():
        (folder / name).write_text(text)
    config = replace(SMALL, output=tmp_path, plot_only=True)
    run_module(soft_labels, config)
    assert (folder / "soft_labels.png").stat().st_size > 1000
    assert "held-out levels" in capsys.readouterr().out
    tables = read_tables(folder, config.name, config.old_names)
    assert list(tables) == ["soft_labels", "soft_labels_weights"]
    assert tables["soft_labels"]["normalised_return"][0] == 0.1105320995925529
    assert tables["soft_labels_weights"]["weights"][0] == "uniform"
