"""Costs of the moves of a value iteration network."""

import numpy as np
import pytest

from dynamaze.distill.core.maze_maps import CENTRE, SIDES, ActionMaps, action_maps, costs_of


def maps_with(**changed: float) -> ActionMaps:
    """Moves to the sides; a step costs 1, a wall 4 to enter and 8 to leave, a goal gains 16."""
    costs = {"step": 1.0, "entering": 4.0, "leaving": 8.0, "goal": 16.0, "beside": 0.0, **changed}
    reward = np.zeros((4, 2, 9), dtype=np.float32)
    for action, side in enumerate(SIDES):
        reward[action, 0, side], reward[action, 1, side] = -costs["entering"], costs["goal"]
        reward[action, 0, CENTRE] = -costs["leaving"]
        reward[action, 0, 0] = costs["beside"]
    moves = np.eye(9, dtype=np.float32)[SIDES]
    return ActionMaps(reward.reshape(4, 18), moves, np.full(4, -costs["step"], dtype=np.float32))


def test_costs_of_hard_moves() -> None:
    costs = costs_of(maps_with(beside=-0.25))
    assert costs is not None
    for found, wanted in zip(costs, (1.0, 1.25, 4.0, 8.0, 16.0), strict=True):
        np.testing.assert_array_equal(found, np.full(4, wanted, dtype=np.float32))
    assert costs.wall == 12.0


def test_costs_of_other_moves_is_none() -> None:
    maps = maps_with()
    leaking, turned = maps.moves.copy(), maps.moves[[1, 0, 2, 3]]
    leaking[0, 0] = 1e-30
    assert costs_of(maps._replace(moves=leaking)) is None
    assert costs_of(maps._replace(moves=turned)) is None


@pytest.mark.parametrize(
    ("changed", "spreads"),
    [
        ({}, True),
        ({"step": 0.0}, False),  # a cycle of steps loses nothing
        ({"beside": 1.0}, False),  # nor beside walls
        ({"goal": 2.0}, False),  # a goal gains no more than the steps to it and back
        ({"goal": 2.5}, True),
        ({"entering": 0.0}, True),  # a wall costs when it is left
        ({"entering": 0.0, "leaving": 0.0}, False),
    ],
)
def test_spreads_from_goals(changed: dict[str, float], spreads: bool) -> None:
    costs = costs_of(maps_with(**changed))
    assert costs is not None
    assert costs.spreads_from_goals is spreads


def test_action_maps_merge_readout() -> None:
    rng = np.random.default_rng(0)
    shapes = {"move": (8, 9), "reward": (8, 2, 3, 3), "bias": (8,)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    readout = 1e3 * np.eye(4, 8, 4)
    merged = action_maps(np.float64(1.0), **weights, readout=readout, readout_bias=np.arange(4.0))
    alone = action_maps(np.float64(1.0), **{name: part[4:] for name, part in weights.items()})
    np.testing.assert_allclose(merged.reward, alone.reward)
    np.testing.assert_allclose(merged.moves, alone.moves)
    np.testing.assert_allclose(merged.bias, alone.bias + np.arange(4))
