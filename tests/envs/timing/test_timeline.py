"""Composable schedules: their times, what they read, the clock, and mazes that use them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from dynamaze.envs import (
    DynaMazeEnv,
    LayoutError,
    TimedChange,
    at,
    bursts,
    cycle,
    each_step,
    every,
    once,
    poisson,
)
from dynamaze.envs.timing.timeline import MAX_REPLAYED, Timeline, read_changes
from dynamaze.envs.timing.times import LAST_STEP, NEVER

from ..helpers import wander

ALL = (
    at([3, 10], cycle("a", "b")),
    every(4, cycle("c", "d", "e"), start=2),
    every("episode 2", "f"),
    poisson(0.3, "g"),
    each_step(0.2, cycle("h", "i")),
    bursts(0.1, 3, "j"),
    once(5, 9, "k"),
)


def run(timeline: Timeline, steps: int, rng: np.random.Generator) -> list[tuple[int, Any]]:
    """Return the changes of some steps with their times."""
    return [(t, each) for t in range(1, steps) for each in timeline.due(t, rng.random)]


def test_known_times_are_exact() -> None:
    timeline = Timeline(ALL[:2])
    assert run(timeline, 16, np.random.default_rng(0)) == [
        (2, "c"),
        (3, "a"),
        (6, "d"),
        (10, "b"),
        (10, "e"),
        (14, "c"),
    ]
    assert timeline.next_step == 18
    assert timeline.counts == [2, 4]


def test_once_and_bursts_repeat_as_declared() -> None:
    found = run(ready(ALL[5:]), 4000, np.random.default_rng(1))
    times = [t for t, change in found if change == "j"]
    assert sum(change == "k" for _, change in found) == 1
    assert len(times) > 900
    assert all(b - a == 1 for i, (a, b) in enumerate(pairwise(times)) if i % 3 < 2)


def test_episodes_are_apart_from_steps() -> None:
    timeline = ready(ALL[2:3])
    assert timeline.next_step == NEVER
    rng = np.random.default_rng(0)
    due = [list(timeline.due(e, rng.random, by_episode=True)) for e in range(5)]
    assert due == [[], [], ["f"], [], ["f"]]


def ready(timed: Any, step: int = 0, seed: int = 0) -> Timeline:
    timeline = Timeline(timed)
    timeline.set_clock(step, 0, np.random.default_rng(seed).random)
    return timeline


@pytest.mark.parametrize("step", [0, 1, 2, 9, 10, 11, 100, 2**40])
def test_set_clock_equals_stepping(step: int) -> None:
    set_at, stepped = ready(ALL[:2], step), ready(ALL[:2])
    if step <= 100:
        run(stepped, step + 1, np.random.default_rng(0))
        assert set_at.counts == stepped.counts
        assert set_at.next_step == stepped.next_step
    assert [past.time for past in set_at.past()] == sorted(past.time for past in set_at.past())
    assert all(past.time <= step for past in set_at.past())
    assert len(set_at.past()) <= 5  # each distinct change once


def test_past_lists_each_time_on_request() -> None:
    timeline = ready(ALL[:2], 14)
    changes = [(past.time, past.change) for past in timeline.past(each_time=True)]
    assert changes == [(2, "c"), (3, "a"), (6, "d"), (10, "b"), (10, "e"), (14, "c")]
    last = [(past.time, past.change) for past in timeline.past()]
    assert last == [(3, "a"), (6, "d"), (10, "b"), (10, "e"), (14, "c")]
    with pytest.raises(ValueError, match=f"expected at most {MAX_REPLAYED:,}"):
        ready([every(1, "x")], 2 * MAX_REPLAYED).past(each_time=True)


@pytest.mark.parametrize("timed", ALL, ids=lambda each: each.times.when)
def test_state_continues_identically(timed: TimedChange) -> None:
    rng = np.random.default_rng(3)
    timeline = ready([timed])
    run(timeline, 8, rng)
    state = json.loads(json.dumps(timeline.get_state()))
    other, twin = Timeline([timed]), np.random.default_rng()
    twin.bit_generator.state = rng.bit_generator.state
    other.set_state(state, 7, 0)
    ahead = [(t, c) for t in range(8, 200) for c in timeline.due(t, rng.random)]
    assert ahead == [(t, c) for t in range(8, 200) for c in other.due(t, twin.random)]


@pytest.mark.parametrize("timed", ALL, ids=lambda each: each.times.when)
def test_json_form_is_read_back(timed: TimedChange) -> None:
    assert read_changes(json.loads(json.dumps(timed.to_json()))) == (timed,)
    assert read_changes([timed.to_json(), timed]) == (timed, timed)


def test_mappings_are_sorted_by_time() -> None:
    first, second = read_changes({"20": "b", 3: "a", "episode 2": "c"})
    assert first == at([3, 20], cycle("a", "b"))
    assert second == at("episode 2", "c")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: at(0, "a"), ValueError, "at: a change at world step 0; expected 1 to"),
        (lambda: at(2.5, "a"), ValueError, "world step 2.5; expected a whole number"),
        (lambda: at([3, 3], "a"), ValueError, "a change at 3; expected one after 3"),
        (lambda: at([3, "episode 5"], "a"), ValueError, "expected one kind of them"),
        (lambda: every(0, "a"), ValueError, "every: a change at world step 0"),
        (lambda: poisson(0, "a"), ValueError, "poisson: rate=0; expected a number in"),
        (lambda: each_step("x", "a"), TypeError, "each_step: probability='x'"),
        (lambda: bursts(0.1, 0, "a"), ValueError, "bursts: length=0"),
        (lambda: once(5, 4, "a"), ValueError, "once: latest=4"),
        (lambda: cycle(), ValueError, "expected at least one"),
        (lambda: read_changes([(3, "a"), ("3", "b")]), ValueError, "two changes at world step 3"),
        (lambda: read_changes(3), TypeError, "changes=3; expected a mapping or pairs"),
        (lambda: read_changes({"when": "evry"}), ValueError, "did you mean 'every'"),
        (lambda: read_changes({"when": "every", "change": 1}), ValueError, "without period"),
        (lambda: read_changes({"when": "every", "period": 3}), ValueError, "expected a 'change'"),
        (
            lambda: read_changes({"when": "every", "period": 3, "changes": []}),
            TypeError,
            "a list of at least one",
        ),
        (
            lambda: read_changes({"when": "every", "perod": 3, "change": 1}),
            ValueError,
            "did you mean 'period'",
        ),
    ],
)
def test_bad_schedule_is_named(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# -- mazes ---------------------------------------------------------------------------------------

GOALS = every(50, cycle({"goal": (0, 3)}, {"goal": (0, 8)}))


def test_given_times_are_the_mapping() -> None:
    plain = DynaMazeEnv("blocking", {10: "shortcut", 30: "dyna"})
    composed = DynaMazeEnv("blocking", [at(10, "shortcut"), at(30, "dyna")])
    assert composed.schedule == plain.schedule
    assert composed.configuration_digest() == plain.configuration_digest()


def test_changes_compose_key_by_key() -> None:
    env = DynaMazeEnv("dyna", [(60, "blocking"), every(25, cycle({"slip_probability": 0.5}))])
    env.reset(seed=0)
    wander(env, 60)
    assert env.layout.slip_probability == 0.5  # as before the layout changed
    assert env.layout.walls.sum() == 8
    assert env.phase == 3


def test_world_step_equals_stepping() -> None:
    env = DynaMazeEnv("dyna", [(70, "blocking"), GOALS, every(30, {"slip_probability": 0.2})])
    set_env = DynaMazeEnv("dyna", [(70, "blocking"), GOALS, every(30, {"slip_probability": 0.2})])
    env.reset(seed=0)
    for step in (1, 49, 50, 69, 70, 100, 150, 200):
        wander(env, step - env.world_step)
        _, info = set_env.reset(options={"world_step": step})
        assert set_env.layout == env.layout
        assert info["phase"] == env.phase
    for step in (LAST_STEP - 60, LAST_STEP - 10):
        set_env.reset(options={"world_step": step})
        assert set_env.layout.goals == (((0, 8), (0, 3))[step // 50 % 2],)


def test_change_that_does_not_fit_is_skipped() -> None:
    walls = ["S#G", "..."], ["S.G", "..."]
    env = DynaMazeEnv("S.G\n...", [every(10, {"start": (0, 1)}), (5, walls[0]), (25, walls[1])])
    env.reset(seed=0)
    for _ in range(10):
        *_, info = env.step(0)
    assert info == {"world_step": 10, "phase": 1, "skipped_changes": 1}
    assert env.layout.starts == ((0, 0),)


def test_spec_round_trips_json() -> None:
    env = gym.make("DynaMaze-v0", changes=[GOALS, poisson(0.1, {"slip_probability": 0.3})])
    assert env.spec is not None
    made = gym.make(EnvSpec.from_json(env.spec.to_json()))
    digests = {each.unwrapped.configuration_digest() for each in (env, made)}  # type: ignore[attr-defined]  # a maze
    assert len(digests) == 1
    assert digests != {gym.make("DynaMaze-v0").unwrapped.configuration_digest()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": [every(5, {"goal": (1, 2)})]}, "changes: .*wall"),
        ({"changes": [every(5, {"gaol": (1, 2)})]}, "did you mean 'goal'"),
        ({"changes": [every(5, "S.G")]}, "shape"),
        ({"changes": GOALS, "observation": "goal"}, "whose goal moves to .0, 3. at given times"),
    ],
)
def test_bad_maze_change_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((LayoutError, ValueError), match=message):
        gym.make("DynaMaze-v0", **arguments)


def test_exact_regret_needs_a_schedule() -> None:
    env = DynaMazeEnv("dyna", GOALS)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="whose schedule determines all changes"):
        env.regret(clairvoyant=True)
    assert env.regret().shape == (54, 4)
