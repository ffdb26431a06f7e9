"""Records of a store: groups of runs, runs, failures and sweeps, as they are given and read."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Lines, Table
from dynamaze.benchmarks.harness.store.encoding import EncodedTable


class Group(NamedTuple):
    """Everything that the runs of a setting share; they differ by their number alone."""

    experiment: str
    """Name of the experiment: "figure_8_2", "compare"."""
    label: str
    """Agent or setting, as shown."""
    environment: str
    """Id of the environment, or ""."""
    configuration: str
    """Canonical JSON of everything else that determines results (`fingerprint.describe`)."""
    code: str
    """Digest of the code that determines results (`fingerprint.code_digest`)."""

    @property
    def digest(self) -> str:
        """SHA-256 over the five parts."""
        return hashlib.sha256(json.dumps(list(self)).encode()).hexdigest()


class RunRecord(NamedTuple):
    """Result of a run."""

    number: int
    table: EncodedTable | None
    """None if the run failed."""
    error: str = ""
    """Traceback of a failed run."""
    seconds: float = 0.0
    attempts: int = 1


class Failure(NamedTuple):
    """Failed run."""

    number: int
    error: str
    attempts: int
    seconds: float


class StoredGroup(NamedTuple):
    """Group and the counts of its runs."""

    id: int
    group: Group
    done: int
    failed: int
    seconds: float
    """Sum over the completed runs."""


class Sweep(NamedTuple):
    """Sweep of an experiment over its settings."""

    id: int
    experiment: str
    configuration: str
    group_ids: tuple[int, ...]
    provenance: dict[str, Any]
    began: float
    ended: float | None
    """Seconds since 1970; None if it was stopped, or still runs."""
    title: str
    sections: dict[str, Lines]
    caption: str


class Chunk(NamedTuple):
    """Consecutive runs of a group, whose tables have the same columns and number of rows."""

    numbers: np.ndarray[Any, Any]  # (runs,)
    columns: Table  # (runs, rows, ...)
    encoded: list[EncodedTable]
