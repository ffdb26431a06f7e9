"""Speed of the environments: steps, changes, frames, generation, continuous mazes, exact values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.benchmarks.harness.timing import (
    Measure,
    SpeedRow,
    median_seconds,
    seconds,
    time_alternately,
    time_row,
)
from dynamaze.envs import ChangingEnv, Layout, MazeGenerator, optimal_values
from dynamaze.envs.mazes.optimal_values import in_place_value_iteration

LARGE = 1000
"""Rows and columns of a large maze."""

GENERATED = ("backtracking", "prim", "kruskal", "wilson", "division", "rooms", "obstacles")


def single_environment(repeats: int) -> list[SpeedRow]:
    """Steps of one environment of `gym.make`."""
    steps = 100_000
    pair = time_alternately(
        partial(walk, gym.make("DynaMaze-v0"), steps),
        partial(walk, gym.make("FrozenLake-v1"), steps // 4),
        repeats,
    )
    ratio = pair.ratio * 4  # the baseline takes a quarter of the steps
    ours, baseline = steps / pair.ours / 1e6, steps / 4 / pair.baseline / 1e6
    return [
        SpeedRow(
            "gym.make steps",
            f"{ours:.2f} M/s",
            "FrozenLake-v1",
            f"{baseline:.2f} M/s",
            f"{ratio:.1f}x",
            ">= 8x, >= 1.3 M/s",
            ratio >= 8 and ours >= 1.3,
        )
    ]


def vector_environment(repeats: int) -> list[SpeedRow]:
    """Steps of the native vector environment against a synchronous FrozenLake."""
    rows = []
    for num_envs, slip, target in ((64, 0.1, 6.0), (1024, 0.0, 60.0), (1024, 0.1, 35.0)):
        ours = gym.make_vec("DynaMaze-v0", num_envs=num_envs, slip_probability=slip)
        baseline = gym.make_vec("FrozenLake-v1", num_envs=num_envs, vectorization_mode="sync")
        ours.reset(seed=0)
        baseline.reset(seed=0)
        calls, fewer = 1_000_000 // num_envs, max(50_000 // num_envs, 5)
        actions = np.random.default_rng(0).integers(0, 4, (calls, num_envs))
        pair = time_alternately(
            partial(walk_vector, ours, actions),
            partial(walk_vector, baseline, actions[:fewer]),
            repeats,
        )
        fast, slow = num_envs * calls / pair.ours / 1e6, num_envs * fewer / pair.baseline / 1e6
        rows.append(
            SpeedRow(
                f"vector steps, n={num_envs}" + (", slip" if slip else ""),
                f"{fast:.2f} M/s",
                "SyncVectorEnv(FrozenLake)",
                f"{slow:.2f} M/s",
                f"{fast / slow:.0f}x",
                f">= {target:.0f} M/s",
                fast >= target,
            )
        )
    return rows


def maze_changes(repeats: int) -> list[SpeedRow]:
    """Cost of changes, in steps between changes and in the step of a change."""
    steps = 100_000
    pair = time_alternately(
        # Seeded resets restart the clock of both, so that the change is never reached.
        partial(
            walk, gym.make("DynaMaze-v0", layout="blocking", changes={10**9: "shortcut"}), steps
        ),
        partial(walk, gym.make("DynaMaze-v0", layout="blocking", changes={}), steps),
        2 * repeats,
    )
    return [
        SpeedRow(
            "steps between changes",
            f"{steps / pair.ours / 1e6:.2f} M/s",
            "the static maze",
            f"{steps / pair.baseline / 1e6:.2f} M/s",
            f"{1 / pair.ratio:.3f} of its time",
            "about 1",
            0.9 < pair.ratio < 1.1,
        ),
        time_row("the step at a change", _seconds_at_a_change(), "us", 50e-6),
    ]


def changing_environment(repeats: int) -> list[SpeedRow]:
    """Cost of `ChangingEnv` in a step of CartPole between two changes."""
    steps = 50_000
    pole = partial(gym.make, "CartPole-v1", max_episode_steps=2 * steps)
    pair = time_alternately(
        partial(_balance, ChangingEnv(pole(), {10**9: {"gravity": 12.0}}), steps),
        partial(_balance, pole(), steps),
        2 * repeats,
    )
    cost = (pair.ours - pair.baseline) / steps
    return [
        SpeedRow(
            "ChangingEnv, a step more",
            f"{cost * 1e6:.2f} us",
            "CartPole-v1",
            f"{pair.baseline / steps * 1e6:.2f} us",
            f"{pair.ratio:.2f} of its speed",
            "<= 1 us",
            cost <= 1e-6,
        )
    ]


def rendering(repeats: int) -> list[SpeedRow]:
    """Rendering of one frame of the 6x9 maze as an array."""
    frames = 200
    ours = gym.make("DynaMaze-v0", render_mode="rgb_array")
    baseline = gym.make("FrozenLake-v1", render_mode="rgb_array")
    pair = time_alternately(
        partial(_walk_and_render, ours, frames),
        partial(_walk_and_render, baseline, frames),
        repeats,
    )
    return [
        SpeedRow(
            "rgb_array frame",
            f"{pair.ours / frames * 1e6:.0f} us",
            "FrozenLake-v1",
            f"{pair.baseline / frames * 1e6:.0f} us",
            f"{pair.ratio:.0f}x",
            "<= 100 us",
            pair.ours / frames <= 100e-6,
        )
    ]


def generated_mazes(repeats: int) -> list[SpeedRow]:
    """Steps of one environment with a new maze in each episode and observations as planes."""
    steps = 50_000
    env = gym.make("DynaMazeGenerated-v0")
    rate = steps / median_seconds(partial(walk, env, steps), repeats) / 1e3
    speed = f"{rate:.0f} k/s"
    return [SpeedRow("generated 15x15, planes", speed, target=">= 200 k/s", met=rate >= 200)]


def maze_generation(repeats: int) -> list[SpeedRow]:
    """Generation of a large maze by the slowest algorithm."""
    times = {
        algorithm: min(
            seconds(partial(MazeGenerator(501, algorithm).make, level)) for level in range(repeats)
        )
        for algorithm in GENERATED
    }
    slowest = max(times, key=lambda algorithm: times[algorithm])
    return [time_row(f"a maze of 501x501 ({slowest})", times[slowest], "s", 1, digits=2)]


def large_values(repeats: int) -> list[SpeedRow]:
    """Optimal values of a maze of 10^6 cells, also with slips, and of a smaller one with slips."""
    return [
        _values(LARGE, 0.0, 0.5, repeats),
        _values(LARGE, 0.2, 2.0, repeats),
        _values(100, 0.2, 0.015, 10 * repeats),
    ]


def _values(size: int, slip: float, target: float, repeats: int) -> SpeedRow:
    walls, start, goal = MazeGenerator(size, "prim", endpoints="corners").make(0)

    def solve() -> None:
        layout = Layout(walls, (start,), (goal,), slip_probability=slip)
        if slip:
            in_place_value_iteration(layout, 0.99, tolerance=1e-8)  # an error of at most 1e-6
        else:
            optimal_values(layout)

    solve()  # compiles
    name = f"values of {size}x{size}" + (f", slip {slip}" if slip else "")
    return time_row(name, median_seconds(solve, repeats), "ms", target)


def drifting_mazes(repeats: int) -> list[SpeedRow]:
    """Cost of random changes, in steps between changes and at a change."""
    steps = 100_000
    rare = {"when": "each_step", "probability": 1e-12}
    pair = time_alternately(
        partial(walk, gym.make("DynaMazeDrifting-v0", random_changes=rare), steps),
        partial(walk, gym.make("DynaMaze-v0", change_info="change"), steps),
        2 * repeats,
    )
    often = gym.make("DynaMazeDrifting-v0", random_changes={"when": "periodic", "period": 10})
    changing = median_seconds(partial(walk, often, 5_000), repeats)
    change = (changing / 5_000 - pair.ours / steps) * 10
    return [
        SpeedRow(
            "drifting, between changes",
            f"{steps / pair.ours / 1e6:.2f} M/s",
            "static, with the same info",
            f"{steps / pair.baseline / 1e6:.2f} M/s",
            f"{1 / pair.ratio:.2f} of its time",
            "about 1 or less",
            pair.ratio > 0.9,
        ),
        time_row("a random change", change, "us", 500e-6, digits=0),
    ]


def overlays(repeats: int) -> list[SpeedRow]:
    """Rendering of the 6x9 maze with overlays that are new in each frame."""
    env: Any = gym.make("DynaMaze-v0", render_mode="rgb_array")
    env.reset(seed=0)
    maze, rng = env.unwrapped, np.random.default_rng(0)
    arrays = {
        "values": lambda: rng.random(54),
        "q": lambda: rng.random((54, 4)),
        "policy": lambda: np.full((54, 4), 0.25),
        "visits": lambda: rng.integers(0, 100, 54),
        "belief": lambda: rng.random((6, 9)),
        "planned": lambda: np.stack([rng.integers(0, 54, 50), rng.integers(0, 4, 50)], axis=1),
        "tree": lambda: rng.integers(0, 100, 54),
    }
    rows = []
    for name, names in (
        *((name, (name,)) for name in arrays),
        ("values, policy", ("values", "policy")),
        ("all seven", tuple(arrays)),
    ):
        maze.set_overlay(**dict.fromkeys(arrays))
        took = _frame(maze, {each: arrays[each] for each in names}, 100 * repeats)
        rows.append((name, took))
    slowest = max(rows[:7], key=lambda row: row[1])
    return [
        time_row(f"frame with {name}", took, "us", 500e-6, digits=0)
        for name, took in (slowest, *rows[7:])
    ]


def continuous_mazes(repeats: int) -> list[SpeedRow]:
    """Steps of the native vector environment with a continuous state."""
    rows = []
    for num_envs, target in ((64, 0.0), (1024, 10.0), (16384, 0.0)):
        env = gym.make_vec("DynaMazeContinuous-v0", num_envs)
        env.reset(seed=0)
        calls = 2_000_000 // num_envs
        actions = np.random.default_rng(0).uniform(-1, 1, (calls, num_envs, 2)).astype(np.float32)
        walk_vector(env, actions[:10])
        took = median_seconds(partial(walk_vector, env, actions), repeats)
        rate = num_envs * calls / took / 1e6
        rows.append(
            SpeedRow(
                f"continuous vector, n={num_envs}",
                f"{rate:.1f} M/s",
                target=f">= {target:.0f} M/s" if target else "",
                met=rate >= target,
            )
        )
    return rows


def _walk_and_render(env: gym.Env[Any, Any], frames: int) -> None:
    env.reset(seed=0)
    for number in range(frames):
        _, _, terminated, truncated, _ = env.step(number % 4)
        if terminated or truncated:
            env.reset()
        env.render()


def _balance(env: gym.Env[Any, Any], steps: int) -> None:
    """Take steps of CartPole with the pole put upright after each: no episode ends."""
    env.reset(seed=0)
    pole: Any = env.unwrapped
    step = env.step
    for number in range(steps):
        step(number & 1)
        pole.state = (0.0, 0.0, 0.0, 0.0)


def _seconds_at_a_change() -> float:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    env.reset(seed=0)
    times = []
    for _ in range(1000):
        env.world_step = 999
        times.append(seconds(lambda: env.step(0)))
    return float(np.median(times))


def _frame(maze: Any, arrays: dict[str, Callable[[], Any]], frames: int) -> float:
    """Return the seconds of a frame, without those of making the arrays."""
    times = []
    for number in range(frames):
        maze.step(number % 4)
        maze.set_overlay(**{name: make() for name, make in arrays.items()})
        times.append(seconds(maze.render))
    return float(np.median(times))


def walk(env: gym.Env[Any, Any], steps: int) -> None:
    """Take random steps, with a reset at the end of each episode."""
    actions = np.random.default_rng(0).integers(0, 4, steps).tolist()
    env.reset(seed=0)
    step = env.step
    for action in actions:
        _, _, terminated, truncated, _ = step(action)
        if terminated or truncated:
            env.reset()


def walk_vector(env: Any, actions: Any) -> None:
    """Take the steps of all environments of a vector environment."""
    for each in actions:
        env.step(each)


MEASUREMENTS: tuple[Measure, ...] = (
    single_environment,
    vector_environment,
    maze_changes,
    changing_environment,
    rendering,
    generated_mazes,
    maze_generation,
    large_values,
    drifting_mazes,
    overlays,
    continuous_mazes,
)
