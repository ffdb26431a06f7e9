"""The soak test, with few steps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table, make_table
from dynamaze.benchmarks.harness.experiment import run_module
from dynamaze.benchmarks.studies import soak
from dynamaze.benchmarks.studies.soak import PARTS, SoakConfig, check_parts, combined, run


def parts(sigmas: float = 0.5, memory: float = 100.0, goals: int = 9) -> Table:
    """Return the table of two runs; the last part of the second is given."""
    table = make_table(
        run=np.repeat([0, 1], PARTS),
        part=np.tile(np.arange(1, PARTS + 1), 2),
        steps=1000,
        goals=9,
        sigmas=0.5,
        memory=100.0,
        rate=1.0,
    )
    for name, value in {"sigmas": sigmas, "memory": memory, "goals": goals}.items():
        table[name][-1] = value
    return table


def test_short_runs_match_exact_values() -> None:
    table = run(SoakConfig(runs=2, steps=1e6, num_envs=100))["soak"]  # false-alarm rate 1e-5
    assert table["steps"].tolist() == [100_000] * 2 * PARTS
    assert table["run"].tolist() == [0] * PARTS + [1] * PARTS
    one, other = table["goals"].reshape(2, PARTS)
    assert (one != other).any()


def test_run_module_prints_deviations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_module(soak, SoakConfig(runs=2, steps=1e4, num_envs=10, output=tmp_path))
    assert "sigma" in capsys.readouterr().out
    assert (tmp_path / "results" / "soak.png").stat().st_size > 1000


def test_summary_combines_parts() -> None:
    lines = soak.summary({"soak": parts(sigmas=-3.0)}, SoakConfig())
    assert [line[:2] for line in lines[1:]] == [("0", "10"), ("1", "10"), ("all", "20")]
    assert lines[1][4] == f"{0.5 * math.sqrt(10):+.2f} sigma"
    assert lines[2][5] == "-3.00 sigma"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"sigmas": -7.0, "goals": 4}, r"run 1, part 10: 4 goals, -7\.0 standard deviations off"),
        ({"memory": 1000.0}, "run 1: 900 MB more memory"),
    ],
)
def test_check_detects_drift(bad: dict[str, float], message: str) -> None:
    check_parts(parts())
    with pytest.raises(RuntimeError, match=message):
        check_parts(parts(**bad))  # type: ignore[arg-type]


def test_check_detects_drift_of_all_parts() -> None:
    biased = {**parts(), "sigmas": np.full(2 * PARTS, 1.2)}  # each of them is accepted
    assert combined(biased["sigmas"]) == pytest.approx(1.2 * math.sqrt(20))
    with pytest.raises(RuntimeError, match=r"in all runs, \+5\.4 standard deviations"):
        check_parts(biased)


def test_run_rejects_few_steps() -> None:
    with pytest.raises(ValueError, match="steps=5 of 4 environments; expected >= 40"):
        run(SoakConfig(steps=5, num_envs=4))
    with pytest.raises(ValueError, match="num_envs=0; expected"):
        run(SoakConfig(num_envs=0))
    with pytest.raises(ValueError, match="runs=1; expected at least 2"):
        run(SoakConfig(runs=1))
