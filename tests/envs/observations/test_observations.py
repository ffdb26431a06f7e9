"""Encoders of observations: spaces, contents, and equality of single and batched encoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from dynamaze.envs import DynaMazeEnv, Layout, read_schedule
from dynamaze.envs.observations import OBSERVATIONS, ObservationEncoder, make_encoder
from dynamaze.envs.observations.encoders import RAY_DIRECTIONS

ONE_HOT = spaces.Box(0.0, 1.0, (54,), np.float32)
PLANES = spaces.Box(0.0, 1.0, (3, 6, 9), np.float32)
CELL = spaces.Box(np.zeros(2, np.float32), np.array([5, 8], np.float32))
MASK = spaces.MultiBinary(4)
RAYS = np.array([8] * 8 + [1] * 8, dtype=np.float32)

SPACES: list[tuple[Any, spaces.Space[Any]]] = [
    ("index", spaces.Discrete(54)),
    ("coordinates", spaces.MultiDiscrete([6, 9])),
    ("one_hot", ONE_HOT),
    ("planes", PLANES),
    ("window", spaces.Box(0.0, 1.0, (2, 5, 5), np.float32)),
    ({"kind": "window", "radius": 1}, spaces.Box(0.0, 1.0, (2, 3, 3), np.float32)),
    ("rays", spaces.Box(np.zeros(16, np.float32), RAYS)),
    ("rgb", spaces.Box(0, 255, (48, 72, 3), np.uint8)),
    ({"kind": "rgb", "cell_size": 3}, spaces.Box(0, 255, (18, 27, 3), np.uint8)),
    ("action_mask", spaces.Dict(observation=spaces.Discrete(54), action_mask=MASK)),
    (
        {"kind": "action_mask", "of": "planes"},
        spaces.Dict(observation=PLANES, action_mask=MASK),
    ),
    (
        "goal",
        spaces.Dict(
            observation=spaces.MultiDiscrete([6, 9]), achieved_goal=CELL, desired_goal=CELL
        ),
    ),
    (
        {"kind": "goal", "of": {"kind": "action_mask", "of": "one_hot"}},
        spaces.Dict(observation=ONE_HOT, action_mask=MASK, achieved_goal=CELL, desired_goal=CELL),
    ),
]
ARGUMENTS = [observation for observation, _ in SPACES]
PHASES = read_schedule("blocking").layouts


def loaded(observation: Any) -> ObservationEncoder:
    """Return the encoder with both phases of the blocking maze in slots 0 and 1."""
    encoder = make_encoder(observation, PHASES[0])
    for slot, layout in enumerate(PHASES):
        encoder.load(slot, layout)
    return encoder


def parts(observed: Any) -> list[Any]:
    return list(observed.values()) if isinstance(observed, dict) else [observed]


def kind(observation: Any) -> str:
    return observation["kind"] if isinstance(observation, dict) else observation


def test_observations_have_documented_spaces() -> None:
    assert {kind(observation) for observation in ARGUMENTS} == set(OBSERVATIONS)
    assert len(OBSERVATIONS) == 9
    for observation, space in SPACES:
        assert make_encoder(observation, PHASES[0]).space == space
        assert DynaMazeEnv("blocking", observation=observation).observation_space == space


@pytest.mark.parametrize("observation", ARGUMENTS)
def test_observations_are_in_space(observation: Any) -> None:
    encoder = loaded(observation)
    seen = [encoder.encode(state, phase) for phase in range(2) for state in range(54)]
    assert all(encoder.space.contains(one) for one in seen)
    distinct = {tuple(np.asarray(part).tobytes() for part in parts(one)) for one in seen}
    if kind(observation) == "planes":
        assert len(distinct) == 108
    elif kind(observation) not in ("window", "rays", "action_mask", "goal", "rgb"):
        assert len(distinct) == 54


@pytest.mark.parametrize("observation", ARGUMENTS)
def test_encode_batch_equals_encode(observation: Any) -> None:
    encoder = loaded(observation)
    rng = np.random.default_rng(0)
    states, phases = rng.integers(54, size=40), rng.integers(2, size=40)
    pairs = zip(states.tolist(), phases.tolist(), strict=True)
    singles = [encoder.encode(state, phase) for state, phase in pairs]
    columns = zip(*map(parts, singles), strict=True)
    for many, column in zip(parts(encoder.encode_batch(states, phases)), columns, strict=True):
        stacked = np.stack(column)
        assert (many.dtype, many.shape) == (stacked.dtype, stacked.shape)
        np.testing.assert_array_equal(many, stacked)


@pytest.mark.parametrize("observation", ARGUMENTS)
def test_observations_are_copies(observation: Any) -> None:
    encoder = loaded(observation)
    states, phases = np.array([3, 5]), np.array([0, 1])
    for call in (
        lambda: encoder.encode_batch(states, phases),
        lambda: encoder.encode(3, 1),
    ):
        for number, first in enumerate(parts(call())):
            if isinstance(first, int):
                continue
            kept = first.copy()
            first[...] = 1
            np.testing.assert_array_equal(parts(call())[number], kept)
    assert states.tolist() == [3, 5]


@pytest.mark.parametrize("observation", ARGUMENTS)
def test_slot_holds_latest_maze(observation: Any) -> None:
    again, fresh = loaded(observation), make_encoder(observation, PHASES[1])
    again.load(0, PHASES[1])
    fresh.load(0, PHASES[1])
    for state in range(54):
        np.testing.assert_equal(again.encode(state, 0), fresh.encode(state, 0))


def test_index_is_int() -> None:
    env = DynaMazeEnv("S.G")
    assert type(env.reset(seed=0)[0]) is int
    assert type(env.step(1)[0]) is int


def seen(observation: Any, text: str, state: int) -> Any:
    layout = Layout.from_text(text)
    encoder = make_encoder(observation, layout)
    encoder.load(0, layout)
    return encoder.encode(state, 0)


def test_planes_hold_walls_agent_goals() -> None:
    walls, agent, goals = seen("planes", "S#G\n..G", 3).tolist()
    assert walls == [[0, 1, 0], [0, 0, 0]]
    assert agent == [[0, 0, 0], [1, 0, 0]]
    assert goals == [[0, 0, 1], [0, 0, 1]]


def test_window_is_centred() -> None:
    walls, goals = seen({"kind": "window", "radius": 1}, "S#G\n..G\n...", 4).tolist()
    assert walls == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert goals == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    walls, goals = seen({"kind": "window", "radius": 1}, "S#G\n..G\n...", 0).tolist()
    assert walls == [[1, 1, 1], [1, 0, 1], [1, 0, 0]]
    assert np.sum(goals) == 0


@pytest.mark.parametrize("seed", range(5))
def test_rays_equal_walk(random_layout: Any, seed: int) -> None:
    layout = random_layout(np.random.default_rng(seed))
    for state in range(layout.num_cells):
        found = seen("rays", layout.to_text(), state)
        for number, (down, right) in enumerate(RAY_DIRECTIONS):
            row, col = layout.cell(state)
            cells = []
            while True:
                row, col = row + down, col + right
                inside = 0 <= row < layout.rows and 0 <= col < layout.cols
                if not inside or layout.walls[row, col]:
                    break
                cells.append((row, col))
            expected = [len(cells), any(cell in layout.goals for cell in cells)]
            assert found[number::8].tolist() == expected


def test_action_mask_marks_moves() -> None:
    text = "S#.\n..G\n.##"
    masks = [seen("action_mask", text, state)["action_mask"].tolist() for state in range(9)]
    assert masks[0] == [0, 0, 1, 0]
    assert masks[3] == [1, 1, 1, 0]
    assert masks[1] == [0, 1, 1, 1]  # the agent may leave a wall's cell
    assert masks[5] == [1, 1, 1, 1]  # at a goal no action moves the agent


def test_goals_are_cells() -> None:
    one = seen({"kind": "goal", "of": "index"}, "S..\n..G", 4)
    assert one["observation"] == 4
    assert one["achieved_goal"].tolist() == [1, 1]
    assert one["desired_goal"].tolist() == [1, 2]


def test_image_is_frame_without_trail() -> None:
    env = DynaMazeEnv("dyna", observation={"kind": "rgb", "cell_size": 32}, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation, env.render())


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        *[(name, "expected one of") for name in ["plane", "", None, 3, ["index"], "Index", {}]],
        ("plane", r"observation='plane'; .*\['index', 'coordinates', .*; did you mean 'planes'"),
        ({"kind": "index", "radius": 2}, r"index observation key='radius'; expected .*\['kind'\]"),
        ({"radius": 2}, r"observation={'radius': 2}; expected"),
        ({"kind": "window", "raduis": 2}, "did you mean 'radius'"),
        ({"kind": "window", "radius": 0}, "radius=0; expected a whole number"),
        ({"kind": "rgb", "cell_size": 0}, "cell_size=0"),
        ({"kind": "action_mask", "of": "plans"}, "observation='plans'.*did you mean 'planes'"),
    ],
)
def test_unknown_observation_is_rejected(observation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_encoder(observation, PHASES[0])
