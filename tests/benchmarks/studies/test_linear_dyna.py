"""Linear Dyna on the Boyan chain, with few runs."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table, rows_where
from dynamaze.benchmarks.studies.linear_dyna import (
    METHODS,
    LinearDynaConfig,
    chain_episode,
    chain_features,
    chain_values,
    plot,
    root_mean_square,
    run,
    summary,
)

CONFIG = LinearDynaConfig(runs=3, episodes=6)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return run(CONFIG)


def test_chain_matches_boyan() -> None:
    features = chain_features(4)
    assert features.shape == (13, 4)
    np.testing.assert_array_equal(
        features[[12, 11, 8]], [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(chain_values(4), [-24, -16, -8, 0])
    np.testing.assert_allclose(features @ chain_values(4), -2 * np.arange(13))
    assert root_mean_square(features, chain_values(4)) == 0
    assert len(chain_features(25)) + 1 == 98


def test_episode_rewards_match_values() -> None:
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


def test_planning_lowers_early_error(
    tables: dict[str, Table],
) -> None:
    fifth = {m: rows_where(tables["linear_dyna"], method=m)["error_mean"][4] for m in METHODS}
    assert fifth["Dyna, MG by pops"] < fifth["Dyna, PWMA"] < fifth["Dyna, random"] < fifth["TD"]
    assert fifth["Dyna, MG by pops"] < fifth["Dyna, MG"] < fifth["TD"] / 3
    assert fifth["Dyna, random"] < fifth["TD"] / 3


def test_plot_and_summary_of_table(tables: dict[str, Table]) -> None:
    table = tables["linear_dyna"]
    assert {len(column) for column in table.values()} == {5 * CONFIG.episodes}
    assert (table["error_low"] <= table["error_mean"]).all()
    lines = plot(tables, CONFIG).axes[0].lines
    drawn = np.concatenate([line.get_ydata() for line in lines])
    np.testing.assert_array_equal(drawn, table["error_mean"])
    first, *rest = summary(tables, CONFIG)
    assert first == ("method", "n", "episode 5", "episode 6")
    assert {line[1] for line in rest} == {str(CONFIG.runs)}
    assert [line[0] for line in rest] == list(METHODS)


def test_run_is_reproducible(tables: dict[str, Table]) -> None:
    again = run(CONFIG)["linear_dyna"]
    for name, column in tables["linear_dyna"].items():
        np.testing.assert_array_equal(column, again[name])
