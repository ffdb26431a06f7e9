"""Trial of arguments with a few maps and combinations (`make trials` has many)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.common.registration import ENVIRONMENTS

from . import arguments


def test_arguments_are_refused_by_name() -> None:
    results = arguments.run_trial(maps=300, combinations=250, seed=1, compiled=False)
    assert results.total() == 550
    assert min(results.values()) > 20
    assert len(results) == 4


def test_each_argument_is_checked() -> None:
    ids = [env_id for env_id in ENVIRONMENTS if "Continuous" not in env_id]
    junk = [True, float("nan"), 10**30, "\x1b", {1: 2}, np.zeros((2, 2)), object]
    results = arguments.sweep(ids, False, junk)
    assert results["refused arguments"] > 400


def test_trial_notices_raw_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise KeyError("inside")

    monkeypatch.setattr("dynamaze.envs.maze.read_timed_changes", broken)
    with pytest.raises(KeyError):
        arguments.run_trial(maps=0, combinations=50, seed=0, compiled=False)
    with pytest.raises(AssertionError):
        arguments.check_refusal("'bool' object is not iterable", ["changes"], {"changes": True})
    with pytest.raises(AssertionError):
        arguments.check_message(ValueError("\x1b[31m"))
