"""Trial of damaged files with a few of the cheap kinds (`make trials` has 10,000 of all)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamaze.common.storage import CheckpointError

from . import damaged_files

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="memory is measured by /proc"
)


def test_damaged_files_raise_one_error(tmp_path: Path) -> None:
    kinds = list(damaged_files.basic_kinds())
    lines: list[str] = []
    rng = np.random.default_rng(0)
    done = damaged_files.damage_files(tmp_path, kinds, 40, rng, lines.append)
    assert (done["failures"], lines) == (0, [])
    assert done["refused"] > 20


def test_pickles_are_not_run(tmp_path: Path) -> None:
    kinds = [kind for kind in damaged_files.basic_kinds() if kind.name != "store.sqlite"]
    done = damaged_files.load_pickles(tmp_path, kinds)
    assert done["pickles refused"] > 50


def test_trial_notices_pickles_that_run(tmp_path: Path) -> None:
    def load(path: Path) -> None:
        try:
            with np.load(path, allow_pickle=True) as archive:
                list(archive.values())
        except Exception:
            raise CheckpointError(path.name) from None

    (agent,) = (kind for kind in damaged_files.basic_kinds() if kind.name == "agent.npz")
    with pytest.raises(AssertionError, match="ran a pickle"):
        damaged_files.load_pickles(tmp_path, [replace(agent, loads=(load,))])


def test_trial_notices_other_errors(tmp_path: Path) -> None:
    def load(path: Path) -> None:
        if b"runs = 3" not in path.read_bytes():
            raise KeyError("runs")

    (toml,) = (kind for kind in damaged_files.basic_kinds() if kind.name == "options.toml")
    wrong = replace(toml, loads=(load,))
    with pytest.raises(AssertionError, match=r"options\.toml: KeyError"):
        damaged_files.damage_files(
            tmp_path, [wrong], 20, np.random.default_rng(0), lambda line: None
        )

    def use_memory(path: Path) -> None:
        np.ones(30_000_000)

    with pytest.raises(AssertionError, match="bytes"):
        damaged_files.outcome(replace(toml, loads=()), use_memory, tmp_path / "x")

    def name_nothing(path: Path) -> None:
        raise CheckpointError("damaged")

    with pytest.raises(AssertionError, match="does not name the file"):
        damaged_files.outcome(replace(toml, loads=()), name_nothing, tmp_path / "x")
