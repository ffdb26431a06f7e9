"""Certificate: a path length up to which a value iteration network is right in every maze.

It follows from the weights alone, for networks whose actions each take the value of the cell on
their own side (`MoveCosts`), such as hardened ones. A maze is a grid of any size of walls, free
cells and goals, any number of them. d(x) is the length of a shortest path from a free cell x to a
goal, through free cells. The proof, with r = reward of a move and fl = rounding to float32:

1. The reward of a move is a sum over the 3x3 around the cell: the bias, and for each cell the
   weight of a wall, that of a goal, or 0. What the cell and its neighbour on the side of the move
   are (free, wall or goal) is given; the other seven may be anything, so that the sum has a
   smallest and a largest value. A cell beyond the edge counts as a wall, and the move then leads
   back to the cell itself. Sums of more than two terms are widened by the rounding error of any
   order of adding them.
2. Values are v_0 = 0, v_k+1(x) = min(top, max over moves to y of fl(r + v_k(y))). Rounding is
   monotone: from r <= R and v <= V follows fl(r + v) <= fl(R + V).
3. A step between free cells has its reward in [low, high], with high < 0, and each move into or out
   of a wall at most `high`. Let hi(1) = lo(1) = top, hi(d+1) = fl(high + hi(d)) and
   lo(d+1) = fl(low + lo(d)).
4. A value that a wall can have: a move out of it to a free cell gives at most fl(top + leaving),
   one to a goal at most min(top, fl(top + leaving for a goal)); V is the larger of the two. A
   move from wall to wall only lowers it. So a free cell gets at most w = fl(V + entering) by
   entering a wall. Bumping into the edge costs no less than a step and leads nowhere.
5. Let z(0) = 0, z(k+1) = fl(high + z(k)), the value of walking about without an end. By induction
   over k: v_k <= max(V, z(k)) in walls, v_k(x) <= max(hi(d(x)), w, z(k)) in free cells, where hi of
   an unreachable cell is dropped.
6. Beside a goal, v_k = top from some k on: bounds of the values of the cell and the goal, each
   entered from the other, are iterated until they repeat; `delay` is the number of additional
   iterations that this takes, 0 where a goal's reward is at least `top`. By induction over d:
   v_k(x) >= lo(d(x)) if k >= d(x) + delay.
7. In a cell d steps from a goal, after at least d + delay iterations, a move along a shortest path
   thus has q >= lo(d), and each other move q <= max(hi(d+1), w): as top >= 0, z(k) <= hi(d+1). For
   d = 1 entering the goal is compared instead. So the preferred action follows a shortest path
   while fl(sharpness * lo(d)) > fl(sharpness * max(hi(d+1), w)). `steps` is the last d of all from
   1 on for which this holds, by computing both sequences in float32.
8. With one goal, neighbours differ by one step in d, since the cells of a grid have two colours. So
   hi(d+2) takes the place of hi(d+1), and bumping into the edge, fl(hi(d) + entering), must also be
   worse. The last such d is `one_goal`. It is larger where steps do not all cost the same.

Where a wave from the goals replaces the iterations (`MoveCosts.spreads_from_goals`), its values
obey 4 to 6 without z and without a number of iterations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, Float32Array

from .maze_maps import CENTRE, SIDES, ActionMaps
from .observations import KERNEL, MAZE_ACTIONS

MOST_STEPS = 2**24
"""Longest path that is looked at; float32 values of steps of equal cost repeat before it."""

MOST_ITERATIONS = 1000
"""Iterations within which the values beside a goal must repeat."""

UNIT = 2.0**-24
"""Relative rounding error of float32."""

FREE, WALL, GOAL = range(3)

LIMITS = {
    "walls": "a way through a wall may then have a larger value",
    "steps": "a longer path may then have the same value",
    "iterations": "there are no more iterations",
}
"""What a proof ends at -> why."""


class Certificate(NamedTuple):
    """What is proved of a value iteration network, for mazes of any size."""

    steps: int  # from every cell with a shortest path of up to so many steps it takes one
    one_goal: int  # the same, in mazes with a single goal
    delay: int  # a cell d steps from a goal needs d + delay iterations
    limit: str  # what the proof ends at, a key of `LIMITS`


class Interval(NamedTuple):
    """Smallest and largest float32 value of a sum."""

    low: np.float32
    high: np.float32


class NotCertifiedError(ValueError):
    """Error for weights about which nothing can be proved."""


def certificate_of(maps: ActionMaps, top: float, sharpness: float) -> Certificate:
    """Return what is proved of a network in float32.

    Args:
        maps: its actions' maps, with exact moves (`costs_of`).
        top: bound of the values.
        sharpness: factor from q to logits.

    Raises:
        NotCertifiedError: (a ValueError) for steps that gain, walls that cost less than a step, or
            goals that gain too little.
    """
    rewards = move_rewards(maps)
    check_costs(rewards, top, sharpness)
    with np.errstate(over="ignore"):
        return _Proof(rewards, np.float32(top), np.float32(sharpness)).certificate()


def move_rewards(maps: ActionMaps) -> dict[tuple[int, int], Interval]:
    """Return the rewards of moves from one kind of cell to another, over all patterns beside."""
    kinds = (FREE, WALL, GOAL)
    return {(here, there): _over_actions(maps, here, there) for here in kinds for there in kinds}


def check_costs(rewards: Mapping[tuple[int, int], Interval], top: float, sharpness: float) -> None:
    """Check that steps cost, and that walls cost more.

    Raises:
        NotCertifiedError: if they do not.
    """
    step = rewards[FREE, FREE].high
    by_walls = max(rewards[kinds].high for kinds in ((FREE, WALL), (WALL, FREE), (WALL, WALL)))
    if not (top > 0 and sharpness > 0 and step < 0):
        raise NotCertifiedError(
            f"a step whose reward is up to {step:.3g}, values up to {top:.3g} and sharpness "
            f"{sharpness:.3g}; expected a step that costs, and positive numbers"
        )
    if by_walls > step:
        raise NotCertifiedError(
            f"a move into or out of a wall whose reward is up to {by_walls:.3g}, and a step with "
            f"up to {step:.3g}; expected walls that cost more than a step"
        )


class _Proof:
    """The quantities of the proof."""

    def __init__(
        self, rewards: dict[tuple[int, int], Interval], top: np.float32, sharpness: np.float32
    ) -> None:
        self.top, self.sharpness = top, sharpness
        self.step = rewards[FREE, FREE]
        self.entering_goal, self.leaving_goal = rewards[FREE, GOAL].low, rewards[GOAL, FREE].low
        self.entering = rewards[FREE, WALL].high
        in_walls = max(top + rewards[WALL, FREE].high, min(top, top + rewards[WALL, GOAL].high))
        self.through_wall = np.float32(in_walls + self.entering)  # w of the proof

    def certificate(self) -> Certificate:
        """Return what is proved."""
        delay = self._delay()
        count = 1024
        while True:
            found = self._solved(count, delay)
            if found.steps < count or count >= MOST_STEPS:
                return found
            count *= 4

    def _solved(self, count: int, delay: int) -> Certificate:
        """Return what is proved of paths of up to `count` steps."""
        low = self._values(self.step.low, count)
        high = self._values(self.step.high, count + 2)
        own = self.sharpness * low
        wall_right: BoolArray = own > self.sharpness * self.through_wall
        step_right: BoolArray = own > self.sharpness * high[1:-1]
        steps = _first_false(step_right & wall_right)
        one_goal = steps
        if high[1] >= 0:  # otherwise z(d) might exceed hi(d + 2)
            worse = np.maximum(high[2:], high[:-2] + self.entering)
            one_goal = _first_false((own > self.sharpness * worse) & wall_right)
        limit = "walls" if steps < count and step_right[steps] else "steps"
        return Certificate(steps, one_goal, delay, limit)

    def _values(self, reward: np.float32, count: int) -> Float32Array:
        """Return `top` and the values after one step more each, every sum rounded to float32."""
        terms = np.full(count, reward, dtype=np.float32)
        terms[0] = self.top
        return np.add.accumulate(terms, dtype=np.float32)

    def _delay(self) -> int:
        """Return the iterations beyond d that a cell d steps from a goal needs.

        Raises:
            NotCertifiedError: if values beside a goal do not become `top`, or entering it is not
                preferred.
        """
        beside, goal = np.float32(0), np.float32(0)  # lower bounds of v_k, k = 0, 1, ...
        other = self.sharpness * max(self.top + self.step.high, self.through_wall)
        known: list[tuple[bool, bool]] = []
        for _ in range(MOST_ITERATIONS):
            enters = bool(self.sharpness * (self.entering_goal + goal) > other)
            known.append((bool(beside == self.top), enters))
            after = (
                min(self.top, self.entering_goal + goal),
                min(self.top, self.leaving_goal + beside),
            )
            if after == (beside, goal):
                break
            beside, goal = after
        if known[-1] != (True, True):
            raise NotCertifiedError(
                f"a goal whose reward is only {self.entering_goal:.3g} where values are up to "
                f"{self.top:.3g}; expected one that gains more than two steps cost"
            )
        is_top, is_entered = ([each[part] for each in known] for part in (0, 1))
        first = always_from(is_top)  # v_k = top beside a goal for all k >= first
        return max(first - 1, always_from(is_entered), 0)


def _first_false(right: BoolArray) -> int:
    """Return the index of the first False, or the length."""
    return len(right) if right.all() else int(right.argmin())


def always_from(known: Sequence[bool]) -> int:
    """Return the index from which on all are True; the last one is."""
    return len(known) - [*reversed(known), False].index(False)


def _over_actions(maps: ActionMaps, here: int, there: int) -> Interval:
    """Return the rewards of all actions' moves from one kind of cell to another."""
    each = [_reward(maps, action, here, there) for action in range(MAZE_ACTIONS)]
    return Interval(min(one.low for one in each), max(one.high for one in each))


