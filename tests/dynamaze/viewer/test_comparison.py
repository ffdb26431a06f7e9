"""Several agents side by side: steps, events and pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ, DynaQPlus, QLearning, Step
from dynamaze.envs import GridEnv
from dynamaze.viewer.comparison import RUN_COLORS, Comparison, room_of_each
from dynamaze.viewer.curves import HEIGHT
from dynamaze.viewer.environment import make_env, with_drawn_changes
from dynamaze.viewer.runs import WatchedRun

SIZE = (90, 60)

PICTURE = """
import hashlib, os, sys
from itertools import islice
if len(sys.argv) > 1:
    os.environ["SDL_VIDEODRIVER"] = sys.argv[1]
    import pygame
    pygame.display.init()
    pygame.display.set_mode((64, 64))
from functools import partial
from dynamaze.agents import DynaQ, DynaQPlus
from dynamaze.viewer.comparison import Comparison
from dynamaze.viewer.environment import make_env
from dynamaze.viewer.runs import WatchedRun
runs = [
    WatchedRun(agent.__name__, make_env("DynaMazeBlocking-v0"), partial(agent, seed=1), gamma=0.9,
               max_size=(90, 60), dark=True)
    for agent in (DynaQ, DynaQPlus)
]
comparison = Comparison(*runs, legend="a legend")
digest = hashlib.sha256()
for step in islice(comparison.steps(), 1010):
    comparison.add(step)
    if comparison.runs[0].statistics.num_steps % 101 == 0:
        digest.update(comparison.frame(["belief", "policy", "trail", "changed"]).tobytes())
