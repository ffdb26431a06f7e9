"""Trial of arguments with a few maps and combinations (`make trials` has many)."""

from __future__ import annotations

from typing import Any

import pytest

from . import arguments


def test_arguments_are_refused_by_name() -> None:
    results = arguments.run_trial(maps=300, combinations=250, seed=1, compiled=False)
    assert results.total() == 550
    assert min(results.values()) > 20
    assert len(results) == 4


def test_trial_notices_raw_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise KeyError("inside")

    monkeypatch.setattr("dynamaze.envs.maze.read_schedule", broken)
    with pytest.raises(KeyError):
        arguments.run_trial(maps=0, combinations=50, seed=0, compiled=False)
    with pytest.raises(AssertionError):
        arguments.check_refusal("'bool' object is not iterable", ["changes"], {"changes": True})
    with pytest.raises(AssertionError):
        arguments.check_message(ValueError("\x1b[31m"))
