"""`dynamaze bench diff`: two stores, or two CSV files of single runs, compared run by run.

Runs are paired by setting and number, so by seed: what both have in common does not hide a
difference. The code may differ between the two; of several versions in one store the last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro

from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS,
    FEW_RUNS_NOTE,
    UNKNOWN_KIND,
    IntervalEstimate,
    few_runs,
    format_interval,
    mean_interval,
)
from dynamaze.benchmarks.harness.analysis.summaries import significant_digits
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    from_rows,
    read_csv,
    retyped,
    write_csv,
)
from dynamaze.benchmarks.harness.reports.export import SETTING_COLUMNS
from dynamaze.benchmarks.harness.reports.run_metrics import NO_METRICS, RunMetrics, run_metrics
from dynamaze.benchmarks.harness.store.database import Store, StoreError
from dynamaze.common.options import OutputFile

IDENTICAL = "identical bit for bit"
DIFFERS, SAME, TOO_FEW = "differs", "no difference found", "too few runs for this interval"

_NO_RESULTS = (*NO_METRICS, "row", "state", "error")
"""Columns of single runs that are neither settings nor results."""

HEADER = ("setting", "A", "B", "difference [95% interval]", "n", "verdict")
"""Names of the columns of the comparison."""

MAX_LISTED = 20
"""Settings of one file alone that are listed; of others the number is told."""


class Key(NamedTuple):
    """Identity of a setting in both files."""

    experiment: str
    setting: str
    environment: str = ""
    configuration: str = ""


@dataclass(frozen=True)
class Difference:
    """Metric of a setting in both files; NaN where there is no number."""

    key: Key
    metric: str
    first: float
    second: float
    difference: IntervalEstimate
    """Second minus first, paired by run."""
    n: int
    verdict: str
    few: bool = False
    """Whether the runs are too few for the interval, given their skewness."""


class Comparison(NamedTuple):
    """Comparison of two files."""

    differences: list[Difference]
    only_first: list[Key]
    only_second: list[Key]


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two stores, or two CSV files of single runs.

    Raises:
        StoreError: for a file that is no store, or a damaged run.
        ValueError: for a CSV file without single runs.
        OSError: if a file cannot be read.
    """
    runs, others = read_runs(first), read_runs(second)
    differences = [
        each for key in runs if key in others for each in compare_runs(key, runs[key], others[key])
    ]
    return Comparison(
        differences,
        [key for key in runs if key not in others],
        [key for key in others if key not in runs],
    )


def compare_runs(key: Key, first: RunMetrics, second: RunMetrics) -> list[Difference]:
    """Compare the metrics of a setting; one row alone if all runs are identical."""
    _, rows, other_rows = np.intersect1d(first.numbers, second.numbers, return_indices=True)
    n = len(rows)
    is_whole = n == len(first.numbers) == len(second.numbers) > 0
    if is_whole and np.array_equal(first.contents[rows], second.contents[other_rows]):
        return [Difference(key, "all", np.nan, np.nan, _interval(0.0, 0.0, 0.0), n, IDENTICAL)]
    common = [name for name in first.values if name in second.values]
    if not common:
        return [Difference(key, "all", np.nan, np.nan, _NOTHING, n, "no metric in common")]
    return [
        _compare_metric(key, name, first.values[name][rows], second.values[name][other_rows])
        for name in common
    ]


def _compare_metric(
    key: Key, name: str, first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]
) -> Difference:
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    n = len(first)
    if n == 0:
        return Difference(key, name, np.nan, np.nan, _NOTHING, n, "no common runs")
    means = float(first.mean()), float(second.mean())
    paired = second - first
    if n == 1:
        single = _interval(float(paired[0]), -np.inf, np.inf)
        return Difference(key, name, *means, single, n, TOO_FEW)
    interval = mean_interval(paired)
    if not paired.any():
        verdict = "equal"
    elif n < FEW_RUNS:
        verdict = TOO_FEW
    else:
        verdict = DIFFERS if interval.low > 0 or interval.high < 0 else SAME
    return Difference(key, name, *means, interval, n, verdict, few_runs(UNKNOWN_KIND, n))


def _interval(mean: float, low: float, high: float) -> IntervalEstimate:
    return IntervalEstimate(np.array(mean), np.array(low), np.array(high))


_NOTHING = _interval(np.nan, np.nan, np.nan)


# -- reading


def read_runs(path: Path) -> dict[Key, RunMetrics]:
    """Read the single runs of a store or of a CSV file.

    Raises:
        StoreError: for a file that is no store, or a damaged run.
        ValueError: for a CSV file without single runs.
        OSError: if the file cannot be read.
    """
    if path.suffix.lower() == ".csv":
        return runs_of_table(read_csv(path), path)
    with Store(path, write=False) as store:
        last = {
            Key(*stored.group[:4]): stored.id for stored in store.groups() if stored.done
        }  # later groups replace those of older code
        return {key: run_metrics(store, group_id) for key, group_id in last.items()}