print(digest.hexdigest())
"""


def dyna_runs(env_id: str, seed: int = 1, **options: Any) -> Comparison:
    """Return Dyna-Q and Dyna-Q+ side by side."""
    return Comparison(
        *(
            WatchedRun(
                agent.__name__,
                with_drawn_changes(make_env(env_id, observation="index", **options), seed, 300),
                partial(agent, planning_steps=5, learning_rate=1.0, gamma=0.9, seed=seed),
                gamma=0.9,
                max_size=SIZE,
            )
            for agent in (DynaQ, DynaQPlus)
        )
    )


def grid(run: WatchedRun) -> GridEnv:
    assert isinstance(run.view.maze, GridEnv)
    return run.view.maze


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("DynaMazeBlocking-v0", {}),
        ("DynaMazeDrifting-v0", {"random_changes": {"when": "each_step", "probability": 0.1}}),
        ("DynaMazeAdaptation-v0", {"change_steps": (50, 60)}),
    ],
)
def test_agents_have_same_maze_and_changes(env_id: str, options: dict[str, Any]) -> None:
    steps = 1010 if env_id == "DynaMazeBlocking-v0" else 200
    comparison = dyna_runs(env_id, **options)
    layouts, cells = set(), []
    for step in islice(comparison.steps(), steps):
        comparison.add(step)
        first, second = map(grid, comparison.runs)
        assert first.layout == second.layout
        assert first.world_step == second.world_step
        layouts.add(first.layout)
        cells.append((first.agent, second.agent))
    assert len(layouts) > 1
    assert len(comparison.events.changes) >= len(layouts) - 1
    assert any(one != other for one, other in cells)


def test_regret_is_exact() -> None:
    comparison = dyna_runs("DynaMazeBlocking-v0")
    lost = [0.0, 0.0]
    losses = [grid(run).regret(0.9) for run in comparison.runs]
    for number, step in enumerate(islice(comparison.steps(), 1010), 1):
        for index, taken in enumerate(step):
            lost[index] += losses[index][taken.observation, taken.action]
        comparison.add(step)
        if number == 1000:
            losses = [grid(run).regret(0.9) for run in comparison.runs]
    for run, total in zip(comparison.runs, lost, strict=True):
        assert run.recorded.total_regret == pytest.approx(total)
        assert run.regret.last == run.recorded.total_regret
        assert run.statistics.total_reward > 0


class Walk:
    """Agent that repeats a list of actions."""

    def __init__(self, actions: list[int], env: gym.Env[Any, Any]) -> None:
        self._actions, self._env = actions, env

    def steps(self) -> Iterator[Step]:
        observation, _ = self._env.reset(seed=0)
        episode, length = 0, 0
        while True:
            for action in self._actions:
                following, reward, terminated, truncated, info = self._env.step(action)
                length += 1
                yield Step(
                    observation, action, float(reward), following, terminated, truncated, info,
                    episode, length, 0.0,
                )  # fmt: skip
                observation = following
                if terminated or truncated:
                    observation, _ = self._env.reset()
                    episode, length = episode + 1, 0


def walks(text: str, *actions: list[int]) -> Comparison:
    return Comparison(
        *(
            WatchedRun(
                f"walk {number}",
                make_env("DynaMaze-v0", layout=text),
                partial(Walk, each),
                gamma=0.9,
                max_size=SIZE,
            )
            for number, each in enumerate(actions)
        )
    )


def test_events_name_goals_changes_and_optimal_paths() -> None:
    maze = "S.G\n...\n@ 6\nS#G\n..."
    comparison = walks(maze, [2, 1, 1, 0, 1, 1, 2, 1, 1, 0], [1, 1, 2])
    found = []
    for number, step in enumerate(islice(comparison.steps(), 12), 1):
        before = comparison.events.latest
        comparison.add(step)
        if comparison.events.latest != before:
            found.append((number, comparison.events.latest))
    assert found == [
        (2, "walk 1: optimal path of 2 steps"),
        (4, "walk 0: first time at the goal"),
        (6, "walk 0: optimal path of 2 steps; the maze changes: 1 wall appears"),
        (10, "walk 0: optimal path of 4 steps, 4 after the change"),
    ]
    assert comparison.events.changes == [6]


def test_events_describe_opened_walls_and_moved_goals() -> None:
    comparison = walks("S#G\n...\n@ 2\nSG.\n...", [0], [0])
    for step in islice(comparison.steps(), 2):
        comparison.add(step)
    assert comparison.events.latest == "the maze changes: 1 wall opens, the goal moves"


def test_comparison_texts() -> None:
    comparison = walks("S.G", [1, 1], [1, 3])
    assert comparison.title == comparison.note() == "walk 0 and walk 1 in DynaMaze-v0"
    assert comparison.summary() == ""
    for step in islice(comparison.steps(), 4):
        comparison.add(step)
    assert comparison.fields() == []
    assert comparison.summary() == (
        "walk 0 in DynaMaze-v0: 4 steps, 2 episodes, 2.0 steps per episode over the last 2, "
        "regret 0\n"
        "walk 1 in DynaMaze-v0: 4 steps, no episode ended, regret 0.38"
    )


@pytest.mark.parametrize("count", [0, 1, len(RUN_COLORS) + 1])
def test_comparison_refuses_number_of_agents(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} agents; expected 2 to {len(RUN_COLORS)} side"):
        walks("S.G", *[[1]] * count)


def test_compose_shows_each_picture_below_its_color() -> None:
    comparison = walks("S.G\n...", [1], [1], [3])
    for step in islice(comparison.steps(), 2):
        comparison.add(step)
    comparison.show_latest()
    pictures = [run.view.render() for run in comparison.runs]
    frame = comparison.compose(pictures)
    height, width = pictures[0].shape[:2]
    for index, (picture, color) in enumerate(zip(pictures, RUN_COLORS, strict=False)):
        left = 14 + index * (width + 14)
        column = frame[:, left : left + width]
        tops = [
            top
            for top in range(len(column) - height)
            if np.array_equal(column[top : top + height], picture)
        ]
        assert len(tops) == 1
        assert (column[: tops[0]] == color).all(axis=2).any()


def test_chart_stands_still_in_film() -> None:
    comparison = walks("S.G\n...", [1, 1], [3, 3])
    comparison.add(next(comparison.steps()))
    pictures = [run.view.render() for run in comparison.runs]
    first = comparison.compose(pictures)
    comparison.add(next(comparison.steps()))
    still = comparison.compose(pictures, still=True)
    np.testing.assert_array_equal(still[-HEIGHT:], first[-HEIGHT:])
    assert (comparison.compose(pictures)[-HEIGHT:] != first[-HEIGHT:]).any()
    wider = [np.repeat(picture, 2, axis=1) for picture in pictures]
    assert comparison.compose(wider, still=True).shape[1] > first.shape[1]


def test_pictures_fit_room() -> None:
    size = 700, 500
    room = room_of_each(2, size)
    runs = [
        WatchedRun(
            name, make_env("DynaMaze-v0"), partial(QLearning, seed=1), gamma=0.9, max_size=room
        )
        for name in "ab"
    ]
    comparison = Comparison(*runs)
    comparison.add(next(comparison.steps()))
    height, width = comparison.frame([]).shape[:2]
    assert width <= size[0]
    assert height <= size[1]
    assert comparison.room(size) == room


def test_frames_equal_with_and_without_display() -> None:
    pytest.importorskip("pygame")
    found = {
        subprocess.run(
            [sys.executable, "-c", PICTURE, *driver], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
        for driver in ([], ["dummy"])
    }
    assert len(found) == 1
