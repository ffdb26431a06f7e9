"""Compiled runs against the step-by-step agents, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import (
    Agent,
    DynaQ,
    DynaQPlus,
    EpsilonGreedy,
    LatestOutcome,
    MonteCarloSearch,
    MonteCarloSettings,
    Planning,
    QLearning,
    ScoredModel,
    TableValues,
    TreeSearch,
    TreeSettings,
    UniformPlanning,
)
from dynamaze.agents.models import TABLE_MODELS
from dynamaze.agents.models.true import TrueModel
from dynamaze.benchmarks.harness.agent_runs import compiled_runs
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import (
    CompiledRun,
    compiled_obstacle,
    run_many,
    run_one,
)
from dynamaze.benchmarks.speed.c_dyna_q import build_c_dyna_q, find_compiler
from dynamaze.envs import cycle, every, poisson
from dynamaze.envs.timing.times import LAST_STEP
from dynamaze.envs.vector import kernel
from dynamaze.envs.vector.kernel import refill_one

KINDS: list[tuple[Any, dict[str, Any]]] = [
    (QLearning, {}),
    *(
        (agent, {"model": model, "planning_steps": 7, **more})
        for model in sorted(TABLE_MODELS)
        for agent, more in ((DynaQ, {}), (DynaQPlus, {}), (DynaQPlus, {"bonus": "action"}))
    ),
]
KINDS += [
    (DynaQ, {"planning": planning, "model": model, "planning_steps": 4})
    for planning, model in (
        ("backward", "latest_outcome"),
        ("dynamic_programming", "latest_outcome"),
        ("prioritised_sweeping", "latest_outcome"),
        ("prioritised_sweeping", "forgetting_maximum_likelihood"),
        ("trajectory_sampling", "maximum_likelihood"),
        ("uniform_expected", "maximum_likelihood"),
    )
]
SEARCHES: list[tuple[Any, Any]] = [
    (MonteCarloSearch, MonteCarloSettings()),
    (MonteCarloSearch, MonteCarloSettings(policy="values", leaf_value="values")),
    (TreeSearch, TreeSettings()),
    (TreeSearch, TreeSettings(reuse=False, max_nodes=40)),
    (TreeSearch, TreeSettings(first_play_urgency=1.0, transpositions=True)),
    (TreeSearch, TreeSettings(leaf_value="values")),
]
MAZES = ["DynaMaze-v0", "DynaMazeBlocking-v0", "DynaMazeShortcut-v0"]
SEVERAL = "S..#\n.#.S\n...G\n@ 40\nS#..\n...S\n.#.G"


def agents_of(make: Callable[..., Agent], runs: int, seed: int) -> list[Agent]:
    return [make(seed=child) for child in np.random.SeedSequence(seed).spawn(runs)]


def assert_same_bits(make: Callable[..., Agent], steps: int, seed: int = 5) -> None:
    runs = run_many(make, runs=2, steps=steps, seed=seed)
    for number, agent in enumerate(agents_of(make, 2, seed)):
        rewards: list[float] = []
        agent.learn(steps, lambda step, stored=rewards: stored.append(step.reward))
        np.testing.assert_array_equal(runs.q[number], agent.values.q)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(runs.rewards[number], rewards)


@pytest.mark.parametrize(("agent", "arguments"), KINDS)
@pytest.mark.parametrize("slip", [0.0, 0.2])
@pytest.mark.parametrize("maze", MAZES)
def test_run_equals_agent(maze: str, slip: float, agent: Any, arguments: dict[str, Any]) -> None:
    env = gym.make(maze, slip_probability=slip)
    steps = 3300 if maze == "DynaMazeShortcut-v0" else 1300  # past the change
    assert_same_bits(partial(agent, env, learning_rate=0.5, **arguments), steps)


@pytest.mark.parametrize(("agent", "settings"), SEARCHES)
@pytest.mark.parametrize(
    ("maze", "arguments", "steps"),
    [
        ("DynaMazeShortcut-v0", {}, 3100),  # past the change
        ("DynaMaze-v0", {"slip_probability": 0.2, "max_episode_steps": 60}, 400),
    ],
)
def test_search_run_equals_agent(
    maze: str, arguments: dict[str, Any], steps: int, agent: Any, settings: Any
) -> None:
    env = gym.make(maze, **arguments)
    search = {"model": "latest_outcome", "simulations": 20, "depth": 15, "settings": settings}
    assert_same_bits(partial(agent, env, epsilon=0.1, **search), steps)


def test_compiled_obstacle_of_searches() -> None:
    env = gym.make("DynaMaze-v0")
    assert not compiled_obstacle(TreeSearch(env, model="latest_outcome"))
    assert not compiled_obstacle(MonteCarloSearch(env, model="maximum_likelihood"))
    assert "expected LatestOutcome" in compiled_obstacle(
        TreeSearch(env, model="forgetting_latest_outcome")
    )
    for agent in (TreeSearch, MonteCarloSearch):
        assert "reads the environment" in compiled_obstacle(agent(env, model="true"))
    by_function = MonteCarloSettings(policy=lambda rows: np.full((len(rows), 4), 0.25))
    search = MonteCarloSearch(env, model="latest_outcome", settings=by_function)
    assert "no record" in compiled_obstacle(search)


def test_run_draws_only_numbers_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def refill(batch: Any, generator: np.random.Generator, i: int) -> None:
        drawn.append(int(batch.next_uniform[i]))
        refill_one(batch, generator, i)

    monkeypatch.setattr(kernel, "refill_one", refill)
    for slip, most in ((0.0, compiled_runs.FIRST_NUMBERS), (0.2, 2 * 1001)):
        drawn.clear()
        env = gym.make("DynaMaze-v0", slip_probability=slip)
        run_many(partial(QLearning, env), runs=1, steps=1000, seed=0)
        assert 0 < sum(drawn) <= most


CHANGING: dict[str, dict[str, Any]] = {
    "DynaMazeBlocking-v0": {
        "changes": [
            every(40, cycle("shortcut", "blocking")),
            poisson(0.02, cycle({"goal": (0, 3)}, {"goal": (0, 8)})),
            every("episode 3", cycle({"start": (0, 0)}, {"start": (5, 3)})),
        ],
    },
    "DynaMazeDrifting-v0": {"random_changes": {"probability": 0.05, "what": ["walls", "start"]}},
    "DynaMazeGenerated-v0": {"size": 5, "levels": 4, "observation": "index"},
    "DynaMaze-v0": {
        "changes": {
            "episode 2": {"start": [(0, 0), (5, 0)]},
            "episode 5": {"slip_probability": 0.2},
        },
    },
}


@pytest.mark.parametrize("maze", sorted(CHANGING))
def test_run_equals_agent_any_change(maze: str) -> None:
    env = gym.make(maze, max_episode_steps=60, **CHANGING[maze])
    assert_same_bits(partial(DynaQPlus, env, planning_steps=3), 1500)


def test_run_equals_agent_time_limit() -> None:
    env = gym.make("DynaMaze-v0", layout=SEVERAL, slip_probability=0.3, max_episode_steps=7)
    assert_same_bits(partial(DynaQPlus, env, planning_steps=3), 500)


@pytest.mark.parametrize("initial_value", [1.0, -1.0])
def test_run_equals_agent_initial_value(
    initial_value: float,
) -> None:
    env = gym.make("DynaMazeBlocking-v0")
    assert_same_bits(partial(DynaQ, env, initial_value=initial_value, planning_steps=2), 1300)


def test_run_equals_agent_several_chunks() -> None:
    env = gym.make("DynaMaze-v0", slip_probability=0.1)
    make = partial(DynaQ, env, model="stored_experience", planning_steps=1)
    assert_same_bits(make, 2 * compiled_runs.CHUNK_STEPS + 3000)


@pytest.mark.parametrize("size", [1, 7])
def test_run_independent_of_chunks(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make("DynaMazeBlocking-v0", slip_probability=0.1)
    whole = run_one(DynaQPlus(env, planning_steps=3, seed=4), 1200, 0, regret_gamma=0.95)
    monkeypatch.setattr(compiled_runs, "next_chunk", lambda steps, seconds: size)
    pieces = run_one(DynaQPlus(env, planning_steps=3, seed=4), 1200, 0, regret_gamma=0.95)
    for left, right in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(left, right)


def test_slow_steps_make_short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python handles signals between chunks only."""
    clock, sizes = count(), []
    inner = compiled_runs.run_chunk

    def run_chunk(*arguments: Any) -> None:
        sizes.append(arguments[-1])
        inner(*arguments)

    monkeypatch.setattr(compiled_runs, "run_chunk", run_chunk)
    monkeypatch.setattr(compiled_runs.time, "perf_counter", lambda: next(clock))
    run_one(DynaQ("DynaMaze-v0", seed=0), 330, 0)  # each chunk takes a second
    assert sizes == [256, 51, 10, 2] + 11 * [1]


