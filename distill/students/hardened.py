"""Hardening: a value iteration network that is right in larger mazes than it was trained in."""

from __future__ import annotations

from math import ceil, log2

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.maze_maps import MoveCosts, action_maps, costs_of
from .parametrised import copied, original_weights, plain_weights
from .value_iteration import ValueIterationNetwork

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

LONGEST_PATH = 2**20
"""Default number of steps: a perfect maze of 1001x1001 has 501,000 free cells."""

FLOAT32_STEPS = 2**23
"""Largest number of steps; see `hardened`."""

HARD_SCALE = 2.0**16
"""Scale of the softmax with which a difference of 0.002 gives a probability of exactly 0.

exp(-104) is below half of the smallest float32.
"""


def hardened(
    student: ValueIterationNetwork, longest_path: int = LONGEST_PATH
) -> ValueIterationNetwork:
    """Return a copy that is right in mazes whose shortest paths have up to `longest_path` steps.

    A trained network computes shortest paths in which a path through a wall has a finite cost. It
    prefers a detour of n steps to a wall only if

        n * (cost of a step) < cost of entering and leaving a wall

    (only of entering it where a goal is beside it, whose gain makes up for leaving), and training
    in mazes of up to 15x15 ends with a ratio of 1,000 to 2,000. A maze with m free cells needs a
    ratio of at most m - 1: a perfect one of 101x101 about 2,000 (it has 5,101), one of 1001x1001
    about 100,000 (501,001). Four changes, of which none needs training:

    1. The probabilities of the moves become 0 and 1 (by the scale of the softmax). Otherwise a
       fraction of the cost of the walls beside a path leaks into the values of its cells.
    2. Reward weights that are smaller than the cost of a step become 0, since they would grow with
       the others.
    3. All actions get the mean cost of a step. Their costs differ by some percent after training,
       so that in long paths the fewest steps are not the lowest cost.
    4. All reward weights are multiplied by the smallest power of two that gives the ratio. Rewards
       of goals grow too, which changes nothing: `top` bounds values. Integers of a quantised
       student stay as they are, and only a scale changes. Rounding changes the costs: harden a
       student after it.

    In mazes that the student solved, it still takes a shortest path, perhaps another of equal
    length. Values then are a function of the number of steps alone, `top` minus one cost for each,
    rounded to float32. They differ for different numbers of steps while a cost exceeds half of the
    distance between float32 numbers, which is at most 2^-24 of their size: up to 2^24 steps, twice
    the largest `longest_path`.

    The number of iterations grows with the maze, in torch and ONNX; compiled policies and C follow
    the wave front instead (`MoveCosts.spreads_from_goals`).

    Args:
        student: a trained network, plain or quantised; with other than 4 maps, each action must
            have a map of its own.
        longest_path: steps, in [1, 2**23].

    Raises:
        TypeError: for another student.
        ValueError: for a number outside its range, or a student that has not learned to plan: one
            whose actions do not each move to their own side, or in which a step gains, a wall costs
            no more than a step, or a goal gains less than two steps cost.
    """
    if not isinstance(student, ValueIterationNetwork):
        raise TypeError(
            f"a student of type {type(student).__name__}; expected a ValueIterationNetwork"
        )
    longest_path = checked_integer("longest_path", longest_path, 1, FLOAT32_STEPS)
    copy = copied(student)
    weights = original_weights(copy)
    with torch.no_grad():
        copy.scale.fill_(HARD_SCALE)
        for name in ("bias", "readout_bias"):
            if name in weights:
                weights[name].fill_(weights[name].mean())
        reward, step = weights["reward"], weights["bias"].abs().max()
        reward[reward.abs() < step] = 0.0
        costs = _costs(copy)
        missing = longest_path * float(costs.step.max()) / costs.barrier
        reward *= 2.0 ** max(0, ceil(log2(missing)))
    _costs(copy)  # of the result, which a rounding of its weights may have changed
    return copy


def _costs(student: ValueIterationNetwork) -> MoveCosts:
    """Return the costs of the moves.

    Raises:
        ValueError: for a student that has not learned to plan.
    """
    names = ("scale", "move", "reward", "bias", "readout", "readout_bias")
    arrays = plain_weights(student)
    costs = costs_of(action_maps(*(arrays[name].numpy() for name in names if name in arrays)))
    if costs is None:
        raise ValueError("an action that does not move to its own side; expected a trained student")
    if costs.wall <= costs.step.max() or not costs.spreads_from_goals:
        raise ValueError(
            f"a step costs {costs.least_step.min():.3g} to {costs.step.max():.3g}, a wall "
            f"{costs.wall:.3g} more, and a goal gains {costs.goal.min():.3g}; expected a trained "
            "student, in which a step costs, a wall more than a step, and a goal gains more than "
            "two steps cost"
        )
    return costs
