"""Settings beyond mazes: the list that is never edited, their changes, and runs in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.benchmarks.adaptation import suite
from dynamaze.benchmarks.adaptation.gym_settings import (
    GYM_SETTINGS,
    GYM_SUITE,
    ChangingSetting,
    gym_suite_digest,
)
from dynamaze.benchmarks.adaptation.suite import AdaptationConfig, run
from dynamaze.benchmarks.adaptation.suites import find_setting
from dynamaze.benchmarks.harness.analysis.table import Table, rows_where

DIGEST = "18c289ff1f224144d97ec111d7efa0de819ac4c882ae3d065bb7d04500af2cc2"
"""Of adaptation-gym-v1. Another list is another version: never change this one."""

PATHS = {"before": [1, 1, 2, 2, 1, 2], "after": [2, 2, 1, 1, 1, 2]}
"""Actions along the only path of each map of FrozenLake: 1 down, 2 right."""


def test_list_is_never_edited() -> None:
    assert GYM_SUITE == "adaptation-gym-v1"
    assert gym_suite_digest() == DIGEST
    assert {setting.suite for setting in GYM_SETTINGS.values()} == {GYM_SUITE}
    assert find_setting("taxi_rain") is find_setting("adaptation-gym-v1/taxi_rain")


@pytest.mark.parametrize("name", GYM_SETTINGS)
def test_environments_change_as_declared(name: str) -> None:
    setting = GYM_SETTINGS[name]
    env: Any = setting.make_env(0)
    (change,) = setting.change_steps or ()
    present = {}
    for step, phase in ((change - 1, 0), (change, 1)):
        assert env.reset(seed=0, options={"world_step": step})[1]["phase"] == phase
        inner = env.unwrapped
        present[phase] = {each: getattr(inner, each) for each in (*setting.attributes, "P")[:1]}
    assert present[0] != present[1]
    if setting.attributes:
        assert present[1] == setting.attributes
    else:
        other: Any = gym.make(setting.env_id, **setting.table_of).unwrapped
        assert present[1] == {"P": other.P}


def test_only_path_is_lost() -> None:
    env: Any = GYM_SETTINGS["frozen_lake_path"].make_env(0)
    for step, name in ((0, "before"), (3000, "after")):
        for path, actions in PATHS.items():
            env.reset(seed=0, options={"world_step": step})
            rewards = []
            for action in actions:
                _, reward, terminated, _, _ = env.step(action)
                rewards.append(reward)
                if terminated:
                    break
            assert (sum(rewards) == 1) == (path == name)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    config = AdaptationConfig(
        suite="adaptation-gym-v1",
        runs=2,
        baselines=("random", "q_learning", "oracle"),
        setting=("frozen_lake_path", "pendulum"),
    )
    return run(config)


def test_runs_measure_the_change(tables: dict[str, Table]) -> None:
    table = tables["adaptation"]
    assert set(table["suite"]) == {GYM_SUITE}
    lake = rows_where(table, setting="frozen_lake_path")
    assert (lake["horizon"] == 3000).all()
    assert (rows_where(lake, agent="random")["recovery"] == np.inf).all()
    learned = rows_where(lake, agent="q_learning")
    assert (learned["regret"] < rows_where(lake, agent="random")["regret"] / 2).all()
    assert (learned["recovery"] < 3000).all()
    point = rows_where(table, setting="pendulum")
    assert np.isnan(point["regret"]).all()
    assert (point["horizon"] == 10_000).all()
    assert tables["adaptation_unserved"]["setting"].tolist() == [
        "frozen_lake_path",
        "pendulum",
        "pendulum",
    ]
    sections = suite.summary(tables, AdaptationConfig())
    assert "adaptation-gym-v1: regret as a fraction of the random policy's" in sections


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"change_steps": ()}, "expected steps and one of the two"),
        ({"attributes": {"s": 1}}, "expected steps and one of the two"),
        ({"table_of": {}}, "expected steps and one of the two"),
    ],
)
def test_setting_without_a_change_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(GYM_SETTINGS["taxi_rain"], **changed)


def test_observation_is_refused() -> None:
    setting = ChangingSetting("own", "CartPole-v1", change_steps=(9,), attributes={"tau": 0.01})
    with pytest.raises(ValueError, match="observation 'index'; expected that of CartPole-v1"):
        setting.make_env(0, "index")
