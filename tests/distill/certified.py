"""Random networks and mazes for certificates, and where a policy goes wrong in a maze."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dynamaze.distill.core.certificate import Certificate
from dynamaze.distill.core.maze_maps import SIDES
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.hardened import HARD_SCALE
from dynamaze.distill.students.value_iteration import ValueIterationNetwork, steps_to_goal

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
SHAPES = ((1, 7), (2, 9), (3, 3), (5, 5), (6, 9), (9, 9))


def random_network(
    draw: np.random.Generator, *, spread: float, scale: float = HARD_SCALE
) -> ValueIterationNetwork:
    """Return a network whose walls cost as much as some steps.

    Args:
        draw: generator of the weights.
        spread: size of the weights that make steps cost differently.
        scale: of the softmax; moves take exp(-scale) of the value of each other cell.
    """
    network = ValueIterationNetwork(scale=scale, sharpness=float(draw.uniform(1, 1000)))
    reward = spread * draw.standard_normal((4, 2, 9)) * (draw.random((4, 2, 9)) < 0.3)
    step, most = draw.uniform(0.5, 2), draw.uniform(2, 20)
    move = np.zeros((4, 9))
    for action, side in enumerate(SIDES):
        move[action, side] = 1
        reward[action, 0, [side, 4]] = -step * draw.uniform(0.5, 1.5, 2) * most / 2
        reward[action, 1, side] = step * draw.uniform(2.5, 30)
    network.load_state_dict(
        {
            **network.state_dict(),
            "move": torch.tensor(move),
            "reward": torch.tensor(reward.reshape(4, 2, 3, 3)),
            "bias": torch.tensor(-step * (1 + spread * draw.uniform(-0.1, 0.1, 4))),
            "top": torch.tensor([step * draw.uniform(0.5, 20)]),
        }
    )
    return network


def random_mazes(
    draw: np.random.Generator, shape: tuple[int, int], count: int, goals: int = 3
) -> Any:
    """Return planes of mazes with walls by coins, up to some goals, and all free cells queried."""
    walls = draw.random((count, *shape)) < draw.uniform(0.1, 0.6, (count, 1, 1))
    ends = np.zeros_like(walls)
    for maze in range(count):
        for _ in range(int(draw.integers(1, goals + 1))):
            ends[(maze, *(int(draw.integers(size)) for size in shape))] = True
    walls &= ~ends
    return np.stack([walls, ~walls & ~ends, ends], axis=1).astype(np.float32)


def wrong_cells(policy: Any, planes: Any) -> tuple[Any, Any]:
    """Return distances of the cells from which a goal can be reached, and where it goes wrong."""
    steps = steps_to_goal(torch.from_numpy(planes[:, [0, 2]])).numpy()
    cells = np.argwhere(planes[:, 1] > 0.5)
    actions = np.asarray(policy.action_logits(planes)).argmax(axis=1)
    padded = np.pad(steps, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
    there = cells + np.array([(0, 1 + down, 1 + right) for down, right in MOVES])[actions]
    distance = steps[tuple(cells.T)]
    wrong = padded[tuple(there.T)] != distance - 1
    return distance[np.isfinite(distance)], wrong[np.isfinite(distance)]


def count_cells(
    network: ValueIterationNetwork, found: Certificate, draw: np.random.Generator
) -> tuple[int, int]:
    """Check a certificate in random mazes, by torch's iterations and compiled.

    Returns:
        The number of cells from the second step on that were checked, and that of the settings in
        which some cell beyond the bound is not solved.
    """
    checked = beyond = 0
    for shape in SHAPES:
        iterations = network.iterations_for(*shape)
        for goals, bound in ((3, found.steps), (1, found.one_goal)):
            planes = random_mazes(draw, shape, 12, goals)
            for policy in (network, build_policy(to_stored(network))):
                distance, wrong = wrong_cells(policy, planes)
                proved = (distance <= bound) & (distance + found.delay <= iterations)
                assert not wrong[proved].any(), (found, shape, distance[wrong & proved])
                checked += int((proved & (distance > 1)).sum())
                beyond += int(wrong[distance > bound].any())
    return checked, beyond
