"""Coverage study: rules of marks, stored runs, table, plot and summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_BY_KIND, IntervalEstimate
from dynamaze.benchmarks.harness.analysis.statistics import restricted_mean
from dynamaze.benchmarks.harness.analysis.table import make_table, rows_where, write_csv
from dynamaze.benchmarks.studies import coverage
from dynamaze.benchmarks.studies.coverage import CoverageConfig, data_sets, stored_numbers

ROOT = Path(__file__).parents[3]

CONFIG = CoverageConfig(
    runs=2, samples=400, numbers=(3, 30), data=("two-modes-37", "lognormal", "share-1")
)


def test_coverage_marks_what_does_not_cover(tmp_path: Path) -> None:
    table = coverage.run(replace(CONFIG, output=tmp_path))["coverage"]
    student = rows_where(table, interval="Student", kind="skewed")
    assert student["coverage_mean"][0] < 0.9
    assert student["marked"].tolist() == [1, 1]
    # 93% less four standard errors of 800 samples
    assert (table["coverage_mean"][table["marked"] == 0] > 0.93 - 0.036).all()


def test_coverage_detects_short_intervals() -> None:
    def too_short(data: np.ndarray, truth: float, rng: np.random.Generator) -> np.ndarray:
        mean = data.mean(axis=0)
        half = data.std(axis=0) / np.sqrt(len(data))
        return coverage.within(IntervalEstimate(mean, mean - half, mean + half), truth)

    data = data_sets()["normal"].draw(np.random.default_rng(0), 30, 1000)
    assert too_short(data, 16.0, np.random.default_rng(0)).mean() < 0.75
    check = data_sets()["normal"].checks[0]
    assert check.covers(data, check.truth, np.random.default_rng(0)).mean() > 0.92


def test_coverage_is_repeatable(tmp_path: Path) -> None:
    config = replace(CONFIG, output=tmp_path, samples=50, data=("share-1", "lognormal"))
    first = coverage.run(config)["coverage"]
    other_order = coverage.run(replace(config, data=("lognormal", "share-1")))["coverage"]
    for title in np.unique(first["data"]):
        for name, values in rows_where(first, data=title).items():
            np.testing.assert_array_equal(values, rows_where(other_order, data=title)[name])


@pytest.mark.parametrize("name", data_sets())
def test_every_data_set_runs(name: str) -> None:
    config = CoverageConfig(samples=20, numbers=(2, 5), repetitions=20)
    table = coverage.trial(config, name, (), 0)
    assert len(table["n"]) == 2 * len(data_sets()[name].checks)
    assert (table["covered"] <= table["samples"]).all()


@pytest.mark.parametrize("name", ["two-modes-37", "lognormal", "geometric-steps", "mazes"])
def test_true_means_are_right(name: str) -> None:
    data = data_sets()[name]
    numbers = data.draw(np.random.default_rng(0), 1000, 1000)
    assert numbers.mean() == pytest.approx(data.checks[0].truth, rel=0.02)


def test_true_scores_are_right() -> None:
    scores = coverage.scores_of_tasks(np.random.default_rng(0), 50_000, 1)[:, 0]
    expected = coverage.true_interquartile_mean()
    assert coverage.interquartile_mean(scores) == pytest.approx(expected, abs=2e-3)


def test_restricted_means_are_right() -> None:
    data = data_sets()["stopped"]
    sample = data.draw(np.random.default_rng(0), 20_000, 1)[:, 0]
    interval = restricted_mean(sample[:, 0], sample[:, 1] == 1, 700.0)
    assert interval.mean == pytest.approx(data.checks[0].truth, rel=0.02)


def test_stored_runs_are_resampled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    runs = np.tile(np.arange(40), 2)
    write_csv(
        tmp_path / "results" / "study_runs.csv",
        make_table(
            agent=np.repeat(["a", "b"], 40),
            level=np.repeat([0.5, 1.0], 40),
            run=runs,
            reward=np.concatenate([rng.normal(size=40), rng.lognormal(0, 2, size=40)]),
        ),
    )
    write_csv(tmp_path / "results" / "means.csv", make_table(reward_mean=[1.0, 2.0]))
    ((title, numbers),) = stored_numbers(tmp_path / "results", 5)
    assert title == "Stored: study_runs, reward"
    assert len(numbers) == 40
    assert min(numbers) > 0  # agent b, the most skewed
    config = replace(CONFIG, output=tmp_path, samples=20, data=("normal",))
    table = coverage.run(config)["coverage"]
    assert set(rows_where(table, data=title)["kind"]) == {"skewed", "geometric", "median"}
    assert not stored_numbers(tmp_path / "nowhere", 5)


def test_coverage_plot_and_summary(tmp_path: Path) -> None:
    config = replace(CONFIG, output=tmp_path, samples=50)
    tables = coverage.run(config)
    sections = coverage.summary(tables, config)
    assert list(sections)[-1] == "Intervals without a mark"
    lognormal = next(lines for title, lines in sections.items() if "lognormal" in title)
    assert lognormal[0] == ("n", "Student", "geometric mean", "median, order statistics")
    assert [line[0] for line in lognormal[1:]] == ["3", "30"]
    assert lognormal[1][1].endswith("(!)")
    axes = coverage.plot(tables, config).axes
    assert axes[0].get_ylabel() == "Coverage"


def test_coverage_rejects_unknown_data() -> None:
    with pytest.raises(ValueError, match="data='lognorml'"):
        replace(CONFIG, data=("lognorml",)).check()
    with pytest.raises(ValueError, match="numbers=1"):
        replace(CONFIG, numbers=(1,)).check()


def test_document_states_rule_and_table() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    for kind, fewest in FEW_RUNS_BY_KIND.items():
        assert f'{fewest if fewest > 2 else "never"} (`"{kind}"`)' in text
    for name, data in data_sets().items():
        assert f"| {data.title} | {data.checks[0].interval} |" in text, name
    # Each number without a mark, as printed, is at least 93%.
    rows = [line.strip("|").split("|") for line in text.splitlines() if "(!) |" in line]
    numbers = [cell.strip() for row in rows for cell in row[2:] if "(!)" not in cell]
    assert len(numbers) > 30
    assert all(float(each) >= 93 for each in numbers if each != "-")
