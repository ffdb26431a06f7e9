"""Linear Dyna on the Boyan chain, with few runs."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.table import Table, rows_where
from dynamaze.benchmarks.studies.boyan_chain import (
    chain_episode,
    chain_features,
    chain_values,
    root_mean_square,
)
from dynamaze.benchmarks.studies.linear_dyna import METHODS, LinearDynaConfig, plot, run, summary

CONFIG = LinearDynaConfig(runs=3, episodes=6)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def test_the_chain_has_the_features_and_values_of_boyans() -> None:
    features = chain_features(4)
    assert features.shape == (13, 4)
    np.testing.assert_array_equal(
        features[[12, 11, 8]], [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(chain_values(4), [-24, -16, -8, 0])
    np.testing.assert_allclose(features @ chain_values(4), -2 * np.arange(13))
    assert root_mean_square(features, chain_values(4)) == 0
    assert len(chain_features(25)) + 1 == 98


def test_an_episode_pays_what_its_states_are_worth() -> None:
    features = chain_features(4)
    for seed in range(50):
        episode = chain_episode(features, np.random.default_rng(seed))
        states = features.shape[0] - 1 - (episode.features @ [0, 4, 8, 12])
        assert states[0] == 12
        assert states[-1] == 0
        steps = -np.diff(states)
        assert set(steps) <= {1, 2}
        np.testing.assert_array_equal(episode.reward[:-1], np.where(states[:-1] == 1, -2, -3))
        np.testing.assert_array_equal(episode.next_features[:-1], episode.features[1:])
        assert not episode.next_features[-1].any()


def test_planning_reaches_back_faster_and_prioritised_sweeping_first(
    tables: dict[str, Table],
) -> None:
    fifth = {m: rows_where(tables["linear_dyna"], "method", m)["error_mean"][4] for m in METHODS}
    assert fifth["Dyna, MG by pops"] < fifth["Dyna, PWMA"] < fifth["Dyna, random"] < fifth["TD"]
    assert fifth["Dyna, MG by pops"] < fifth["Dyna, MG"] < fifth["TD"] / 3
    assert fifth["Dyna, random"] < fifth["TD"] / 3


def test_the_picture_and_the_summary_come_from_the_table(tables: dict[str, Table]) -> None:
    table = tables["linear_dyna"]
    assert {len(column) for column in table.values()} == {5 * CONFIG.episodes}
    assert (table["error_low"] <= table["error_mean"]).all()
    lines = plot(tables, CONFIG).axes[0].lines
    drawn = np.concatenate([line.get_ydata() for line in lines])
    np.testing.assert_array_equal(drawn, table["error_mean"])
    first, *rest = summary(tables, CONFIG)
    assert first == ("method", "episode 5", "episode 6")
    assert [line[0] for line in rest] == list(METHODS)


def test_the_same_seed_gives_the_same_table(tables: dict[str, Table]) -> None:
    again = run(CONFIG)["linear_dyna"]
    for name, column in tables["linear_dyna"].items():
        np.testing.assert_array_equal(column, again[name])
