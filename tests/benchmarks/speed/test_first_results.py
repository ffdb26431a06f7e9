"""Tests of the CPU time until the first result."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynamaze.benchmarks.speed import first_results
from dynamaze.benchmarks.speed.first_results import FIRST_RESULTS, FirstResult, cpu_seconds


def test_programs_compile():
    assert len(FIRST_RESULTS) == 5
    for each in FIRST_RESULTS:
        compile(each.program, each.name, "exec")


def test_rows_compare_first_with_later(monkeypatch):
    program = "import os; open(os.environ['NUMBA_CACHE_DIR'] + '/seen', 'a').write('x')"
    chosen = (FirstResult("fast", 60, program), FirstResult("slow", 0.0, program))
    monkeypatch.setattr(first_results, "FIRST_RESULTS", chosen)
    assert [row.met for row in first_results.first_results(1)] == [True, False]


def test_cpu_seconds_of_a_failing_program(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError):
        cpu_seconds("raise SystemExit(3)", str(tmp_path))
