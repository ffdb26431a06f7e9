"""Tables of an experiment written and read again, for the tests of plots and summaries."""

from __future__ import annotations

from pathlib import Path

from dynamaze.benchmarks.harness.analysis.table import Tables, write_csv
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, read_tables


def store(tables: Tables, config: ExperimentConfig, folder: Path) -> Tables:
    """Check intervals and runs of the tables, and return them as they are read from files."""
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
        for kind in [column[:-5] for column in table if column.endswith("_mean")]:
            assert (table[f"{kind}_low"] <= table[f"{kind}_mean"]).all()
            assert (table[f"{kind}_mean"] <= table[f"{kind}_high"]).all()
        assert set(table["runs"]) == {config.runs}
    return read_tables(folder, config.name)
