"""Running of experiments: stored tables, plots and summaries made from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from matplotlib.figure import Figure

from dynamaze.benchmarks.harness.analysis.table import Table, TableError, make_table, write_csv
from dynamaze.benchmarks.harness.experiment import (
    ExperimentConfig,
    figure_content,
    read_tables,
    run_module,
)


@dataclass(frozen=True)
class Toy(ExperimentConfig):
    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"

    runs: int = 5


def square(number: int) -> Table:
    return {"number": np.array([number]), "square": np.array([number**2 / 3])}


def test_read_tables_needs_stored_tables(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="without --plot-only"):
        read_tables(tmp_path, "toy")
    for name in ("toy", "toy_runs", "toys"):
        write_csv(tmp_path / f"{name}.csv", square(1))
    assert list(read_tables(tmp_path, "toy")) == ["toy", "toy_runs"]


@pytest.mark.parametrize(
    "table", [make_table(run=[0, 0, 1, 1, 2, 2]), make_table(agent=["a", "b"], runs=[3, 2])]
)
def test_plot_only_shows_stored_runs(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / "results" / "toy.csv", table)
    experiment = SimpleNamespace(plot=lambda *_: Figure(), summary=lambda *_: [("agent",), ("a",)])
    run_module(experiment, Toy(output=tmp_path, plot_only=True, runs=100))
    assert "mean of 3 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["", "run\n", "steps\n1\n", "run,level\n0,1\n", "run\n0,1\n", "\x00\x01"]
)
def test_plot_only_names_damaged_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results" / "toy.csv"
    path.parent.mkdir()
    path.write_text(content)
    experiment = SimpleNamespace(
        plot=lambda tables, _: Figure() if tables["toy"]["mean"].max() else None,
        summary=lambda *_: [("agent",), ("a",)],
    )
    with pytest.raises(TableError, match=r"toy(\*)?\.csv .*(make it again|run the experiment)"):
        run_module(experiment, Toy(output=tmp_path, plot_only=True))
    assert [file.name for file in path.parent.iterdir()] == ["toy.csv"]


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_equal_figures_equal_files(kind: str) -> None:
    def figure() -> Figure:
        made = Figure(figsize=(1, 1))
        made.subplots().plot([1, 2])
        return made

    assert figure_content(figure(), kind) == figure_content(figure(), kind)