def runs_of_table(table: Table, path: Path) -> dict[Key, RunMetrics]:
    """Return the single runs of a table by setting.

    The settings of an exported file (`bench export`) have their columns. In any other table a
    setting is made of the text columns, and of as many further columns as tell apart the rows of a
    run: whole numbers first.

    Raises:
        ValueError: if the table has no column "run".
    """
    if "state" in table:
        done = table["state"] == "done"
        table = {name: values[done] for name, values in table.items()}
    if "run" not in table or not len(table["run"]):
        raise ValueError(f"{path}: no single runs; expected a column 'run' and a row for each run")
    is_exported = set(SETTING_COLUMNS) <= table.keys()
    columns = {name: values for name, values in table.items() if name not in _NO_RESULTS}
    labels = list(Key._fields[1:]) if is_exported else _label_columns(table["run"], columns)
    results = {name: values for name, values in columns.items() if name not in labels}
    settings: dict[Key, list[int]] = {}
    for row in range(len(table["run"])):
        texts = [_label(name, columns[name][row]) for name in labels]
        key = Key("", *texts) if is_exported else Key("", ", ".join(texts))
        settings.setdefault(key, []).append(row)
    return {
        key: _runs_of_rows(table["run"][rows], {n: values[rows] for n, values in results.items()})
        for key, rows in settings.items()
    }


def _runs_of_rows(run: np.ndarray[Any, Any], results: Table) -> RunMetrics:
    """Return the metrics of each run of a setting; of several rows the means."""
    results = {name: retyped(values) for name, values in results.items() if np.any(values != "")}
    numbers, place, counts = np.unique(run, return_inverse=True, return_counts=True)
    contents = [hash(tuple(results))] * len(numbers)
    for row, values in enumerate(zip(*(v.tolist() for v in results.values()), strict=True)):
        # As text: two NaN have different hashes.
        contents[place[row]] = hash((contents[place[row]], repr(values)))
    is_single = len(run) == len(numbers)
    metrics = {
        name if is_single else f"mean of {name}": np.bincount(place, values) / counts
        for name, values in results.items()
        if values.dtype.kind in "biuf"
    }
    return RunMetrics(numbers, metrics, np.array(contents))


def _label_columns(run: np.ndarray[Any, Any], columns: Table) -> list[str]:
    """Return the names of the columns that tell the rows of a run apart."""
    labels = [name for name, values in columns.items() if values.dtype.kind == "U"]
    others = [name for name in columns if name not in labels]
    others.sort(key=lambda name: columns[name].dtype.kind == "f")  # whole numbers first
    while others and _has_repetitions([run, *(columns[name] for name in labels)]):
        labels.append(others.pop(0))
    return labels


def _has_repetitions(columns: Sequence[np.ndarray[Any, Any]]) -> bool:
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    return len(set(rows)) < len(rows)


def _label(name: str, value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{name} {value}"


# -- the command


@dataclass(frozen=True)
class DiffConfig:
    """Compare two stores, or two CSV files of single runs: paired differences with intervals."""

    first: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="A")]
    """A store, or a CSV file with a column `run`."""
    second: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="B")]
    """Another one."""
    output: OutputFile | None = None
    """CSV file for the comparison."""


def main(config: DiffConfig) -> None:
    """Print the comparison, and store it if a file is given.

    Raises:
        ValueError: for a file without runs; a StoreError for one that is no store.
        OSError: if a file cannot be read or written.
    """
    from rich.console import Console

    from dynamaze.benchmarks.harness.analysis.summary_grid import SummaryGrid

    comparison = compare_files(config.first, config.second)
    console = Console()
    for title, lines in difference_sections(comparison.differences).items():
        console.print(SummaryGrid(f"{title}: B - A, paired by run", lines))
    if any(each.few for each in comparison.differences):
        console.print(FEW_RUNS_NOTE, style="italic")
    for name, keys in (("A", comparison.only_first), ("B", comparison.only_second)):
        for key in keys[:MAX_LISTED]:
            console.print(f"only in {name}: {' '.join(filter(None, key))}", soft_wrap=True)
        if len(keys) > MAX_LISTED:
            console.print(f"only in {name}: {len(keys) - MAX_LISTED} others")
    if not comparison.differences:
        raise StoreError(
            f"{config.first} and {config.second} have no setting in common; expected runs of the "
            "same experiment, agent, environment and configuration"
        )
    if config.output is not None:
        write_csv(config.output, difference_table(comparison.differences))
        console.print(f"  {config.output.resolve()}", soft_wrap=True, highlight=False)


def difference_sections(differences: Iterable[Difference]) -> dict[str, Lines]:
    """Return the lines of each metric of each experiment: one for each setting."""
    sections: dict[str, Lines] = {}
    for each in differences:
        is_identical = each.verdict == IDENTICAL
        setting = " ".join(filter(None, (each.key.setting, each.key.environment)))
        numbers = ("", "", "0") if is_identical else _number_texts(each)
        title = ", ".join(filter(None, (each.key.experiment, each.metric)))
        lines = sections.setdefault(title, [HEADER])
        lines.append((setting, *numbers, str(each.n), each.verdict))
    return sections


def _number_texts(each: Difference) -> tuple[str, str, str]:
    if np.isnan(each.difference.mean):
        return "", "", ""
    text = (
        f"{float(each.difference.mean):.4g}"
        if each.n == 1
        else format_interval(each.difference, significant_digits(each.difference), few=each.few)
    )
    return f"{each.first:.4g}", f"{each.second:.4g}", text


def difference_table(differences: Iterable[Difference]) -> Table:
    """Return the comparison as a table: means in A and B, difference with its interval, n."""
    return from_rows(
        [
            {
                **each.key._asdict(),
                "metric": each.metric,
                "a_mean": each.first,
                "b_mean": each.second,
                "difference_mean": float(each.difference.mean),
                "difference_low": float(each.difference.low),
                "difference_high": float(each.difference.high),
                "n": each.n,
                "verdict": each.verdict,
                "few_runs": int(each.few),
            }
            for each in differences
        ]
    )
