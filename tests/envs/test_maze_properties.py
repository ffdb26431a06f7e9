"""Properties that hold at any moment of any run, searched by hypothesis."""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251  # our own bytes, of this process
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import DynaMazeEnv, Layout, LayoutError, Rewards, Schedule, read_schedule

Same = Callable[[Any, Any], None]

SEVERAL = "S..#\n.#.S\n...G\n@ 9\nS#..\n...S\n.#.G\n@ 20\nS..S\n.##.\n...G"
SEEDS = st.integers(0, 2**32)
ACTIONS = st.lists(st.integers(0, 3), max_size=60)
OBSERVATIONS = st.sampled_from(["index", "coordinates", "one_hot", "planes"])


@st.composite
def layouts(draw: st.DrawFn, shape: tuple[int, int] | None = None) -> Layout:
    """Draw a solvable maze: any cells, but free ones along one path from a start to a goal."""
    rows, cols = shape or (draw(st.integers(1, 6)), draw(st.integers(2, 6)))
    letters = st.lists(st.sampled_from("##...GS"), min_size=cols, max_size=cols)
    grid = np.array(draw(st.lists(letters, min_size=rows, max_size=rows)))
    corner = (draw(st.integers(0, rows - 1)), draw(st.integers(1, cols - 1)))
    grid[0, : corner[1] + 1] = "."
    grid[: corner[0] + 1, corner[1]] = "."
    grid[0, 0], grid[corner] = "S", "G"
    rewards = Rewards(*draw(st.tuples(*[st.floats(-1e9, 1e9)] * 3)))
    try:
        return Layout.from_text(["".join(row) for row in grid], rewards)
    except LayoutError:  # another start is disconnected
        grid[grid == "S"] = "."
        grid[0, 0] = "S"
        return Layout.from_text(["".join(row) for row in grid], rewards)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw one to four phases of one shape with the same rewards."""
    first = draw(layouts())
    shape = (first.rows, first.cols)
    later = draw(st.lists(layouts(shape), max_size=3))
    steps = draw(st.sets(st.integers(1, 10**6), min_size=len(later), max_size=len(later)))
    same_rewards = [Layout(each.walls, each.starts, each.goals, first.rewards) for each in later]
    return Schedule((first, *same_rewards), (0, *sorted(steps)))


def walk(env: Any, actions: list[int]) -> tuple[Any, ...]:
    """Return the results of these actions, with resets where an episode ends."""
    given_back: list[Any] = []
    for action in actions:
        given_back.append(env.step(action))
        if given_back[-1][2] or given_back[-1][3]:
            given_back.append(env.reset())
    return tuple(given_back)


def make_env(seed: int, actions: list[int], **arguments: Any) -> DynaMazeEnv:
    """Return a slippery environment after these actions."""
    env = DynaMazeEnv(SEVERAL, slip_probability=0.3, **arguments)
    env.reset(seed=seed)
    walk(env, actions)
    return env


# -- text --------------------------------------------------------------------------------------


@given(layouts())
def test_layout_text_round_trips(layout: Layout) -> None:
    text = layout.to_text()
    for form in (
        text,
        layout.to_rows(),
        text.replace(".", " "),
        f"\n{text}\n",
        tuple(text.split()),
    ):
        again = Layout.from_text(form, layout.rewards)
        assert again == layout
        assert hash(again) == hash(layout)
    assert all(layout.distances[start] > 0 for start in layout.starts)


@given(schedules())
def test_schedule_text_round_trips(schedule: Schedule) -> None:
    rewards = schedule.layouts[0].rewards
    assert Schedule.from_text(schedule.to_text(), rewards) == schedule
    changes = dict(zip(schedule.steps[1:], schedule.layouts[1:], strict=True))
    assert read_schedule(schedule.layouts[0], changes) == schedule


@given(schedules(), st.integers(0, 10**6))
def test_phase_at_is_latest_begun(schedule: Schedule, step: int) -> None:
    for world_step in (step, *schedule.steps, *(begin - 1 for begin in schedule.steps[1:])):
        begun = [phase for phase, begin in enumerate(schedule.steps) if begin <= world_step]
        assert schedule.phase_at(world_step) == begun[-1]


@given(st.lists(st.text(alphabet="#.SG@ 0123456789-\n", max_size=20), max_size=6))
def test_any_text_parses_or_raises(rows: list[str]) -> None:
    for text in (rows, "\n".join(rows)):
        try:
            schedule = read_schedule(text)
        except LayoutError:
            continue
        assert list(schedule.steps) == sorted({0, *schedule.steps})
        for layout in schedule.layouts:
            assert all(layout.distances[start] > 0 for start in layout.starts)


# -- runs --------------------------------------------------------------------------------------


@given(SEEDS, ACTIONS, OBSERVATIONS)
def test_seed_determines_run(seed: int, actions: list[int], observation: str) -> None:
    one, other = (make_env(seed, [], observation=observation) for _ in range(2))
    np.testing.assert_equal(walk(one, actions), walk(other, actions))
    assert one.get_state() == other.get_state()


@given(SEEDS, ACTIONS)
def test_reseeding_restarts_env(seed: int, actions: list[int]) -> None:
    used, fresh = make_env(seed, actions), make_env(seed, [])
    used.reset(options={"world_step": 0})  # setting the clock prevents the warning
    np.testing.assert_equal(used.reset(seed=seed), fresh.reset(seed=seed))
    np.testing.assert_equal(walk(used, actions), walk(fresh, actions))


@given(SEEDS, ACTIONS, ACTIONS)
def test_interleaved_envs_are_independent(seed: int, actions: list[int], others: list[int]) -> None:
    one, other = make_env(seed, []), make_env(seed + 1, [])
    mixed: tuple[list[Any], list[Any]] = ([], [])
    for left, right in zip(actions, others, strict=False):
        mixed[0].extend(walk(one, [left]))
        mixed[1].extend(walk(other, [right]))
    length = min(len(actions), len(others))
    assert tuple(mixed[0]) == walk(make_env(seed, []), actions[:length])
    assert tuple(mixed[1]) == walk(make_env(seed + 1, []), others[:length])


@given(SEEDS, ACTIONS, ACTIONS, OBSERVATIONS)
def test_copies_continue_identically(
    seed: int, past: list[int], future: list[int], observation: str
) -> None:
    env = make_env(seed, past, observation=observation)
    restored = DynaMazeEnv(SEVERAL, slip_probability=0.3, observation=observation)
    restored.set_state(json.loads(json.dumps(env.get_state())))
    copies = [restored, copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    expected = walk(env, future)
    for other in copies:
        np.testing.assert_equal(walk(other, future), expected)
        assert other.get_state() == env.get_state()


@given(SEEDS, ACTIONS, ACTIONS)
@settings(max_examples=20)
def test_copy_keeps_time_limit(seed: int, past: list[int], future: list[int]) -> None:
    env = gym.make("DynaMaze-v0", layout=SEVERAL, slip_probability=0.3, max_episode_steps=7)
    env.reset(seed=seed)
    walk(env, past)
    other = copy.deepcopy(env)
    np.testing.assert_equal(walk(env, future), walk(other, future))


@given(SEEDS, ACTIONS, OBSERVATIONS)
def test_queries_change_nothing(seed: int, actions: list[int], observation: str) -> None:
    quiet = make_env(seed, [], observation=observation)
    queried = make_env(seed, [], observation=observation, render_mode="ansi")
    for action in actions:
        np.testing.assert_equal(walk(queried, [action]), walk(quiet, [action]))
        queried.render()
        queried.get_state()
        queried.mdp.start.fill(0)
        queried.shortest_path  # noqa: B018
    assert queried.get_state() == quiet.get_state()


@given(ACTIONS)
def test_state_is_independent_copy(actions: list[int]) -> None:
    env = make_env(0, [])
    state = env.get_state()
    kept = copy.deepcopy(state)
    walk(env, actions)
    assert state == kept
