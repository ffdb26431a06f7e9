"""Command `dynamaze bench speed`: all speeds, each beside its baseline, in one run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid

from dynamaze.benchmarks.harness.analysis.table import from_rows, write_csv
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.timing import (
    Measure,
    SpeedRow,
    median_seconds,
    seconds,
    time_alternately,
    time_row,
)
from dynamaze.benchmarks.speed.envs import MEASUREMENTS as ENVIRONMENTS
from dynamaze.benchmarks.speed.first_results import MEASUREMENTS as FIRST_RESULTS
from dynamaze.benchmarks.speed.learners import MEASUREMENTS as LEARNERS
from dynamaze.benchmarks.speed.peer_planners import MEASUREMENTS as PEER_PLANNERS
from dynamaze.benchmarks.speed.peers import MEASUREMENTS as PEERS
from dynamaze.benchmarks.speed.planners import MEASUREMENTS as PLANNERS
from dynamaze.benchmarks.speed.runners import MEASUREMENTS as RUNNERS
from dynamaze.benchmarks.speed.students import MEASUREMENTS as STUDENTS
from dynamaze.common.heartbeat import set_status
from dynamaze.common.options import Range, ResultsFolder, check_numbers

Part = Literal[
    "environments",
    "learners",
    "planners",
    "students",
    "runners",
    "first-results",
    "peers",
    "start",
]


@dataclass(frozen=True)
class Speed:
    """Measure the speeds of environments, rendering, agents, students, runner and start-up.

    Peers, libraries that do the same, are measured beside them where they are installed
    (`pip install "dynamaze[peers]"`).
    """

    repeats: Annotated[int, Range(1, limit=1000)] = 5
    """Timings of each pair; the table shows medians."""
    parts: tuple[Part, ...] = ()
    """Parts to measure; all by default."""
    output: ResultsFolder = Path()
    """Folder of `results/speed.csv`; the working directory by default."""


def main(config: Speed) -> None:
    """Measure all speeds, print the table and store it.

    Raises:
        ValueError: for fewer than 1 repeat.
    """
    check_numbers(config)
    console = Console()
    rows: list[SpeedRow] = []
    for measure in (each for part in config.parts or PARTS for each in PARTS[part]):
        task = f"measuring {measure.__name__.replace('_', ' ')} ..."
        set_status(task)
        with console.status(task):
            rows += measure(config.repeats)
    console.print(speed_grid(rows))
    path = config.output / "results" / "speed.csv"
    write_csv(path, from_rows([row._asdict() for row in rows]))
    console.print(f"written to {path.resolve()}", soft_wrap=True, highlight=False)


def speed_grid(rows: Iterable[SpeedRow]) -> Grid:
    """Return the table for the terminal, in 80 columns: a second line has baseline and target."""
    grid = Grid(title="Speeds (medians)", box=SIMPLE_HEAD)
    grid.add_column("measurement\n  beside")
    for name in ("speed\n", "ratio\n  target", "met\n"):
        grid.add_column(name, no_wrap=name.startswith("met"))
    for row in rows:
        met = ("yes" if row.met else "NO") if row.target else ""
        baseline, target = (Padding(text, (0, 0, 0, 2)) for text in (row.baseline, row.target))
        if row.baseline or row.ratio:
            grid.add_row(row.measurement, row.speed, row.ratio, met)
            grid.add_row(baseline, row.baseline_speed, target, "")
        else:
            grid.add_row(row.measurement, row.speed, target, met)
    return grid


# -- whole processes ---------------------------------------------------------------------------


def figures_from_cold(repeats: int) -> list[SpeedRow]:
    """Three figures in a fresh process without a compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        only = ["--only", "figure-8-2", "figure-8-4", "figure-8-5"]
        command = ["-m", "dynamaze", "figures", "--runs", "500", "--output", folder, *only]
        took = seconds(lambda: _python(*command, NUMBA_CACHE_DIR=f"{folder}/cache"))
    return [time_row("three figures, 500 runs, cold", took, "s", 60)]


def start_up(repeats: int) -> list[SpeedRow]:
    """Import time, and time of the help text."""
    pair = time_alternately(
        lambda: _python("-c", "import dynamaze"),
        lambda: _python("-c", "import gymnasium"),
        4 * repeats,
    )
    more = (pair.ours - pair.baseline) * 1e3
    help_took = median_seconds(lambda: _python("-m", "dynamaze", "--help"), 4 * repeats)
    return [
        SpeedRow(
            "import dynamaze",
            f"{pair.ours * 1e3:.0f} ms",
            "import gymnasium",
            f"{pair.baseline * 1e3:.0f} ms",
            f"{more:+.0f} ms",
            "<= +20 ms",
            more <= 20,
        ),
        time_row("dynamaze --help", help_took, "s", 0.25, digits=2),
    ]


def _python(*arguments: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )


PARTS: dict[str, tuple[Measure, ...]] = {
    "environments": ENVIRONMENTS,
    "learners": LEARNERS,
    "planners": PLANNERS,
    "students": STUDENTS,
    "runners": RUNNERS,
    "first-results": FIRST_RESULTS,
    # After the others: the peers bring threads of their own.
    "peers": (*PEER_PLANNERS, *PEERS),
    "start": (figures_from_cold, start_up),
}
"""Measurements by the name of their part, in the order in which they are made."""

if __name__ == "__main__":
    run_script(__file__)
