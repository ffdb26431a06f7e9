"""Checkpoints that version 0.1 wrote, under its names: they load and continue bit-identically.

The files in data/version_0_1 were written by version 0.1: each agent was saved after some steps,
loaded by version 0.1 and continued for 20 more. `expected.json` holds the action and the reward of
each of these, and the next random number. The files are compressed, to be small.
"""

from __future__ import annotations

import json
import lzma
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, Step, TrajectoryOptimisation, TreeSearch
from dynamaze.agents.checkpoint import OLD_NAMES, new_name

FILES = Path(__file__).parent / "data" / "version_0_1"
ROOM = "S..\n.#.\n..G"
AGENTS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "tree_search": (TreeSearch, lambda: gym.make("DynaMaze-v0", layout="S..G")),
    "tree_search_copies": (TreeSearch, lambda: gym.make("DynaMaze-v0", layout=ROOM)),
    "prioritised_sweeping": (DynaQ, lambda: gym.make("DynaMaze-v0", layout=ROOM)),
    "continuous_search": (
        TrajectoryOptimisation,
        lambda: gym.make("DynaMazeContinuous-v0", layout="S..G"),
    ),
}


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_load_continues_old_agent(name: str, tmp_path: Path) -> None:
    cls, make = AGENTS[name]
    path = tmp_path / "agent.npz"
    path.write_bytes(lzma.decompress((FILES / f"{name}.npz.xz").read_bytes()))
    expected = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # old names in files do not warn
        agent = cls.load(path, make())
    steps: list[Step] = []
    agent.learn(20, steps.append)
    actions, rewards = zip(*expected["steps"], strict=True)
    if name == "continuous_search":  # means and deviations differ in the last bits between CPUs
        np.testing.assert_allclose([step.action for step in steps], actions, rtol=1e-6, atol=1e-9)
    else:
        assert [int(step.action) for step in steps] == list(actions)
    assert [step.reward for step in steps] == list(rewards)
    assert agent.rng.random() == expected["random"]


def test_files_cover_all_old_names() -> None:
    assert {f"{name}.npz.xz" for name in AGENTS} | {"expected.json"} == {
        path.name for path in FILES.iterdir()
    }
    written = b"".join(
        lzma.decompress((FILES / f"{name}.npz.xz").read_bytes()) for name in AGENTS
    ).decode("latin-1")
    for names in OLD_NAMES.values():
        for old in names:
            assert old in written, old


@pytest.mark.parametrize("kind", sorted(OLD_NAMES))
def test_old_names_differ_from_new(kind: str) -> None:
    names = OLD_NAMES[kind]
    assert names
    for old, new in names.items():
        assert old != new
        assert new_name(kind, old) == new
        assert new_name(kind, new) == new