@pytest.mark.parametrize(
    ("steps", "seconds", "expected"),
    [(64, 1e-4, 1024), (10_000, 0.1, 20_000), (1000, 0.4, 500), (1, 3.0, 1), (0, 0.0, 1)],
)
def test_next_chunk_follows_speed(steps: int, seconds: float, expected: int) -> None:
    assert compiled_runs.next_chunk(steps, seconds) == expected


def test_run_episode_lengths() -> None:
    make = partial(DynaQ, gym.make("DynaMaze-v0"), planning_steps=5)
    runs = run_many(make, runs=3, episodes=12, seed=1)
    assert runs.rewards.shape == (3, 0)
    for number, agent in enumerate(agents_of(make, 3, 1)):
        lengths: list[int] = []
        for step in agent.steps():
            if step.terminated or step.truncated:
                lengths.append(step.episode_length)
            if len(lengths) == 12:
                break
        np.testing.assert_array_equal(runs.episode_steps[number], lengths)


def test_run_many_independent_of_workers() -> None:
    make = partial(DynaQPlus, gym.make("DynaMazeBlocking-v0"), planning_steps=5)
    calls: list[None] = []
    one = run_many(make, runs=9, steps=400, seed=2, workers=1, callback=lambda: calls.append(None))
    many = run_many(make, runs=9, steps=400, seed=2, workers=4)
    assert len(calls) == 9
    for left, right in zip(one, many, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("planning_steps", [0, 5])
def test_first_episode_is_random_walk(planning_steps: int) -> None:
    make = partial(DynaQ, gym.make("DynaMaze-v0"), planning_steps=planning_steps)
    lengths = run_many(make, runs=1000, episodes=1, seed=0).episode_steps[:, 0]
    # The exact mean and standard deviation. With n = 0 nothing is learned before the goal; with
    # any n there is nothing to learn. 4 standard errors: one false alarm in 16,000 fixed seeds.
    assert abs(lengths.mean() - 868.725) <= 4 * 789.236 / np.sqrt(1000)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"steps": 5, "episodes": 5}, {"steps": 0}, {"episodes": -1}, {"steps": 5, "runs": 0}],
)
def test_run_many_rejects_bad_budget(wrong: dict[str, int]) -> None:
    arguments: dict[str, Any] = {"runs": 1, "seed": 0, **wrong}
    with pytest.raises(ValueError, match="expected"):
        run_many(partial(DynaQ, "DynaMaze-v0"), **arguments)


