"""Single environment: Gymnasium's contract, the clock, actions and steps."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

import dynamaze  # noqa: F401
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.observations import OBSERVATIONS

OWN_FILES = ("Adaptation", "Continuous", "LoCA")  # these are tested in their own files
GRIDS = [
    env_id
    for env_id, entry in ENVIRONMENTS.items()
    if not any(kind in entry.name for kind in OWN_FILES)
]
UP, RIGHT, DOWN, LEFT = range(4)


def make(**arguments: Any) -> DynaMazeEnv:
    env = DynaMazeEnv(**arguments)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("slip", [0.0, 0.2])
@pytest.mark.parametrize("observation", sorted(OBSERVATIONS))
@pytest.mark.parametrize("env_id", GRIDS)
def test_checker_gymnasium_passes(env_id: str, observation: str, slip: float) -> None:
    env = gym.make(env_id, observation=observation, slip_probability=slip)
    check_env(env.unwrapped, skip_render_check=True)  # warnings are errors


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_checker_passes_render_modes(env_id: str) -> None:
    check_env(gym.make(env_id).unwrapped)


# -- the clock ---------------------------------------------------------------------------------


def test_clock_restarts_with_seed() -> None:
    env = make()
    for _ in range(3):
        env.step(UP)
    assert env.reset()[1] == {"world_step": 3, "phase": 0}
    assert env.step(UP)[4]["world_step"] == 4
    assert env.reset(seed=1)[1] == {"world_step": 0, "phase": 0}


def test_clock_can_be_set() -> None:
    env = make(layout="blocking")
    assert env.reset(options={"world_step": 1000})[1] == {"world_step": 1000, "phase": 1}
    assert env.reset(seed=1, options={"world_step": 7})[1]["world_step"] == 7
    env.world_step = 2000
    assert (env.phase, env.shortest_path_length) == (1, 16)


@pytest.mark.parametrize("change", [1, 2, 50])
def test_maze_changes_at_step(change: int) -> None:
    env = make(layout="S.G", changes={change: "G.S"})
    for step in range(1, change + 1):
        state, _, terminated, _, info = env.step(LEFT)
        assert info == {"world_step": step, "phase": int(step >= change)}
        assert (state, terminated) == (0, False)
    assert env.step(LEFT)[:3] == (0, 0.0, True)  # the goal is here now


@given(st.lists(st.sampled_from(["step", "reset", "seed", "set"]), max_size=60), st.integers(1, 9))
def test_clock_counts_steps(events: list[str], change: int) -> None:
    env = make(layout="S...G", changes={change: "S..G."})
    expected = 0
    for number, event in enumerate(events):
        if event == "step":
            expected += 1
            info = env.step(number % 4)[4]
        elif event == "reset":
            info = env.reset()[1]
        elif event == "seed":
            expected = 0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # seeding every reset warns
                info = env.reset(seed=number)[1]
        else:
            expected = number
            info = env.reset(options={"world_step": number})[1]
        assert info == {"world_step": expected, "phase": int(expected >= change)}


def test_seeded_resets_warn_once() -> None:
    env = make(layout="S..G", changes={10: "S.G."})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for episode in range(20):
            for _ in range(3):
                env.step(UP)
            env.reset(seed=episode)
    assert len(warned) == 1
    assert "first change at world step 10" in str(warned[0].message)


# -- steps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [1, np.int64(1), np.int32(1), np.uint8(1), np.array(1)])
def test_step_accepts_any_integer(action: Any) -> None:
    assert make(layout="S.G").step(action)[0] == 1


@pytest.mark.parametrize("action", [4, 7, -1, np.int64(-1), np.array(9)])
def test_step_rejects_outside_actions(action: Any) -> None:
    env = make()
    before = env.get_state()
    with pytest.raises(ValueError, match="expected an integer from 0 to 3"):
        env.step(action)
    assert env.get_state() == before


@pytest.mark.parametrize("action", [1.0, "up", None, [1], np.array([1]), np.array([1, 2]), 1j])
def test_step_rejects_non_integers(action: Any) -> None:
    env = make()
    before = env.get_state()
    with pytest.raises(TypeError, match="expected an integer from 0 to 3"):
        env.step(action)
    assert env.get_state() == before


def test_step_needs_reset() -> None:
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        DynaMazeEnv().step(UP)


def test_wall_at_agent_can_be_left() -> None:
    env = make(layout="S..\n..G", changes={1: "S#.\n..G"})
    state, *_ = env.step(RIGHT)
    assert state == 1
    assert env.layout.walls[0, 1]
    assert env.agent == (0, 1)
    assert env.mdp.next_state[1, :, 0].tolist() == [1, 2, 4, 0]  # up is the edge
    assert env.step(UP)[0] == 1
    assert env.step(DOWN)[0] == 4
    assert env.step(UP)[0] == 4


def test_walls_stop_and_goal_terminates() -> None:
    env = make(layout="S#G\n...", step_reward=-1.0, wall_reward=-2.0, goal_reward=3.0)
    walked = [env.step(action)[:3] for action in (RIGHT, UP, DOWN, RIGHT, RIGHT, UP, LEFT)]
    assert walked == [
        (0, -2.0, False),
        (0, -2.0, False),
        (3, -1.0, False),
        (4, -1.0, False),
        (5, -1.0, False),
        (2, 3.0, True),
        (2, 0.0, True),  # nothing follows the end
    ]


def test_slip_frequency_matches() -> None:
    env = make(layout="...\n.S.\n..G", slip_probability=0.3)
    counts = np.zeros(9)
    steps = 20_000
    for _ in range(steps):
        env.reset()
        counts[env.step(UP)[0]] += 1
    expected = np.zeros(9)
    expected[[1, 3, 5]] = 0.7, 0.15, 0.15
    # 6 standard deviations: a false alarm about once in 10^8 of these fixed seeds.
    spread = 6 * np.sqrt(expected * (1 - expected) / steps) + 1e-12
    assert (abs(counts / steps - expected) <= spread).all()


def test_starts_are_uniform() -> None:
    env = make(layout="S.S\nG.S")
    counts = np.bincount([env.reset()[0] for _ in range(9000)], minlength=6)
    assert counts[[1, 3, 4]].tolist() == [0, 0, 0]
    assert (abs(counts[[0, 2, 5]] - 3000) <= 6 * np.sqrt(9000 * 2 / 9)).all()


def test_time_limit_truncates() -> None:
    env = gym.make("DynaMaze-v0", max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(LEFT)[3] for _ in range(3)] == [False, False, True]
    assert gym.make("DynaMaze-v0").spec.max_episode_steps == 10_000  # type: ignore[union-attr]


# -- observations ------------------------------------------------------------------------------


def test_observations_locate_agent() -> None:
    envs = {name: make(layout="blocking", observation=name) for name in OBSERVATIONS}
    rng = np.random.default_rng(0)
    for action in rng.integers(4, size=200):
        seen = {name: env.step(action)[0] for name, env in envs.items()}
        cell = envs["index"].agent
        assert cell is not None
        assert seen["index"] == cell[0] * 9 + cell[1]
        assert seen["coordinates"].tolist() == list(cell)
        assert np.flatnonzero(seen["one_hot"]).tolist() == [seen["index"]]
        walls, agent, goals = seen["planes"]
        np.testing.assert_array_equal(walls, envs["planes"].layout.walls)
        assert np.argwhere(agent).tolist() == [list(cell)]
        assert np.argwhere(goals).tolist() == [[0, 8]]


def test_planes_follow_changes() -> None:
    env = make(layout="S.G\n...", changes={1: "S#G\n..."}, observation="planes")
    before, *_ = env.reset(seed=0)
    after, *_ = env.step(UP)
    assert (before[0, 0, 1], after[0, 0, 1]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "indx"}, "observation='indx'.*did you mean 'index'"),
        ({"observation": 3}, "observation=3"),
        ({"render_mode": "rgb"}, "render_mode='rgb'.*'rgb_array'"),
        ({"slip_probability": 3}, r"slip_probability=3; expected a number in \[0, 1\]"),
        ({"layout": "S.x\n..G"}, "row 0, column 2"),
        ({"goal_reward": float("inf")}, "goal_reward=inf"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DynaMazeEnv(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worldstep": 3}, "'worldstep'.*did you mean 'world_step'"),
        ({"world_step": -1}, "world_step=-1"),
        ({"world_step": 2.5}, "world_step=2.5"),
        ({"world_step": True}, "world_step=True"),
    ],
)
def test_options_are_checked(options: Any, message: str) -> None:
    env = make()
    env.step(DOWN)
    before = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.reset(seed=3, options=options)
    assert env.get_state() == before


def test_regret_equals_value_difference() -> None:
    env = DynaMazeEnv("S.G\n...", {2: "S#G\n..."})
    env.reset(seed=0)
    # In the present maze: right reaches the goal in two steps, down in four, the others in three.
    assert env.regret(0.5)[0] == pytest.approx([0.25, 0, 0.5 - 0.125, 0.25])
    # Known at step 0: the path closes at step 2, and right, right still gets through.
    assert env.regret(0.5, clairvoyant=True)[0][1] == 0
    env.step(3)
    # At step 1 the action right leads to the cell of the new wall, and then off it.
    q = env.regret(0.5, clairvoyant=True)[0]
    assert q == pytest.approx([0.5 - 0.0625, 0, 0.5 - 0.125, 0.5 - 0.0625])
    assert env.diameter == 3


@pytest.mark.parametrize(
    "arguments",
    [
        {"random_changes": {"probability": 0.5}},
        {"changes": {"episode 2": "shortcut"}},
    ],
)
def test_clairvoyant_regret_needs_schedule(arguments: dict[str, Any]) -> None:
    env = DynaMazeEnv("dyna", **arguments)
    env.reset(seed=0)
    assert env.regret().shape == (54, 4)
    with pytest.raises(ValueError, match=r"regret with clairvoyant|changes by episodes"):
        env.regret(clairvoyant=True)
    plain = DynaMazeEnv("blocking")
    plain.reset(seed=0)
    plain.change("shortcut")
    with pytest.raises(ValueError, match="regret with clairvoyant"):
        plain.regret(clairvoyant=True)


def test_masks_and_compute_reward_exist() -> None:
    rewards = {"step_reward": -0.1, "goal_reward": 2}
    env = gym.make("DynaMaze-v0", layout="S#G\n...", observation="goal", **rewards)
    env.reset(seed=0)
    masks = env.get_wrapper_attr("action_masks")()
    assert masks.tolist() == [False, False, True, False]
    compute = env.get_wrapper_attr("compute_reward")
    achieved, desired = np.array([[0, 1], [1, 1]]), np.array([[0, 1], [0, 1]])
    assert compute(achieved, desired, [{}, {}]).tolist() == [2, -0.1]
    assert compute(achieved[0], desired[0], {}) == 2
    assert not hasattr(DynaMazeEnv(), "compute_reward")
    with pytest.raises(ValueError, match=r"wall_reward=-1 and step_reward=0; expected the same"):
        DynaMazeEnv(observation="goal", wall_reward=-1)


def test_wall_reward_defaults_to_step() -> None:
    assert make(layout="S.G", step_reward=-1.0).step(UP)[1] == -1.0
    assert make(layout="S.G", step_reward=-1.0, wall_reward=0.0).step(UP)[1] == 0.0
