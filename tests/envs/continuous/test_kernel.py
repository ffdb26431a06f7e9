"""Motion of a point compared with exact arithmetic, and its noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs import DynaMazeContinuousEnv, Dynamics, Layout
from dynamaze.envs.continuous.kernel import (
    JUST_BELOW,
    PointMazeTables,
    cast_ray,
    move,
    normal_pair,
)

Stop = tuple[float, float, bool, bool, bool]  # row, col; stopped by rows, by columns; at a goal
RANDOM = np.random.default_rng


def moved(layout: Layout, start: tuple[float, float], target: tuple[float, float]) -> Stop:
    """Move a point by the compiled rule; a stopped component has velocity 0."""
    tables = PointMazeTables.of([Dynamics(layout)])
    state = np.array([*start, 1.0, 1.0], dtype=np.float32)
    _, reached = move(tables.cells, tables.reward, 0, state, *target)
    y, x, down, right = state.tolist()
    return y, x, down == 0, right == 0, reached


class Walker:
    """Motion in exact arithmetic, bisected until each part crosses one border."""

    def __init__(
        self, layout: Layout, start: tuple[float, float], target: tuple[float, float]
    ) -> None:
        self.layout = layout
        self.begin = [Fraction(number) for number in start]
        self.line = [Fraction(to) - at for to, at in zip(target, self.begin, strict=True)]
        self.end = list(target)
        self.cell = [math.floor(number) for number in self.begin]
        self.stopped = [False, False]
        self.reached = False

    def walk(self) -> Stop:
        self.part(Fraction(0), Fraction(1), 0)
        if self.reached:
            for axis in (0, 1):
                if not self.stopped[axis] and math.floor(self.end[axis]) != self.cell[axis]:
                    self.end[axis] = self.border(axis)
        return (self.end[0], self.end[1], self.stopped[0], self.stopped[1], self.reached)

    def crossings(self, axis: int, time: Fraction) -> int:
        """Return the signed number of borders between the cell and the position at a time."""
        if self.stopped[axis]:
            return 0
        place = self.begin[axis] + time * self.line[axis]
        # A border above or to the left is crossed only by a line that continues beyond it.
        crossed = self.line[axis] < 0 and time < 1
        return (math.ceil(place) - 1 if crossed else math.floor(place)) - self.cell[axis]

    def part(self, since: Fraction, until: Fraction, depth: int) -> None:
        """Walk from one time to another."""
        ahead = [self.crossings(axis, until) for axis in (0, 1)]
        if self.reached or ahead == [0, 0]:
            return
        if abs(ahead[0]) + abs(ahead[1]) == 1:
            self.cross(0 if ahead[0] else 1, ahead)
        elif depth < 120:
            half = (since + until) / 2
            self.part(since, half, depth + 1)
            self.part(half, until, depth + 1)
        else:  # both borders at the very same time
            signs = [(number > 0) - (number < 0) for number in ahead]
            axis = 0 if self.free(0, signs[0]) or not self.free(1, signs[1]) else 1
            self.cross(axis, signs)
            if not self.reached:
                self.cross(1 - axis, signs)

    def free(self, axis: int, sign: int) -> bool:
        cell = list(self.cell)
        cell[axis] += sign
        inside = 0 <= cell[0] < self.layout.rows and 0 <= cell[1] < self.layout.cols
        return inside and not self.layout.walls[cell[0], cell[1]]

    def cross(self, axis: int, ahead: list[int]) -> None:
        if not self.free(axis, ahead[axis]):
            self.stopped[axis] = True
            self.end[axis] = self.border(axis)
            return
        self.cell[axis] += ahead[axis]
        self.reached = (self.cell[0], self.cell[1]) in self.layout.goals

    def border(self, axis: int) -> float:
        if self.line[axis] < 0:
            return float(self.cell[axis])
        return float(np.nextafter(np.float32(self.cell[axis] + 1), np.float32(0)))


def random_position(rng: np.random.Generator, layout: Layout, grain: int) -> tuple[float, float]:
    """Return a position in a free cell without a goal, on a lattice of `grain` points per cell."""
    free = [tuple(c) for c in np.argwhere(~layout.walls).tolist() if tuple(c) not in layout.goals]
    row, col = free[rng.integers(len(free))]
    return tuple(cell + rng.integers(grain) / grain for cell in (row, col))  # type: ignore[return-value]


@pytest.mark.parametrize("grain", [1, 2, 4, 16, 2**17])
@pytest.mark.parametrize("reach", [1, 3, 12])
def test_motion_equals_exact_arithmetic(
    grain: int, reach: int, random_layout: Callable[[np.random.Generator], Layout]
) -> None:
    rng = RANDOM(grain + reach)
    for _ in range(40):
        layout = random_layout(rng)
        for _ in range(15):
            start = random_position(rng, layout, grain)
            target = tuple(
                at + rng.integers(-reach * grain, reach * grain + 1) / grain for at in start
            )
            expected = Walker(layout, start, target).walk()  # type: ignore[arg-type]
            assert moved(layout, start, target) == expected, (layout.to_rows(), start, target)  # type: ignore[arg-type]


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-1e6, 1e6, width=32),
    st.floats(-1e6, 1e6, width=32),
)
def test_motion_never_enters_walls(seed: int, down: float, right: float) -> None:
    rng = RANDOM(seed)
    walls = rng.random((5, 7)) < 0.35
    walls[2, 3] = walls[2, 2] = False
    layout = Layout(walls, ((2, 3),), ((2, 2),))
    start = tuple(float(np.float32(cell + rng.random())) for cell in (2, 3))
    if math.floor(start[0]) != 2 or math.floor(start[1]) != 3:
        return  # rounded up
    y, x, *_ = moved(layout, start, (start[0] + down, start[1] + right))  # type: ignore[arg-type]
    row, col = math.floor(y), math.floor(x)
    assert 0 <= row < 5 and 0 <= col < 7  # noqa: PT018
    assert layout.distances[row, col] >= 0, "not joined to the goal by free cells"


def test_motion_reaches_free_target() -> None:
    layout = Layout.from_text(["." * 40] * 20 + ["S" + "." * 38 + "G"])
    rng = RANDOM(0)
    for _ in range(300):
        start = rng.uniform(0, 20, 2).astype(np.float32)
        target = rng.uniform(0, 20, 2).astype(np.float32)
        found = moved(layout, tuple(start.tolist()), tuple(target.tolist()))
        assert found == (*target.tolist(), False, False, False)


BELOW = float(np.nextafter(np.float32(1), np.float32(0)))


@pytest.mark.parametrize(
    ("rows", "start", "target", "expected"),
    [
        # A wall below: the point slides along it to the right.
        (["S..", "##.", "..G"], (0.5, 0.5), (1.25, 1.5), (BELOW, 1.5, True, False, False)),
        # On from there, in the same step, round the end of the wall? No: it was stopped.
        (["S..", "##.", "..G"], (0.5, 0.5), (1.5, 2.5), (BELOW, 2.5, True, False, False)),
        # Standing on the border it leaves by the first free cell below.
        (["S..", "##.", "..G"], (BELOW, 2.25), (1.5, 2.25), (1.5, 2.25, False, False, False)),
        # Never between two walls that meet at a corner.
        ([".#S", "#..", "..G"], (0.5, 0.5), (1.5, 1.5), (BELOW, BELOW, True, True, False)),
        # Through a corner that is met exactly, by either side that is free.
        (["S..", "#..", "..G"], (0.5, 0.5), (1.5, 1.5), (1.5, 1.5, False, False, False)),
        (["S#.", "...", "..G"], (0.5, 0.5), (1.5, 1.5), (1.5, 1.5, False, False, False)),
        # Where the cell behind the corner is a wall, by rows.
        (["S..", ".#.", "..G"], (0.5, 0.5), (1.5, 1.5), (1.5, BELOW, False, True, False)),
        # A goal holds the point.
        (["SG.", "..."], (0.5, 0.5), (0.5, 2.5), (0.5, 2 * JUST_BELOW, False, False, True)),
        (["SG.", "..."], (0.5, 0.5), (-9.0, 9.0), (0.0, 2 * JUST_BELOW, True, False, True)),
        # The edge, at any speed.
        (["S.G"], (0.5, 0.5), (1e30, -1e30), (BELOW, 0.0, True, True, False)),
        # From above a wall, first by its side and then onto it.
        (["S..", ".#.", "..G"], (0.5, 0.25), (1.5, 1.5), (1.5, BELOW, False, True, False)),
    ],
)
def test_motion_at_walls_and_goals(
    rows: list[str], start: tuple[float, float], target: tuple[float, float], expected: Stop
) -> None:
    y, x, *rest = moved(Layout.from_text(rows), start, target)
    assert (np.float32(y), np.float32(x), *rest) == (
        np.float32(expected[0]),
        np.float32(expected[1]),
        *expected[2:],
    )


def test_border_is_last_float32() -> None:
    borders = np.arange(1, 4097)
    below = np.nextafter(borders.astype(np.float32), np.float32(0))
    assert ((borders * JUST_BELOW).astype(np.float32) == below).all()


def test_wall_at_point_can_be_left() -> None:
    walls = np.array([[True, False, False], [True, False, False]])
    layout = Layout(walls, ((0, 1),), ((1, 2),))
    moved_inside = moved(layout, (0.5, 0.5), (0.75, 0.25))
    assert moved_inside == (0.75, 0.25, False, False, False)  # it moves in its cell
    assert moved(layout, (0.5, 0.5), (0.5, 1.5)) == (0.5, 1.5, False, False, False)  # and leaves it
    assert moved(layout, (0.5, 0.5), (1.5, 0.5))[2]  # not for another wall
    assert moved(layout, (0.5, 1.5), (0.5, 0.5)) == (0.5, 1.0, False, True, False)


# -- rays --------------------------------------------------------------------------------------


def test_rays_end_where_motion_stops(
    random_layout: Callable[[np.random.Generator], Layout],
) -> None:
    rng = RANDOM(3)
    for _ in range(60):
        layout = random_layout(rng)
        cells = PointMazeTables.of([Dynamics(layout)]).cells
        y, x = random_position(rng, layout, 32)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if down == right == 0:
                    continue
                length, seen = cast_ray(cells, 0, y, x, down, right)
                straight = length / math.hypot(down, right)
                # Just before its end nothing stops a motion, just after it something does.
                for part, stops in ((0.999, False), (1.001, True)):
                    reach = part * straight + (1e-3 if stops else 0.0)
                    walker = Walker(layout, (y, x), (y + down * reach, x + right * reach))
                    found = walker.walk()
                    if found[4]:
                        assert seen
                    else:
                        assert (found[2] or found[3]) == stops
                if not seen:
                    assert not found[4]


# -- noise -------------------------------------------------------------------------------------


def test_noise_is_box_muller() -> None:
    for first, second in [*RANDOM(0).random((500, 2)), (0.0, 0.0), (1 - 2.0**-53, 1 - 2.0**-53)]:
        radius = math.sqrt(-2 * math.log(1 - first))
        angle = 2 * math.pi * second - math.pi / 4
        expected = radius * math.cos(angle), radius * math.sin(angle)
        assert normal_pair(first, second) == pytest.approx(expected, abs=1e-11)


def test_noise_has_stated_moments() -> None:
    """False alarms: once in 10^8 for 5 numbers to 6 standard errors; 10^-7 for the form."""
    env = DynaMazeContinuousEnv(layout=["." * 9] * 8 + ["S.......G"], noise=0.05)
    env.reset(seed=4)
    state: dict[str, Any] = {**env.get_state(), "state": [4.5, 4.5, 0.0, 0.0]}
    n = 20_000
    moves = np.empty((n, 2))
    for i in range(n):
        env.set_state(
            {**state, "uniforms": env.get_state()["uniforms"], "rng": env.get_state()["rng"]}
        )
        observation, *_ = env.step(np.array([0.5, -1.0], dtype=np.float32))
        moves[i] = observation - np.array([4.5 + 0.25, 4.5 - 0.5])
    scores = moves / 0.05
    assert np.abs(scores.mean(axis=0)).max() < 6 / math.sqrt(n)
    assert np.abs((scores**2).mean(axis=0) - 1).max() < 6 * math.sqrt(2 / n)
    assert abs((scores[:, 0] * scores[:, 1]).mean()) < 6 / math.sqrt(n)
    normal = NormalDist()
    for column in scores.T:
        steps = np.array([normal.cdf(score) for score in np.sort(column)])
        distance = np.abs(steps - (np.arange(n) + 0.5) / n).max() + 0.5 / n
        assert math.sqrt(n) * distance < 2.9  # Kolmogorov & Smirnov: 2 exp(-2 * 2.9^2) = 1e-7