def test_run_rejects_uncompiled_model() -> None:
    plain = type("Plain", (LatestOutcome,), {"capabilities": frozenset({"sample"})})
    with pytest.raises(TypeError, match="'compiled'"):
        run_many(partial(DynaQ, "DynaMaze-v0", model=plain(54, 4)), runs=1, steps=5, seed=0)


@pytest.mark.parametrize("part", ["values", "exploration"])
def test_run_rejects_uncompiled_part(part: str) -> None:
    parts: dict[str, Any] = {
        "values": TableValues(54, 4, learning_rate=0.5, gamma=0.9),
        "model": LatestOutcome(54, 4),
        "planning": UniformPlanning(2),
        "exploration": EpsilonGreedy(0.1),
    }
    make = partial(Agent, gym.make("DynaMaze-v0"), **parts)
    assert run_many(make, runs=1, steps=5, seed=0).rewards.shape == (1, 5)
    parts[part] = object()
    with pytest.raises(TypeError, match=part):
        run_many(partial(Agent, gym.make("DynaMaze-v0"), **parts), runs=1, steps=5, seed=0)


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler on this machine")
def test_c_loop_equals_agent(tmp_path: Path) -> None:
    # Rounding each operation, as Python does, C gives the same bits.
    c_dyna_q = build_c_dyna_q(tmp_path, "-ffp-contract=off")
    env = gym.make("DynaMaze-v0", max_episode_steps=-1)
    in_c, in_python = (DynaQ(env, planning_steps=9, seed=4) for _ in range(2))
    q = c_dyna_q(in_c, 2500)
    np.testing.assert_array_equal(q, in_python.learn(2500).values.q)  # type: ignore[attr-defined]
    assert in_c.rng.random() == in_python.rng.random()


