"""Trial of random command lines with a few of them, and what it notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import command_lines
from .command_lines import Line, find_fault


def test_random_lines_have_no_fault(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3", reason="some commands need it")
    outcomes = command_lines.run_trial(80, 3, tmp_path)
    assert len({outcome.line.command for outcome in outcomes}) > 20
    assert [outcome for outcome in outcomes if outcome.fault] == []


@pytest.mark.parametrize(
    ("status", "errors", "fault"),
    [
        (0, "", ""),
        (1, "dynamaze: --seed=-3; expected more\n", ""),
        (2, "dynamaze: no number: '-3'\n", ""),
        (1, "dynamaze: expected non-negative integer\n", "no option named"),
        (1, "dynamaze: --seed=\x1b[31m\n", "control characters"),
        (1, "", "no line about the error"),
        (3, "dynamaze: --seed\n", "exit code 3"),
    ],
)
def test_trial_notices_faults(status: int, errors: str, fault: str) -> None:
    line = Line("bench run figure-8-2", ("--seed", "-3"))
    assert find_fault(line, status, errors) == fault
