"""`dynamaze bench export`: the runs of a store as CSV files, one for each experiment.

A run has a row, or as many as its table has, which are numbered by the column `row`. Failed runs
have a row with the last line of their traceback. Reading a file needs no more memory than a few
hundred runs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from dynamaze.benchmarks.harness.store.database import Chunk, Store, StoredGroup, StoreError
from dynamaze.common.atomic_files import open_atomically
from dynamaze.common.options import OutputFolder

SETTING_COLUMNS = ("setting", "environment", "configuration", "run", "row", "state", "error")
"""Columns before those of the runs' tables."""


@dataclass(frozen=True)
class ExportConfig:
    """Write the runs of a store as CSV files: one for each experiment, a row for each run."""

    store: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[STORE]")] = Path(
        "results/runs.sqlite"
    )
    """The store."""
    output: OutputFolder = Path()
    """Folder for the files NAME_runs.csv; the working directory by default."""


def main(config: ExportConfig) -> None:
    """Write the files and print their paths.

    Raises:
        StoreError: if there is no such store, or it is damaged.
        OSError: if a file cannot be written.
    """
    with Store(config.store, write=False) as store:
        for path in export_runs(store, config.output):
            print(path.resolve())


def export_runs(store: Store, folder: Path) -> list[Path]:
    """Write NAME_runs.csv for each experiment of a store, and return the files.

    Args:
        store: the store.
        folder: is created if it is missing.

    Raises:
        StoreError: if there are no runs, or one is damaged.
        OSError: if a file cannot be written.
    """
    names = stored_experiments(store)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for experiment in names:
        groups = store.groups(experiment)
        columns = store.column_names(stored.id for stored in groups)
        path = folder / f"{file_stem(experiment)}_runs.csv"
        _write_rows(
            path,
            [*SETTING_COLUMNS, *columns],
            (row for stored in groups for row in _group_rows(store, stored, columns)),
        )
        paths.append(path)
    return paths


def stored_experiments(store: Store) -> list[str]:
    """Return the names of the experiments of a store.

    Raises:
        StoreError: if there are none.
    """
    names = store.experiments()
    if not names:
        raise StoreError(
            f"{store.path}: no runs; run an experiment first, such as "
            "`dynamaze bench run figure-8-2`"
        )
    return names


def file_stem(experiment: str) -> str:
    """Return the name of an experiment's files, which stay in their folder whatever it is."""
    return re.sub(r"[^\w-]", "_", experiment)[:100]


def _group_rows(
    store: Store, stored: StoredGroup, columns: Sequence[str]
) -> Iterator[Sequence[Any]]:
    group = stored.group
    # A short name for settings that differ in nothing but their configuration.
    digest = sha256(group.configuration.encode()).hexdigest()[:12]
    setting = (group.label, group.environment, digest)
    for chunk in store.chunks(stored.id):
        for number, row, values in _chunk_rows(chunk, columns):
            yield (*setting, number, row, "done", "", *values)
    blank = [""] * len(columns)
    for failure in store.failures(stored.id) if stored.failed else ():
        lines = failure.error.strip().splitlines() or [""]
        yield (*setting, failure.number, 0, "failed", lines[-1], *blank)


def _chunk_rows(chunk: Chunk, columns: Sequence[str]) -> Iterator[tuple[int, int, Sequence[Any]]]:
    """Yield the number of the run, the row and the values of each row."""
    runs = len(chunk.numbers)
    rows = next(iter(chunk.columns.values())).shape[1] if chunk.columns else 0
    blank = np.full(runs * rows, "")
    flat = [
        chunk.columns[name].reshape(runs * rows, -1 if rows else 1)
        if name in chunk.columns
        else blank[:, None]
        for name in columns
    ]
    # A value of several numbers (a vector in each row) is one field: "1.0 2.0".
    texts = [
        part[:, 0].tolist()
        if part.shape[1] == 1
        else [" ".join(map(str, each)) for each in part.tolist()]
        for part in flat
    ]
    for at, values in enumerate(zip(*texts, strict=True)):
        yield int(chunk.numbers[at // rows]), at % rows, values


def _write_rows(path: Path, header: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Write a CSV file row by row, which replaces an older one when it is complete."""
    with open_atomically(path) as file:
        text = io.TextIOWrapper(file, newline="", encoding="utf-8", errors="replace")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        text.detach()