def test_run_rejects_unknown_wrapper() -> None:
    wrapped = gym.wrappers.TransformReward(gym.make("DynaMaze-v0"), lambda reward: 2 * reward)
    for env, message in (
        (wrapped, "TransformReward"),
        (gym.make("FrozenLake-v1"), "needs a maze"),
        (gym.make("DynaMazeLoCA-v0"), "slips otherwise"),
    ):
        with pytest.raises(TypeError, match=message):
            run_many(partial(DynaQ, env), runs=1, steps=5, seed=0)
    with pytest.raises(ValueError, match="has taken 3 steps"):
        run_many(lambda seed: DynaQ("DynaMaze-v0", seed=seed).learn(3), runs=1, steps=5, seed=0)


def test_run_rejects_uncompiled_planning() -> None:
    agent = DynaQ("DynaMaze-v0", seed=0)
    agent.planning = Planning()
    with pytest.raises(TypeError, match="needs UniformPlanning, a planner of tables"):
        run_many(lambda seed: agent, runs=1, steps=5, seed=0)
    stored = partial(
        DynaQ, "DynaMaze-v0", model="stored_experience", planning="prioritised_sweeping"
    )
    with pytest.raises(TypeError, match="PrioritisedSweeping with model StoredExperience"):
        run_many(stored, runs=1, steps=5, seed=0)


def test_run_in_pieces() -> None:
    whole, pieces = (
        DynaQ("DynaMaze-v0", planning="prioritised_sweeping", seed=3) for _ in range(2)
    )
    at_once = CompiledRun(whole).advance(0, 30)
    run = CompiledRun(pieces)
    lengths = [run.advance(0, 1).episode_steps[0] for _ in range(30)]
    np.testing.assert_array_equal(lengths, at_once.episode_steps)
    np.testing.assert_array_equal(pieces.values.q, whole.values.q)  # type: ignore[attr-defined]


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_run_regrets_of_each_step(slip: float) -> None:
    env: Any = gym.make("DynaMaze-v0", layout=SEVERAL, slip_probability=slip)
    make = partial(DynaQ, env, planning_steps=3)
    runs = run_many(make, runs=1, steps=120, seed=5, regret_gamma=0.9)
    (agent,) = agents_of(make, 1, 5)
    expected: list[float] = []
    table = env.unwrapped.regret(0.9)
    for step in islice(agent.steps(), 120):
        expected.append(table[step.observation, step.action])
        table = env.unwrapped.regret(0.9)  # of the maze at the next step
    np.testing.assert_array_equal(runs.regrets[0], expected)
    assert run_many(make, runs=1, steps=120, seed=5).regrets.shape == (1, 0)


def test_run_returns_of_episodes() -> None:
    env = gym.make("DynaMaze-v0", max_episode_steps=300)
    make = partial(DynaQ, env, planning_steps=5)
    runs = run_many(make, runs=2, episodes=12, seed=1, regret_gamma=0.9)
    finished = runs.episode_steps < 300  # at the goal, or cut off without a reward
    assert finished.any()
    assert not finished.all()
    np.testing.assert_array_equal(runs.episode_returns, finished)
    assert runs.num_episodes.tolist() == [12, 12]
    assert runs.regrets.shape == (2, 12)
    np.testing.assert_array_equal(runs.regrets < 1e-12, runs.episode_steps == 14)


@pytest.mark.parametrize("wrap", [lambda model: model, ScoredModel])
def test_model_that_reads_a_changing_maze_is_refused(wrap: Any) -> None:
    for env_id, refused in (("DynaMazeBlocking-v0", True), ("DynaMaze-v0", False)):
        env = gym.make(env_id)
        agent = DynaQ(env, model=wrap(TrueModel(env)), planning_steps=5, seed=0)
        obstacle = compiled_runs.compiled_obstacle(agent)
        assert ("reads the environment" in obstacle) == refused, obstacle


def test_clock_of_compiled_run_ends() -> None:
    run = CompiledRun(QLearning("DynaMaze-v0", seed=0))
    run._env.state.world_step[0] = LAST_STEP - 4
    run.advance(4, 0)
    with pytest.raises(RuntimeError, match=f"step\\(\\) at world step {LAST_STEP}, the end of"):
        run.advance(1, 0)