def _reward(maps: ActionMaps, action: int, here: int, there: int) -> Interval:
    """Return the rewards of an action's move, over all patterns of the seven other cells."""
    weights = np.zeros((3, KERNEL), dtype=np.float32)  # of a free cell, a wall and a goal
    weights[WALL], weights[GOAL] = maps.reward[action].reshape(2, KERNEL)
    side = SIDES[action]
    given = [maps.bias[action], weights[here, CENTRE], weights[there, side]]
    given = [weight for weight in given if weight != 0]
    others = np.delete(weights, [CENTRE, side], axis=1)
    if not others.any() and len(given) <= 2:  # rounded once, in any order
        total = np.float32(sum(given[1:], start=given[0] if given else np.float32(0)))
        return Interval(total, total)
    exact = float(np.sum(given, dtype=np.float64))
    largest = float(np.abs(given).sum(dtype=np.float64)) + float(np.abs(others).max(axis=0).sum())
    error = 1.01 * (len(given) + others.any(axis=0).sum()) * UNIT * largest
    low = exact + float(others.min(axis=0).sum(dtype=np.float64)) - error
    high = exact + float(others.max(axis=0).sum(dtype=np.float64)) + error
    infinity = np.float32(np.inf)
    return Interval(
        np.nextafter(np.float32(low), -infinity), np.nextafter(np.float32(high), infinity)
    )
