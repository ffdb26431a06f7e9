"""Certificate of a value iteration network whose moves also take a little of other cells' values.

The proof is that of `certificate`, with two changes. p is the share of an action that it takes from
the cell on its side, l the sum of its other shares, and e = 2^-20 bounds the relative rounding
error of a sum of ten products, also where the shares come from another exponential function.

1. Upper bounds: every value is at most top. So a move to a cell of value V or less has at most
   up(r, V) = r + e|r| + p (V + e|V|) + l (1 + e) top, which takes the place of fl(r + V). As it
   does not always fall, values below its fixed point f are not told apart: V and w of the proof are
   at least f, where up(high, f) = f.
2. Lower bounds: no value in the 3x3 around a cell of the proof, one that is at most L steps from a
   goal, is below F, whatever is there. So a move to a cell of value V or more has at least
   down(r, V) = r - e|r| + p (V - e|V|) + l (1 + e) F. F follows from three bounds:
   a. In cells of the proof v_k >= G, with G = the value of L + delay + 1 steps at a cost of the
      dearest one, from 0: before the wave from a goal arrives, a cell follows its path all the
      same; afterwards lo(L) is larger.
   b. Any cell has a neighbour that is nearer to the cells of the proof, in moves through anything,
      and a move to it costs at most C. By induction over k, v_k >= G - c (2^h - 1) in a cell h
      moves away, with c = 2 (C + 2e |G|): what the other shares take is at most two moves farther,
      and l <= 0.02.
   c. The 3x3 is at most two moves away: F = G - 3c.
   F is chosen, and a, b and c are checked with it; if they fail, F becomes what they give.

Everything is computed in float64, whose rounding the e of float32 exceeds by far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .certificate import (
    FREE,
    GOAL,
    MOST_ITERATIONS,
    WALL,
    Certificate,
    Interval,
    NotCertifiedError,
    always_from,
    check_costs,
    move_rewards,
)
from .maze_maps import SIDES, ActionMaps
from .observations import MAZE_ACTIONS

ROUNDING = 2.0**-20
"""e of the proof: 16 times the relative rounding error of float32."""

MOST_LEAK = 0.02
"""Largest l of the proof."""

MOST_SOFT_STEPS = 2**15
"""Longest path that is looked at."""

FLOOR_TRIALS = 20
"""Choices of F of the proof; each is the last one's consequence."""


class Shares(NamedTuple):
    """Shares of the cells' values that the actions take."""

    low: float  # smallest p
    high: float  # largest p
    leak: float  # largest l


def soft_certificate_of(maps: ActionMaps, top: float, sharpness: float) -> Certificate:
    """Return what is proved of a network whose moves are not exact.

    Args:
        maps: its actions' maps.
        top: bound of the values.
        sharpness: factor from q to logits.

    Raises:
        NotCertifiedError: (a ValueError) for moves that take more than 0.02 of their value from
            other cells, or as `certificate_of`.
    """
    own = maps.moves[range(MAZE_ACTIONS), SIDES].astype(np.float64)
    others = maps.moves.astype(np.float64)
    others[range(MAZE_ACTIONS), SIDES] = 0
    shares = Shares(float(own.min()), float(own.max()), float(others.sum(axis=1).max()))
    if shares.leak > MOST_LEAK:
        raise NotCertifiedError(
            f"moves that take {shares.leak:.3g} of their value from other cells than that on their "
            f"side; expected at most {MOST_LEAK}, or exact moves, as `hardened` makes them"
        )
    rewards = move_rewards(maps)
    check_costs(rewards, top, sharpness)
    best, longest = Certificate(0, 0, 0, "steps"), 16
    while True:
        found = _SoftProof(rewards, shares, top, longest).certificate()
        best = max(best, found, key=lambda each: (each.steps, each.one_goal))
        if found.one_goal < longest or longest >= MOST_SOFT_STEPS:
            return best
        longest *= 2


