"""The study of transformers, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.distillation import transformer
from dynamaze.benchmarks.distillation.mazes import evaluate_policy
from dynamaze.benchmarks.distillation.teacher_transformer import (
    EVALUATED_SIZES,
    TransformerTeacherConfig,
    held_out,
    train_transformer,
)
from dynamaze.benchmarks.distillation.training import seed_of
from dynamaze.benchmarks.distillation.transformer import TRAINING_SIZES, TransformerConfig
from dynamaze.benchmarks.harness.experiment import run_module

TOY = TransformerConfig(
    runs=2, steps=1, mazes=2, kinds=("obstacles",), layers=1, width=8, heads=1, workers=1
)


def test_study_rows_are_evaluations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = transformer.run(TOY)["transformer"]
    assert len(table["success"]) == 2 * len(TRAINING_SIZES) * len(EVALUATED_SIZES)
    network = train_transformer(
        TransformerTeacherConfig(
            steps=1,
            seed=seed_of(0, 1),
            layers=1,
            width=8,
            heads=1,
            sizes=(7,),
            kinds=("obstacles",),
        )
    )
    expected = evaluate_policy(network, held_out("obstacles", 15, 2))
    at = (table["run"] == 1) & (table["trained_on"] == "7x7 alone") & (table["side"] == 15)
    assert table["success"][at].tolist() == [expected.success]
    assert table["normalised_return"][at].tolist() == [expected.normalised_return]
    run_module(transformer, replace(TOY, output=tmp_path))
    assert {path.name for path in (tmp_path / "results").iterdir()} == {
        "transformer.csv",
        "transformer_distances.csv",
        "transformer.html",
        "transformer.png",
        "runs.sqlite",
    }
    assert "Held-out mazes: success rate" in capsys.readouterr().out


def test_study_summary_of_made_table() -> None:
    rows = [
        {"run": run, "trained_on": name, "mazes": "loops", "side": side}
        | {"success": 0.5 + 0.1 * run, "normalised_return": 0.25}
        for run in range(2)
        for name in TRAINING_SIZES
        for side in (7, 15)
    ]
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    near = {"nearest": 1, "furthest": 10, "cells": 1.0, "weight": 1.0}
    ranges = {name: np.array([(row | near)[name] for row in rows]) for name in rows[0] | near}
    tables = {"transformer": table, "transformer_distances": ranges}
    sections = transformer.summary(tables, TOY)
    by_distance = sections["Success rate by distance to the goal, loops 15x15"]
    assert [line[:2] for line in by_distance[1:]] == [(name, "1-10") for name in TRAINING_SIZES]
    assert all(line[-1].startswith("55.0% [") for line in by_distance[1:])
    lines = sections["Held-out mazes: success rate"]
    assert lines[0] == ("trained on", "mazes", "n", "7x7", "15x15")
    assert [line[:3] for line in lines[1:]] == [(name, "loops", "2") for name in TRAINING_SIZES]
    assert all(cell.startswith("55.0% [") for line in lines[1:] for cell in line[3:])
    assert sections["Held-out mazes: normalised return"][1][3].startswith("25.0%")
    (line, *_), *_ = (
        axes.get_lines() for axes in transformer.plot({"transformer": table}, TOY).axes
    )
    np.testing.assert_allclose(line.get_xydata(), [[7, 55], [15, 55]])


def test_study_refuses_options() -> None:
    with pytest.raises(ValueError, match="layers=0; expected"):
        run_module(transformer, replace(TOY, layers=0))
    with pytest.raises(ValueError, match="width=10, heads=4; expected a width"):
        run_module(transformer, replace(TOY, width=10, heads=4))
