"""Command of the method experiments, with a toy experiment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dynamaze.benchmarks.distillation.methods import command
from dynamaze.benchmarks.distillation.methods.command import MethodsConfig
from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.common.registry import Registry


def toy_trial(seed: int) -> Arms:
    noise = float((-1) ** seed)
    return {
        "baseline": {"return": 50.0 + seed},
        "better": {"return": 60.0 + seed + noise, "steps": 100.0},
        "equal": {"return": 50.0 + seed + noise},
        "worse": {"return": 40.0 + seed + noise},
    }


TOY = MethodExperiment(
    name="toy",
    method="soft",
    setting="Four arms with known differences.",
    trial=toy_trial,
    comparisons=(
        Comparison("better", "baseline", 9),
        Comparison("better", "baseline", 11),
        Comparison("equal", "baseline", -2, NULL),
        Comparison("worse", "baseline", 0),
    ),
    runs=8,
    lesson="A verdict follows from the numbers.",
    columns=("return", "steps"),
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MethodsConfig:
    """Settings of a run whose only experiment is the toy."""
    registry = Registry("experiment", {"toy": TOY, "other": replace(TOY, name="other", runs=9)})
    monkeypatch.setattr(command, "EXPERIMENTS", registry)
    return MethodsConfig(names=("toy",), output=tmp_path, workers=1)


def test_summary_has_verdicts(toy: MethodsConfig) -> None:
    sections = command.summary(command.run(toy), toy)
    arms, gains, lesson = sections.values()
    # The standard error of 8 differences of +1 and -1 is sqrt(1 / 7): +- 2.36 * 0.38 points.
    assert arms[0] == ("arm", "n", "return, %", "steps")
    assert [line[:2] for line in arms[1:]] == [
        ("baseline", "8"),
        ("better", "8"),
        ("equal", "8"),
        ("worse", "8"),
    ]
    assert [line[-1] for line in arms[1:]] == ["-", "100 (all equal)", "-", "-"]
    assert gains[1][:3] == (
        "better against baseline",
        "+10.0 [9.1, 10.9] (!)",
        "mean >= +9",
    )
    assert [line[3:] for line in gains[1:]] == [
        ("yes", "helps"),
        ("no", "helps, less than demanded"),
        ("yes", "null, non-inferior"),
        ("no", "harms"),
    ]
    assert lesson[-1] == (TOY.lesson,)
    assert next(iter(sections)) == "toy: Four arms with known differences."


def test_run_module_continues_and_plots(
    toy: MethodsConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_module(command, replace(toy, runs=3))
    run_module(command, replace(toy, dry_run=True))
    assert "3 runs are stored, 5 are missing" in capsys.readouterr().out
    run_module(command, replace(toy, names=("toy", "other")))
    folder = toy.output / "results"
    assert len((folder / "methods.csv").read_text().splitlines()) == 1 + 5 * (8 + 9)
    (folder / "methods.png").unlink()
    run_module(command, replace(toy, plot_only=True))
    assert (folder / "methods.png").exists()
    assert "other: lesson" in capsys.readouterr().out


def test_seed_is_the_first_seed(toy: MethodsConfig) -> None:
    rows = command.run(replace(toy, seed=5, runs=2))["methods"]
    assert rows["run"].tolist() == [5] * 5 + [6] * 5
    assert rows["value"][0] == 55.0


def test_command_rejects_unknown_experiments(toy: MethodsConfig) -> None:
    with pytest.raises(ValueError, match=r"NAME='toi'; expected one of .*did you mean 'toy'"):
        run_module(command, replace(toy, names=("toi",)))
    with pytest.raises(ValueError, match="runs=1; expected at least 2 for an interval"):
        run_module(command, replace(toy, runs=1))
