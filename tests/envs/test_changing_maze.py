"""Mazes that change in every way: by schedule, by episode, at random, by call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from dynamaze.envs import DynaMazeEnv, GridEnv, Layout, LayoutError, apply_change, read_schedule

from .helpers import COPIES, Same, wander

UP, RIGHT, DOWN, LEFT = range(4)


def make(changing_env: tuple[str, dict[str, Any]], **more: Any) -> Any:
    env_id, arguments = changing_env
    if "Adaptation" in env_id:  # it shows nothing of the maze
        more.pop("observation", None)
    env = gym.make(env_id, max_episode_steps=-1, **arguments, **more).unwrapped
    env.metadata = {**env.metadata, "render_fps": 0}  # a window need not wait
    env.reset(seed=4)
    wander(env, 90)
    return env


# -- all kinds of changes ------------------------------------------------------------------------


@pytest.mark.parametrize("render_mode", [None, "rgb_array", "human"])
@pytest.mark.parametrize("make_copy", COPIES)
def test_copy_continues_identically(
    make_copy: Callable[[Any], Any],
    render_mode: str | None,
    changing_env: tuple[str, dict[str, Any]],
    same: Same,
) -> None:
    env = make(changing_env, observation="planes", change_info="cells", render_mode=render_mode)
    if render_mode is not None:
        env.render()
    other = make_copy(env)
    same(tuple(wander(env, 150)), tuple(wander(other, 150)))
    assert other.layout == env.layout
    env.close()
    other.close()


def test_state_round_trips_json(changing_env: tuple[str, dict[str, Any]], same: Same) -> None:
    env = make(changing_env, observation="planes")
    state = json.loads(json.dumps(env.get_state()))
    expected = wander(env, 300)
    env.set_state(state)
    same(tuple(wander(env, 300)), tuple(expected))
    other = make(changing_env, observation="planes")
    wander(other, 77, seed=8)
    other.set_state(state)
    same(tuple(wander(other, 300)), tuple(expected))


def test_seed_determines_run(changing_env: tuple[str, dict[str, Any]], same: Same) -> None:
    one, other = make(changing_env, change_info="cells"), make(changing_env, change_info="cells")
    same(tuple(wander(one, 300)), tuple(wander(other, 300)))


def test_mazes_stay_solvable(
    changing_env: tuple[str, dict[str, Any]],
) -> None:
    env = make(changing_env, change_info="cells")
    before = env.layout
    for action in np.random.default_rng(0).integers(4, size=400).tolist():
        _, _, terminated, _, info = env.step(action)
        after = env.layout
        differ = before.walls != after.walls
        assert (differ <= info["changed_cells"]).all()
        assert info["changed"] or before == after  # two changes in one step may undo each other
        assert all(after.distances[start] > 0 for start in after.starts)
        assert info["phase"] == env.phase
        before = after
        if terminated:
            env.reset()
            before = env.layout


@pytest.mark.parametrize("change_info", ["none", "change", "cells"])
@pytest.mark.parametrize("change_info_in", ["info", "observation"])
def test_checker_gymnasium_passes(
    changing_env: tuple[str, dict[str, Any]], change_info: str, change_info_in: str
) -> None:
    env_id, arguments = changing_env
    env = gym.make(env_id, **arguments, change_info=change_info, change_info_in=change_info_in)
    check_env(env.unwrapped, skip_render_check=True)  # warnings are errors


# -- by step and by episode ----------------------------------------------------------------------


def test_change_keeps_other_fields() -> None:
    env = DynaMazeEnv(
        "S.G\n...",
        {
            1: {"slip_probability": 0.5},
            2: {"goal": (1, 2), "goal_reward": 3},
            3: {"start": [(0, 1), (1, 1)], "step_reward": -1},
            4: "S#G\n...",
            5: {"layout": ["S..", "..G"], "wall_reward": -2},
        },
    )
    first, *later = env.schedule.layouts
    assert [layout.slip_probability for layout in later] == [0.5] * 5
    assert [layout.goals[0] for layout in later] == [(0, 2), (1, 2), (1, 2), (0, 2), (1, 2)]
    assert [layout.rewards.goal for layout in later] == [1, 3, 3, 3, 3]
    assert [layout.rewards.step for layout in later] == [0, 0, -1, -1, -1]
    assert later[2].starts == ((0, 1), (1, 1))
    assert later[4].rewards == (3, -1, -2)
    assert first.rewards == (1, 0, 0)


def test_text_holds_number_changes() -> None:
    text = "S.G\n...\n@ 5 slip_probability=0.25\n@ 9 goal_reward=2 step_reward=-0.5\nS#G\n..."
    schedule = read_schedule(text)
    assert schedule.steps == (0, 5, 9)
    assert [layout.slip_probability for layout in schedule.layouts] == [0, 0.25, 0.25]
    assert schedule.layouts[2].rewards == (2, -0.5, 0)
    assert schedule.layouts[1].walls.sum() == 0
    assert read_schedule(schedule.to_text()) == schedule
    episodes = read_schedule("S.G\n@ episode 3\nSG.")
    assert (episodes.by_episode, episodes.steps) == (True, (0, 3))
    assert read_schedule(episodes.to_text()) == episodes


def test_episode_changes_restart_with_seed() -> None:
    env = DynaMazeEnv("SG..", {"episode 1": "S.G.", "episode 3": "S..G"})
    lengths, phases = [], []
    env.reset(seed=0)
    for _ in range(5):
        phases.append(env.phase)
        length = 1
        while not env.step(RIGHT)[2]:
            length += 1
        lengths.append(length)
        env.reset()
    assert phases == [0, 1, 1, 2, 2]
    assert lengths == [1, 2, 2, 3, 3]
    assert env.reset(seed=0)[1]["phase"] == 0
    # World steps have no effect here.
    assert env.reset(options={"world_step": 1000})[1] == {"world_step": 1000, "phase": 1}


def test_clock_before_first_reset_keeps_first_phase() -> None:
    env = DynaMazeEnv("SG..", {"episode 1": "S.G.", "episode 3": "S..G"})
    env.world_step = 5
    assert env.phase == 0
    assert env.layout.to_text() == "SG.."


def test_state_of_first_episodes_is_restored() -> None:
    env = DynaMazeEnv("SG..", {"episode 1": "S.G.", "episode 3": "S..G"})
    for phase in (0, 0, 1, 1):
        state = env.get_state()
        env.set_state(state)
        assert (env.phase, env.get_state()) == (phase, state)
        env.reset(seed=0 if env.agent is None else None)


def test_old_states_tell_calls_of_change() -> None:
    env = DynaMazeEnv("S.G\n...", {3: "S#G\n..."})
    env.reset(seed=0)

    def restored_from_old_state() -> bool:
        state = env.get_state()
        del state["world"]["changed_by_call"]  # as in version 0.1
        env.set_state(state)
        called: bool = env.get_state()["world"]["changed_by_call"]
        return called

    assert not restored_from_old_state()
    for _ in range(4):
        env.step(LEFT)
    assert not restored_from_old_state()
    env.change("S.G\n.#.")
    assert restored_from_old_state()
    env.change("S#G\n...")  # the schedule's layout again, after more changes than it has
    assert restored_from_old_state()


def test_set_clock_forgets_unreported_change() -> None:
    env = DynaMazeEnv("S.G\n...", change_info="cells")
    env.reset(seed=0)
    env.change("S#G\n...")
    env.world_step = 0  # undoes the change
    assert not env.step(LEFT)[4]["changed"]


def test_new_level_forgets_unreported_change() -> None:
    env: Any = gym.make("DynaMazeGenerated-v0", size=5, change_info="cells").unwrapped
    env.reset(seed=0, options={"level": 1})
    env.change({"goal_reward": 2.0})
    assert not env.reset(options={"level": 2})[1]["changed"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({3: "S.G", "episode 2": "S.G"}, LayoutError, "expected one kind of them"),
        ({"episode 0": "S.G"}, LayoutError, "a change at episode 0; expected 1 to"),
        ({"episode two": "S.G"}, LayoutError, "a change at episode 'two'"),
        ({"episode": "S.G"}, LayoutError, "a change at episode 'episode'"),
        ({3: {}}, ValueError, "a change of nothing"),
        ({3: {"goall": (0, 1)}}, ValueError, "change='goall'; .* did you mean 'goal'"),
        ({3: {"goal": (0, 9)}}, LayoutError, "after the change at world step 3: goal .* outside"),
        ({3: {"goal": 5}}, LayoutError, "goal=5; expected a cell"),
        ({3: {"goal": []}}, LayoutError, r"goal=\[\]; expected a cell"),
        ({3: {"start": (0.5, 1)}}, LayoutError, "start="),
        ({3: {"slip_probability": 2}}, ValueError, "slip_probability=2"),
        ({3: {"goal_reward": "much"}}, TypeError, "goal_reward='much'"),
        ({3: {"layout": "S.G\n..."}}, LayoutError, r"shape \(2, 3\); expected \(1, 3\)"),
    ],
)
def test_changes_are_checked(changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DynaMazeEnv("S.G", changes)


@pytest.mark.parametrize(
    "text", ["S.G\n@ 5", "S.G\n@ 5 slip_probability=often", "S.G\n@ 5 slip=0.5", "S.G\n@\nS.G"]
)
def test_text_changes_are_checked(text: str) -> None:
    with pytest.raises(ValueError, match=r"world step|expected"):
        read_schedule(text)


# -- by call -------------------------------------------------------------------------------------


def test_change_call_is_immediate() -> None:
    env = DynaMazeEnv("S.G\n...", change_info="cells")
    env.reset(seed=0)
    env.change("S#G\n...")
    assert env.layout.walls[0, 1]
    observation, _, _, _, info = env.step(RIGHT)
    assert observation == 0
    assert info["changed"]
    assert info["phase"] == 1
    assert np.argwhere(info["changed_cells"]).tolist() == [[0, 1]]
    assert not env.step(RIGHT)[4]["changed"]
    assert env.shortest_path_length == 4
    env.reset()
    assert env.layout.walls[0, 1]
    assert env.reset(seed=0)[1]["phase"] == 0
    assert not env.layout.walls.any()


def test_scheduled_change_follows_call() -> None:
    env = DynaMazeEnv("S.G\n...", {3: "S.G\n.#."})
    env.reset(seed=0)
    env.change({"slip_probability": 0.0, "goal_reward": 9})
    for _ in range(3):
        env.step(LEFT)
    assert env.layout.to_text() == "S.G\n.#."
    assert env.layout.rewards.goal == 1  # the schedule's layout is whole
    assert env.phase == 2


def test_goal_at_agent_terminates() -> None:
    env = DynaMazeEnv("S.G")
    env.reset(seed=0)
    env.step(RIGHT)
    env.change({"goal": (0, 1)})
    assert env.step(RIGHT)[:3] == (1, 0.0, True)


@pytest.mark.parametrize(
    "change", ["S#G\n.#.", "S.G", {"goal": (5, 5)}, {"slip": 1}, 3, {"layout": None}]
)
def test_rejected_change_keeps_maze(change: Any) -> None:
    env = DynaMazeEnv("S.G\n...")
    env.reset(seed=0)
    before = env.get_state()
    with pytest.raises((ValueError, TypeError)):
        env.change(change)
    assert env.get_state() == before


def test_layout_object_keeps_rewards() -> None:
    layout = Layout.from_text("S.G", slip_probability=0.1)
    base = Layout.from_text("SG.", slip_probability=0.4)
    assert apply_change(base, layout).slip_probability == 0.1
    assert apply_change(base, "S.G").slip_probability == 0.4
    assert apply_change(base, {"layout": layout, "slip_probability": 0.7}).slip_probability == 0.7


# -- at random -----------------------------------------------------------------------------------


def test_skipped_changes_are_counted() -> None:
    env = DynaMazeEnv("S..G\n####", random_changes={"probability": 1.0})
    env.reset(seed=0)
    for step in range(1, 30):
        _, _, _, _, info = env.step(LEFT)
        assert info == {"world_step": step, "phase": 0, "skipped_changes": step}
    assert env.reset(seed=0)[1]["skipped_changes"] == 0


def test_changes_ignore_actions() -> None:
    changes = {"when": "poisson", "rate": 0.2, "what": ["rewards"]}
    envs = [DynaMazeEnv("dyna", random_changes=changes) for _ in range(2)]
    seen: list[list[Layout]] = [[], []]
    for number, env in enumerate(envs):
        env.reset(seed=3)
        for action in np.random.default_rng(number).integers(4, size=200).tolist():
            if env.step(action)[2]:
                env.reset()
            seen[number].append(env.layout)
    assert seen[0] == seen[1]


def test_set_clock_undoes_random_changes() -> None:
    env = gym.make("DynaMazeDrifting-v0", random_changes={"when": "periodic", "period": 10})
    maze: Any = env.unwrapped
    assert isinstance(maze, GridEnv)
    first = maze.layout
    env.reset(seed=0)
    wander(env, 100)
    assert maze.layout != first
    env.reset(options={"world_step": 25})
    assert maze.layout == first
    wander(env, 5)
    assert maze.phase == 1


@pytest.mark.parametrize("name", ["change_info", "change_info_in"])
def test_change_info_is_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}='infos'; expected one of"):
        DynaMazeEnv(**{name: "infos"})


@pytest.mark.parametrize(
    ("arguments", "can_change"),
    [
        ({}, False),
        ({"changes": {9: "SG."}}, True),
        ({"random_changes": {"probability": 0.1, "what": ["goal"]}}, True),
    ],
)
def test_config_tells_if_maze_can_change(arguments: dict[str, Any], can_change: bool) -> None:
    assert DynaMazeEnv("S.G", **arguments).maze_config.can_change is can_change
