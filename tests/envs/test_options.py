"""Arguments of callers: accepted values, and messages for the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeContinuousEnv, DynaMazeEnv, Layout
from dynamaze.envs.maze_config import layout_to_json
from dynamaze.envs.options import (
    EnvOptions,
    check_render_mode,
    check_world_step,
    invalid_action,
    parse_reset_options,
)
from dynamaze.envs.timing.times import LAST_STEP

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.floats() | st.text(max_size=2), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def slippery_env() -> DynaMazeEnv:
    """Return a slippery environment with several starts, some steps into an episode."""
    env = DynaMazeEnv("S..G\n.S..", {9: "S#.G\n.S.."}, slip_probability=0.3)
    env.reset(seed=0)
    for _ in range(3):
        env.step(3)
    return env


@pytest.mark.parametrize("step", [0, 7, LAST_STEP, np.int64(7), np.uint8(7), np.array(7)])
def test_world_step_accepts_integers(step: Any) -> None:
    read = check_world_step(step)
    assert read == int(step)
    assert type(read) is int


@pytest.mark.parametrize("options", [None, {}])
def test_empty_options_keep_clock(options: Any) -> None:
    assert parse_reset_options(options, None) == (None, None)


@pytest.mark.parametrize(
    "step", [-1, 2.0, np.float64(2), "2", None, True, [2], float("nan"), LAST_STEP + 1, 2**63]
)
def test_world_step_is_checked(step: Any) -> None:
    with pytest.raises(ValueError, match=r"world_step=.*; expected a whole number from 0 to"):
        parse_reset_options({"world_step": step}, None)


def test_unknown_option_suggests_name() -> None:
    with pytest.raises(ValueError, match=r"reset option='step'; expected one of \['world_step'\]"):
        parse_reset_options({"world_step": 3, "step": 4}, None)
    with pytest.raises(ValueError, match="did you mean 'world_step'"):
        parse_reset_options({"wold_step": 3}, None)
    for options in (5, "world_step", True, [("world_step", 3)]):
        with pytest.raises(TypeError, match=r"options=.*; expected a mapping or None"):
            parse_reset_options(options, None)  # type: ignore[arg-type]


def test_render_mode_is_checked() -> None:
    assert check_render_mode(None, ["ansi"]) is None
    assert check_render_mode("ansi", ["ansi"]) == "ansi"
    with pytest.raises(
        ValueError, match=r"one of \['ansi', 'human'\] or None; did you mean 'human'\?"
    ):
        check_render_mode("humen", ["ansi", "human"])
    with pytest.raises(ValueError, match=r"render_mode=''; expected one of \['ansi'\] or None"):
        check_render_mode("", ["ansi"])


@pytest.mark.parametrize("phase", [2, -3, 0.5, "0", None, True])
def test_phase_is_checked(phase: Any) -> None:
    env = DynaMazeEnv("blocking")
    for method in (env.phase_mdp, env.phase_scene):
        with pytest.raises((ValueError, TypeError), match=r"phase=.*; expected .* in \[-2, 1\]"):
            method(phase)


@pytest.mark.parametrize("mode", [5, True, b"ansi", ["ansi"], np.array(["ansi", "svg"])])
def test_render_mode_of_other_type_is_named(mode: Any) -> None:
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=r"render_mode=.*; expected one of \['"):
            make("DynaMaze-v0", render_mode=mode)  # type: ignore[operator]


@pytest.mark.parametrize("seed", [1.5, object(), "12", [1, 2, 3]])
def test_seeds_of_vector_env_are_checked(seed: Any) -> None:
    env = gym.make_vec("DynaMaze-v0", 2)
    with pytest.raises((TypeError, ValueError, gym.error.Error), match=r"[Ss]eed"):
        env.reset(seed=seed)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (7, ValueError),
        (-(10**30), ValueError),
        (np.array(4), ValueError),
        (np.uint64(2**63), ValueError),
        (2.0, TypeError),
        ("up", TypeError),
        (None, TypeError),
        (np.array([1]), TypeError),
        ([1, [2]], TypeError),
        (True, TypeError),
        (np.False_, TypeError),
        ("1", TypeError),
    ],
)
def test_invalid_action_names_expected(action: Any, error: type[Exception]) -> None:
    refusal = invalid_action(action)
    assert type(refusal) is error
    kind = type(action).__name__
    assert str(refusal) == (
        f"action {action!r} of type {kind}; expected an integer from 0 to 3 (up, right, down, left)"
    )


INVALID_ACTIONS: list[tuple[Any, type[Exception]]] = [
    (True, TypeError),
    (False, TypeError),
    (np.True_, TypeError),
    (np.array(True), TypeError),
    (1.0, TypeError),
    (np.float64(1), TypeError),
    ("1", TypeError),
    (None, TypeError),
    (4, ValueError),
    (-1, ValueError),
    (10**30, ValueError),
    (np.uint64(2**63), ValueError),
]


@pytest.mark.parametrize("env_id", ["DynaMaze-v0", "DynaMazeContinuous-v0"])
def test_action_rule_is_one(env_id: str) -> None:
    kwargs = {"action": "discrete"} if "Continuous" in env_id else {}
    single, native = gym.make(env_id, **kwargs).unwrapped, gym.make_vec(env_id, 2, **kwargs)
    for env in (single, native):
        env.reset(seed=0)
    forms: list[Callable[[Any], Any]] = [lambda a: [1, a], lambda a: (1, a)]
    for action, error in INVALID_ACTIONS:
        with pytest.raises(error, match=r"action .*; expected an integer from 0 to 3"):
            single.step(action)
        for form in [*forms, lambda a: np.array([a, a])]:
            with pytest.raises(error, match=r"action.*expected .*from 0 to 3"):
                native.step(form(action))
    for action in (1, np.int8(1), np.uint64(1), np.array(1)):
        single.step(action)
        for form in [*forms, lambda a: np.array([a, a])]:
            native.step(form(action))
    assert single.world_step == 4
    assert native.get_attr("world_step") == (12, 12)


def test_continuous_actions_reject_bools() -> None:
    single, native = gym.make("DynaMazeContinuous-v0"), gym.make_vec("DynaMazeContinuous-v0", 1)
    single.reset(seed=0)
    native.reset(seed=0)
    for action in ([True, 0.5], [np.True_, 1], [True, False]):
        with pytest.raises(TypeError, match="expected real numbers, not"):
            single.unwrapped.step(action)
        with pytest.raises(TypeError, match="expected real numbers, not"):
            native.step([action])


CLOCKED: dict[str, dict[str, Any]] = {
    "DynaMaze-v0": {"layout": "S..G\n...."},
    "DynaMazeBlocking-v0": {},
    "DynaMazeDrifting-v0": {"random_changes": {"when": "poisson", "rate": 20.0}},
    "DynaMazeGenerated-v0": {"size": 5, "random_changes": {"when": "periodic", "period": 2}},
    "DynaMazeAdaptation-v0": {"size": 5},
    "DynaMazeContinuous-v0": {"action": "discrete"},
    "DynaMazeLoCA-v0": {},
    "DynaMazeLoCAContinuous-v0": {},
}


@pytest.mark.parametrize("env_id", CLOCKED)
def test_clock_ends_with_error(env_id: str) -> None:
    env: Any = gym.make(env_id, **CLOCKED[env_id]).unwrapped
    message = f"step\\(\\) at world step {LAST_STEP}, the end of the clock; expected"
    env.reset(seed=0, options={"world_step": LAST_STEP - 2})
    state = env.get_state()
    for set_clock in (
        lambda: None,
        lambda: env.set_state(state),
        lambda: setattr(env, "world_step", LAST_STEP - 2),
    ):
        set_clock()
        for _ in range(2):
            env.step(0)
        before = env.get_state()
        for _ in range(2):
            with pytest.raises(RuntimeError, match=message):
                env.step(0)
        assert env.get_state() == before
    env.set_state(before)
    with pytest.raises(RuntimeError, match=message):
        env.step(0)
    env.reset(seed=1)
    assert env.step(0)[4]["world_step"] == 1
    with pytest.raises(ValueError, match=r"world_step=.*; expected a whole number from 0 to"):
        env.world_step = LAST_STEP + 1


@pytest.mark.parametrize("env_id", ["DynaMazeDrifting-v0", "DynaMazeContinuous-v0"])
def test_clock_of_vector_env_ends(env_id: str) -> None:
    kwargs = {"action": "discrete"} if "Continuous" in env_id else {}
    native = gym.make_vec(env_id, 3, **kwargs)
    native.reset(seed=0)
    native.set_attr("world_step", [0, LAST_STEP - 1, LAST_STEP - 5])
    assert native.step([0, 0, 0])[4]["world_step"].tolist() == [1, LAST_STEP, LAST_STEP - 4]
    before = native.get_attr("agent")
    with pytest.raises(RuntimeError, match=f"at world step {LAST_STEP} of environment 1, the end"):
        native.step([0, 0, 0])
    assert native.get_attr("agent") == before
    assert native.get_attr("world_step") == (1, LAST_STEP, LAST_STEP - 4)
    native.set_attr("world_step", 7)
    native.step([0, 0, 0])
    native.reset(options={"world_step": LAST_STEP})
    with pytest.raises(RuntimeError, match="of environment 0, the end of the clock"):
        native.step([0, 0, 0])
    native.reset(seed=0)
    native.step([0, 0, 0])


@given(st.sampled_from(["state", "world_step", "uniforms", "rng", "world"]), JUNK)
def test_junk_state_changes_nothing(field: str, junk: Any) -> None:
    env = slippery_env()
    before = env.get_state()
    try:
        env.set_state({**before, field: junk})
    except ValueError:
        assert env.get_state() == before
    else:
        expected = [float(number) for number in junk] if field == "uniforms" else junk
        assert env.get_state()[field] == expected
        for action in (0, 1, 2, 3) * 5:
            if env.get_state()["state"] < 0:  # junk may be the state before the first reset
                env.reset()
            assert env.observation_space.contains(env.step(action)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": 8}, r"state=8; expected a whole number in \[-1, 7\]"),
        ({"state": -2}, "state=-2;"),
        ({"state": 2.5}, "not a state that get_state"),
        ({"state": True}, "state=True;"),
        ({"world_step": 2**63}, "world_step=9223372036854775808; expected a whole number from 0"),
        ({"world_step": True}, "world_step=True;"),
        ({"world_step": 10}, "after 0 scheduled changes at world step 10; expected 1"),
        ({"world": {}}, "not a state that get_state"),
        ({"world": None}, "not a state that get_state"),
        ({"uniforms": [0.5, 1.0]}, "uniforms"),
        ({"uniforms": [float("nan")]}, "uniforms"),
        ({"uniforms": [False]}, "uniforms=False;"),
        ({"rng": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}}}, "not a state"),
    ],
)
def test_bad_state_is_named(change: dict[str, Any], message: str) -> None:
    env = slippery_env()
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.set_state({**before, **change})
    assert env.get_state() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"due": [5, 5.0, 0]}, r"the next random change \[5, 5.0, 0\] of a maze without random"),
        ({"level": 3}, "level 3 of a maze that is not generated"),
        ({"scheduled": 2, "phase": 2}, "phase 2 of a schedule of 2"),
        ({"scheduled": 1, "phase": 0}, "phase 0 after 1 changes"),
        ({"scheduled": 1, "phase": 1}, "after 1 scheduled changes at world step 3; expected 0"),
        ({"phase": -1}, "phase=-1; expected a whole number"),
        ({"skipped": -1}, "skipped=-1; expected a whole number"),
        ({"episode": -2}, "episode=-2; expected a whole number"),
        ({"changed_by_call": 1}, "changed_by_call=1; expected a bool"),
        ({"unreported": layout_to_json(Layout.from_text("S.G"))}, r"has shape \(1, 3\); expected"),
        ({"layout": layout_to_json(Layout.from_text("S.G"))}, r"has shape \(1, 3\); expected"),
    ],
)
def test_bad_state_of_maze_is_named(change: dict[str, Any], message: str) -> None:
    env = slippery_env()
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.set_state({**before, "world": {**before["world"], **change}})
    assert env.get_state() == before


def test_state_without_random_change_is_refused() -> None:
    env = DynaMazeEnv("dyna", random_changes={"when": "poisson", "rate": 0.3})
    state = env.get_state()
    with pytest.raises(ValueError, match="the next random change None of a maze with random"):
        env.set_state({**state, "world": {**state["world"], "due": None}})


def test_pending_change_has_two_forms() -> None:
    env = DynaMazeEnv("dyna", random_changes={"when": "poisson", "rate": 0.3})
    env.reset(seed=0)
    state = env.get_state()
    pending = env.maze._pending
    assert pending is not None
    step, early, remaining = pending
    forms = [state["world"]["due"], [step, step - early, remaining], pending._asdict()]
    runs = []
    for due in forms:
        env.set_state({**state, "world": {**state["world"], "due": due}})
        runs.append([env.step(0)[4]["phase"] for _ in range(40)])
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][-1] > 5
    for due in ([5, 3.0, 0], {"step": 5, "early": 1.5, "remaining": 0}, {"step": 5}):
        with pytest.raises(ValueError, match="not a state that get_state"):
            env.set_state({**state, "world": {**state["world"], "due": due}})


def test_state_before_reset_round_trips() -> None:
    env = slippery_env()
    env.set_state(DynaMazeEnv("S..G\n.S..", {9: "S#.G\n.S.."}, slip_probability=0.3).get_state())
    assert env.agent is None
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


@pytest.mark.parametrize("state", [None, 3, "state", [], {}, gym.make_vec("DynaMaze-v0", 2)])
def test_set_state_rejects_other_types(state: Any) -> None:
    state = state.get_state() if isinstance(state, gym.vector.VectorEnv) else state
    with pytest.raises(ValueError, match="not a state that get_state"):
        DynaMazeEnv().set_state(state)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", np.int64(1)])
def test_bad_seed_changes_nothing(seed: Any) -> None:
    env = slippery_env()
    before = env.get_state()
    with pytest.raises(gym.error.Error, match="Seed"):
        env.reset(seed=seed)
    assert env.get_state() == before


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("vector", [False, True])
def test_unknown_argument_names_environment(env_id: str, vector: bool) -> None:
    make: Callable[..., Any] = gym.make_vec if vector else gym.make
    name = f"{ENVIRONMENTS[env_id].name}Env"
    with pytest.raises(
        TypeError,
        match=rf"{name} got an unexpected keyword argument 'rendr_mode'.*mean 'render_mode'",
    ):
        make(env_id, rendr_mode="ansi")


OPTIONS: dict[str, Any] = {
    "slip_probability": 0.25,
    "goal_reward": 2.0,
    "step_reward": -0.5,
    "wall_reward": -1.0,
    "change_info": "cells",
    "change_info_in": "observation",
    "render_mode": "ansi",
}


@pytest.mark.parametrize("env_id", [env_id for env_id in ENVIRONMENTS if "LoCA" not in env_id])
@pytest.mark.parametrize("vector", [False, True])
def test_options_reach_environment(env_id: str, vector: bool) -> None:
    make: Callable[..., Any] = gym.make_vec if vector else gym.make
    env = make(env_id, **OPTIONS)
    spec = env.spec
    again = make(type(spec).from_json(spec.to_json()))
    assert env.observation_space == again.observation_space
    for made in (env, again):
        assert made.unwrapped.render_mode == "ansi"
        maze = made.call("layout")[0] if vector else made.unwrapped.layout
        assert maze.slip_probability == 0.25
        assert maze.rewards == (2.0, -0.5, -1.0)
        observation, _ = made.reset(seed=0)
        assert {"observation", "changed", "changed_cells"} <= set(observation)


@pytest.mark.parametrize("env_class", [DynaMazeEnv, DynaMazeContinuousEnv])
def test_docstring_lists_options(env_class: Any) -> None:
    text = inspect.getdoc(env_class("S.G")) or ""  # that of its class
    assert "**options" not in text
    for name in EnvOptions.__annotations__:
        assert f"\n    {name}: " in text
