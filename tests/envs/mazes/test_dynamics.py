"""Dynamics of a step, compared with a reference written cell by cell, and used by the environment.

The reference implements the description: an action moves one cell, walls and edges stop it, a slip
goes to a perpendicular direction, a goal is absorbing.
"""

from __future__ import annotations

import copy
import pickle  # noqa: TID251  # our own bytes, of this process
from collections.abc import Callable

import numpy as np
import pytest

from dynamaze.envs import DynaMazeEnv, Dynamics, Layout, Rewards

MakeLayout = Callable[[np.random.Generator], Layout]
OutcomeProbabilities = dict[tuple[int, float, bool], float]

UP, RIGHT, DOWN, LEFT = range(4)
MOVES = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
PAY = Rewards(goal=7.0, step=-1.0, wall=-3.0)


def moved(layout: Layout, state: int, direction: int) -> tuple[int, float, bool]:
    """Return the next state, reward and terminated of a move in one direction."""
    row, col = divmod(state, layout.cols)
    if (row, col) in layout.goals:
        return state, 0.0, True
    down, right = MOVES[direction]
    to = (row + down, col + right)
    if not (0 <= to[0] < layout.rows and 0 <= to[1] < layout.cols) or layout.walls[to]:
        return state, layout.rewards.wall, False
    if to in layout.goals:
        return to[0] * layout.cols + to[1], layout.rewards.goal, True
    return to[0] * layout.cols + to[1], layout.rewards.step, False


def outcomes(layout: Layout, slip: float, state: int, action: int) -> OutcomeProbabilities:
    """Return the outcomes of an action with their probabilities."""
    found: OutcomeProbabilities = {}
    for turn, probability in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
        outcome = moved(layout, state, (action + turn) % 4)
        found[outcome] = found.get(outcome, 0.0) + probability
    return {outcome: probability for outcome, probability in found.items() if probability > 0}


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_moves_equal_reference(random_layout: MakeLayout, seed: int, slip: float) -> None:
    drawn = random_layout(np.random.default_rng(seed))
    layout = Layout.from_text(drawn.to_text(), PAY, slip)
    mdp = Dynamics(layout).mdp
    for state, action in np.ndindex(layout.num_cells, 4):
        found: OutcomeProbabilities = {}
        columns = (mdp.next_state, mdp.reward, mdp.terminated, mdp.probability)
        for following, reward, end, probability in zip(
            *(column[state, action].tolist() for column in columns), strict=True
        ):
            if probability > 0:
                outcome = (following, reward, end)
                found[outcome] = found.get(outcome, 0.0) + probability
        assert found == pytest.approx(outcomes(layout, slip, state, action), abs=1e-15)


@pytest.mark.parametrize("slip", [0.0, 1e-12, 0.1, 1 / 3, 0.7, 1.0])
def test_probabilities_match_thresholds(slip: float) -> None:
    dynamics = Dynamics(Layout.from_text("S.#\n..G", slip_probability=slip))
    probability = dynamics.mdp.probability
    np.testing.assert_allclose(probability.sum(axis=2), 1.0, rtol=0, atol=1e-15)
    edges = np.array([0.0, *dynamics.thresholds, 1.0])
    np.testing.assert_allclose(np.diff(edges), probability[0, 0], atol=1e-15)


def test_starts_are_uniform() -> None:
    mdp = Dynamics(Layout.from_text("S.S\n.SG")).mdp
    assert mdp.start.tolist() == [1 / 3, 0, 1 / 3, 0, 1 / 3, 0]


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize(
    ("uniform", "turn"),
    [(0.0, 0), (np.nextafter(0.7, 0), 0), (0.7, 1), (0.8499, 1), (0.8501, -1), (1 - 2**-53, -1)],
)
def test_env_step_follows_thresholds(uniform: float, turn: int, action: int) -> None:
    env = DynaMazeEnv("...\n.S.\nG..", slip_probability=0.3)
    env.reset(seed=0)
    env.set_state({**env.get_state(), "uniforms": [float(uniform), 0.5]})
    assert env.step(action)[0] == moved(env.layout, 4, (action + turn) % 4)[0]
    assert env.get_state()["uniforms"] == [0.5]


def test_deterministic_env_draws_nothing() -> None:
    certain, slippery, starts = (
        DynaMazeEnv("S.G\n..."),
        DynaMazeEnv("S.G\n...", slip_probability=0.1),
        DynaMazeEnv("S.G\n...", {50: "S.G\nS.."}),
    )
    assert [env.maze_config.is_random for env in (certain, slippery, starts)] == [False, True, True]
    certain.reset(seed=3)
    before = certain.np_random.bit_generator.state
    for _ in range(20):
        certain.step(RIGHT)
        certain.reset()
    assert certain.np_random.bit_generator.state == before


@pytest.mark.parametrize("slip", [0.0, 0.4])
def test_walls_can_be_left_only(slip: float) -> None:
    layout = Layout.from_text("S.#\n.##\n..G", slip_probability=slip)
    mdp = Dynamics(layout).mdp
    walls = np.flatnonzero(layout.walls)
    assert walls.tolist() == [2, 4, 5]
    onto_wall = np.isin(mdp.next_state, walls)
    stays = mdp.next_state == np.arange(9)[:, None, None]
    assert (stays | ~onto_wall).all()
    # (0, 2) has one free neighbour, (1, 1) three, (1, 2) the goal.
    assert mdp.next_state[[2, 4, 5], :, 0].tolist() == [[2, 2, 2, 1], [1, 4, 7, 3], [5, 5, 8, 5]]
    assert mdp.terminated[5, DOWN, 0]


def test_wall_at_agent_blocks_return() -> None:
    env = DynaMazeEnv("S..\n..G", {1: "S#.\n..G"}, slip_probability=0.5)
    env.reset(seed=0)
    env.set_state({**env.get_state(), "uniforms": [0.0]})
    assert env.step(RIGHT)[0] == 1
    for action in np.random.default_rng(0).integers(4, size=300).tolist():
        if env.agent == (0, 1):  # until it has left
            assert env.step(DOWN)[0] in {0, 2, 4}
        state, _, terminated, *_ = env.step(action)
        assert state != 1
        if terminated:
            env.reset()


def test_dynamics_are_shared_by_copies() -> None:
    dynamics = Dynamics(Layout.from_text("S.G", slip_probability=0.25))
    assert copy.deepcopy(dynamics) is dynamics
    again = pickle.loads(pickle.dumps(dynamics))
    assert again.layout == dynamics.layout
    np.testing.assert_array_equal(again.mdp.next_state, dynamics.mdp.next_state)


@pytest.mark.parametrize("slip", [True, None, "often", [0.1], 1j])
def test_slip_rejects_non_numbers(slip: object) -> None:
    with pytest.raises(TypeError, match="slip_probability="):
        DynaMazeEnv(slip_probability=slip)  # type: ignore[arg-type]
