"""The comparison of the models, on toy sizes, and what it measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, Transitions
from dynamaze.agents.models import MODELS
from dynamaze.benchmarks.harness.runner import read_tables
from dynamaze.benchmarks.harness.table import Table, stack
from dynamaze.benchmarks.studies import model_comparison as models
from dynamaze.benchmarks.studies import model_trial
from dynamaze.benchmarks.studies.model_comparison import (
    Models,
    main,
    means,
    plot,
    ratio_to_table,
    summary,
)
from dynamaze.benchmarks.studies.model_trial import MAZES, held_out, is_solved, measure

NAMES = ("latest_outcome", "maximum_likelihood", "bayesian_linear")
TOY = Models(runs=2, slow_runs=2, workers=1, models=NAMES, mazes=("static", "blocking"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, maze in MAZES.items():
        sizes: dict[str, Any] = {"limit": 120, "measured_at": 60, "solve_from": 0, "episodes": 0}
        monkeypatch.setitem(MAZES, name, maze._replace(**sizes, look_every=40))


def knows_all(name: str, maze_name: str, each: int) -> tuple[DynaQ, Any]:
    """An agent whose model has seen each pair of a maze so often, and the maze."""
    maze = MAZES[maze_name]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model=name, seed=0, **maze.agent)
    world: Any = env.unwrapped
    env.reset(seed=0, options={"world_step": maze.measured_at})
    for cell in np.argwhere(~world.layout.walls):
        for action in range(4):
            for _ in range(each):
                world.set_state({**world.get_state(), "state": world.layout.index(tuple(cell))})
                after, reward, terminated, *_ = world.step(action)
                encode = agent.encoder.one
                agent.model.update(
                    Transitions(
                        np.array([encode(cell)]),
                        np.array([action]),
                        np.array([reward]),
                        np.array([encode(after)]),
                        np.array([terminated]),
                    )
                )
    return agent, world


@pytest.mark.parametrize("maze", ["static", "blocking"])
@pytest.mark.parametrize("name", NAMES)
def test_who_has_seen_everything_is_right_where_nothing_is_left_to_chance(
    name: str, maze: str
) -> None:
    agent, _ = knows_all(name, maze, 6)
    quality = measure(agent.model, held_out(MAZES[maze], 0), agent)
    assert quality.next_error == pytest.approx(0, abs=0.01)
    assert quality.reward_error == pytest.approx(0, abs=0.3)
    assert quality.coverage > 0.95


def test_a_table_of_chances_states_what_is_true_and_the_latest_outcome_does_not() -> None:
    """Slips to each side have 10%: a 90% set has the step as meant and one slip, 90% in truth.

    Over 400 transitions the deviation is 0.015, and 4.5 of them are allowed. Where two of the
    three lead to the same cell the set has more than 90%, so coverage may be above.
    """
    truth = held_out(MAZES["slippery"], 0)
    agent, _ = knows_all("maximum_likelihood", "slippery", 100)
    assert 0.9 - 4.5 * 0.015 < measure(agent.model, truth, agent).coverage < 1
    agent, _ = knows_all("latest_outcome", "slippery", 20)
    assert measure(agent.model, truth, agent).coverage < 0.85


def test_the_greedy_policy_of_optimal_values_solves_and_of_equal_values_does_not() -> None:
    agent, world = knows_all("latest_outcome", "static", 1)
    env: Any = agent.env
    assert not is_solved(agent, MAZES["static"], env)
    agent.values.q[:] = world.optimal_action_values(0.95)
    assert is_solved(agent, MAZES["static"], env)


def test_a_continuous_maze_is_solved_by_who_goes_the_way_of_the_grid() -> None:
    maze = MAZES["continuous"]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model="stored_experience", seed=0, **maze.agent)
    assert not is_solved(agent, maze, env)
    best = world_policy(env)
    agent.predict = lambda places, **_: (  # type: ignore[method-assign, assignment]
        np.array([best[tuple(place)] for place in places.astype(int)]),
        None,
    )
    assert is_solved(agent, maze, env)


def world_policy(env: gym.Env[Any, Any]) -> Any:
    """(rows, cols) the action on the shortest way from each cell."""
    grid: Any = gym.make("DynaMaze-v0").unwrapped
    layout = grid.layout
    return grid.optimal_policy(0.95).argmax(axis=1).reshape(layout.rows, layout.cols)


@pytest.mark.usefixtures("small")
def test_a_run_again_gives_the_same_numbers_but_for_times() -> None:
    seen: list[None] = []
    tables = models.run(TOY, lambda: seen.append(None))
    assert len(seen) == TOY.total_runs == 2 * 2 * len(NAMES)
    again = models.run(TOY)["models_runs"]
    for name, column in tables["models_runs"].items():
        if name not in ("update_us", "sample_ms"):
            np.testing.assert_array_equal(column, again[name])
    assert (again["update_us"] > 0).all()


@pytest.mark.usefixtures("small")
def test_the_command_stores_tables_from_which_all_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TOY, output=tmp_path)
    main(config)
    folder = tmp_path / "results"
    assert sorted(path.name for path in folder.iterdir()) == [
        "models.csv",
        "models.png",
        "models_runs.csv",
    ]
    monkeypatch.setattr(models, "run", None)
    picture = (folder / "models.png").read_bytes()
    (folder / "models.png").unlink()
    main(replace(config, plot_only=True))
    assert (folder / "models.png").read_bytes() == picture
    sections = summary(read_tables(folder, "models"), config)
    assert list(sections) == ["static maze", "blocking maze", "Times in the static maze"]


def test_every_model_is_run_in_every_maze_that_it_can_serve() -> None:
    jobs = Models(runs=3, slow_runs=2).jobs
    there = {(maze, model) for maze, model, _, _ in jobs}
    assert {model for maze, model in there if maze == "blocking"} == set(MODELS)
    continuous = {model for maze, model in there if maze == "continuous"}
    assert continuous == {*models.LEARNED_MODELS, "stored_experience"}
    assert sum(job[:2] == ("static", "ensemble") for job in jobs) == 2
    assert sum(job[:2] == ("static", "linear") for job in jobs) == 3


def toy_runs(model: str, lengths: list[float]) -> Table:
    table: Table = {
        "maze": np.array(["static"] * len(lengths)),
        "model": np.array([model] * len(lengths)),
        "run": np.arange(len(lengths)),
        "solved": np.ones(len(lengths), dtype=np.int64),
    }
    for name in ("steps_to_solve", "next_error", "reward_error", "update_us", "sample_ms"):
        table[name] = np.arange(1.0, len(lengths) + 1)
    return {**table, "steps_after": np.array(lengths), "coverage": np.full(len(lengths), np.nan)}


def test_a_ratio_compares_run_with_run() -> None:
    runs = stack([toy_runs("latest_outcome", [10, 20, 40]), toy_runs("linear", [20, 40])])
    assert ratio_to_table(runs, "linear") == pytest.approx((2, 2, 2))
    assert ratio_to_table(runs, "latest_outcome") == pytest.approx((1, 1, 1))


def test_means_leave_unsaid_what_no_run_said() -> None:
    runs = stack([toy_runs("latest_outcome", [10, 20, 40]), toy_runs("linear", [20, 40])])
    tables = {"models": means(runs), "models_runs": runs}
    assert tables["models"]["runs"].tolist() == [3, 2]
    assert tables["models"]["steps_to_solve"].tolist() == [2.0, 1.5]
    line = summary(tables, TOY)["static maze"][1]
    assert line[:4] == ("latest_outcome", "3", "100%", "2 ± 2")
    assert line[5] == ""
    assert len(plot(tables, TOY).axes) == len(models.MEASURES)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"slow_runs": 0}, "slow_runs=0; expected at least 2"),
        ({"models": ("linaer",)}, "did you mean 'linear'?"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(
    wrong: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=sentence):
        main(Models(output=tmp_path, **wrong))
    assert not list(tmp_path.iterdir())


def test_the_stated_interval_is_that_of_a_normal_distribution() -> None:
    assert pytest.approx(1.6449, abs=1e-4) == model_trial.HALF_WIDTH