class _SoftProof:
    """The quantities of the proof for paths of up to some steps."""

    def __init__(
        self,
        rewards: Mapping[tuple[int, int], Interval],
        shares: Shares,
        top: float,
        longest: int,
    ) -> None:
        self.rewards, self.shares, self.top, self.longest = rewards, shares, top, longest
        step = rewards[FREE, FREE]
        self.step_low, self.step_high = float(step.low), float(step.high)
        along = ((FREE, FREE), (FREE, GOAL), (GOAL, FREE))
        self.dearest = min(float(rewards[kinds].low) for kinds in along)  # of a path's moves
        self.cost = -min(float(each.low) for each in rewards.values())  # C of the proof
        self.floor = 0.0  # F of the proof
        self._bound_walls()

    def certificate(self) -> Certificate:
        """Return what is proved.

        Raises:
            NotCertifiedError: as `_delay`.
        """
        delay = self._find_floor()
        if delay is None:
            return Certificate(0, 0, 0, "steps")
        right = {1: 0, 2: 0}  # distance of another cell beyond that of the best -> steps
        limit = ""
        low, high, walk = self.top, [self.top] * 2, 0.0
        high.append(self.up(self.step_high, self.top))  # hi(0) stands for hi(1), then hi(1), hi(2)
        for _ in range(delay + 1):
            walk = self.up(self.step_high, walk)
        for d in range(1, self.longest + 1):
            high.append(self.up(self.step_high, high[-1]))  # hi(d + 2) is the last
            bump = self.up(float(self.rewards[FREE, WALL].high), high[d])
            for beyond, steps in right.items():
                if steps == d - 1:
                    by_steps = max(high[d + beyond], bump, walk)
                    if _exceeds(low, max(by_steps, self.through_wall)):
                        right[beyond] = d
                    elif beyond == 1:
                        limit = "steps" if not _exceeds(low, by_steps) else "walls"
            low = self.down(self.step_low, low)
            walk = self.up(self.step_high, walk)
        return Certificate(right[1], right[2], delay, limit or "steps")

    def up(self, reward: float, value: float) -> float:
        """Return the largest q of a move to a cell of at most a value."""
        share = self.shares.high if value > 0 else self.shares.low
        own = share * (value + ROUNDING * abs(value))
        leak = self.shares.leak * (1 + ROUNDING) * self.top
        return reward + ROUNDING * abs(reward) + own + leak

    def down(self, reward: float, value: float) -> float:
        """Return the smallest q of a move to a cell of at least a value."""
        share = self.shares.low if value > 0 else self.shares.high
        own = share * (value - ROUNDING * abs(value))
        leak = self.shares.leak * (1 + ROUNDING) * self.floor
        return reward - ROUNDING * abs(reward) + own + leak

    def _bound_walls(self) -> None:
        """Set `through_wall`, the largest of w and f of the proof.

        Raises:
            NotCertifiedError: if a step may gain by what it takes of other cells.
        """
        rewards, top = self.rewards, self.top
        constant = self.up(self.step_high, 0.0)
        if constant >= 0 or self.up(self.step_high, top) >= top:
            raise NotCertifiedError(
                f"a step whose reward is up to {self.step_high:.3g}, less than what its moves may "
                f"take from other cells; expected a step that costs more"
            )
        fixed = constant / (1 - self.shares.low * (1 - ROUNDING))  # up(high, f) = f, f < 0
        leaving = self.up(float(rewards[WALL, FREE].high), top)
        to_goal = min(top, self.up(float(rewards[WALL, GOAL].high), top))
        in_walls = max(leaving, to_goal, fixed)
        self.through_wall = max(self.up(float(rewards[FREE, WALL].high), in_walls), fixed)

    def _find_floor(self) -> int | None:
        """Set F to a value that agrees with a, b and c of the proof, and return the delay.

        Returns:
            None if there is none: other cells' values count too much for so long a path.
        """
        for _ in range(FLOOR_TRIALS):
            delay, ground = self._delay(), 0.0
            for _ in range(self.longest + delay + 1):
                ground = self.down(self.dearest, ground)
            needed = ground - 6 * (self.cost + 2 * ROUNDING * abs(ground))  # G - 3c
            if needed >= self.floor:
                return delay
            self.floor = 1.01 * needed
        return None

    def _delay(self) -> int:
        """Return the iterations beyond d that a cell d steps from a goal needs.

        Raises:
            NotCertifiedError: if values beside a goal do not become `top`, or entering it is not
                preferred.
        """
        entering, leaving = (
            float(self.rewards[kinds].low) for kinds in ((FREE, GOAL), (GOAL, FREE))
        )
        beside, goal = 0.0, 0.0
        other = max(self.up(self.step_high, self.top), self.through_wall)
        is_top, is_entered = [], []
        for _ in range(MOST_ITERATIONS):
            q = self.down(entering, goal)
            is_top.append(beside == self.top)
            is_entered.append(_exceeds(q, other))
            after = min(self.top, q), min(self.top, self.down(leaving, beside))
            if after == (beside, goal):
                break
            beside, goal = after
        if not (is_top[-1] and is_entered[-1]):
            raise NotCertifiedError(
                f"a goal whose reward is only {entering:.3g} where values are up to "
                f"{self.top:.3g}; expected one that gains more than two steps cost"
            )
        return max(always_from(is_top) - 1, always_from(is_entered), 0)


def _exceeds(value: float, other: float) -> bool:
    """Return True if a value is larger than another after rounding and scaling of both."""
    return value - other > 2 * ROUNDING * max(abs(value), abs(other))
