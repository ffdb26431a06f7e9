"""Random changes: times, kinds, and that a path always remains.

Statistical bounds are 5 standard errors: each has a false-alarm rate below 1e-6; seeds are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dynamaze.envs import Layout, RandomChanges
from dynamaze.envs.mazes.change_kinds import reaches_goal
from dynamaze.envs.mazes.schedule import DYNA
from dynamaze.envs.timing.times import LAST_STEP, PendingChange

EVENTS = 20_000


def times(changes: RandomChanges, events: int = EVENTS, seed: int = 0) -> np.ndarray:
    """Return (events,) the world steps of the first changes."""
    uniform = np.random.default_rng(seed).random
    pending = changes.first(0, uniform)
    steps = []
    for _ in range(events):
        steps.append(pending.step)
        pending = changes.after(pending, uniform)
    return np.array(steps)


def gaps(changes: RandomChanges) -> np.ndarray:
    return np.diff(times(changes), prepend=0)


def test_each_step_is_geometric() -> None:
    waits = gaps(RandomChanges(probability=0.2))
    assert waits.min() == 1
    assert abs(waits.mean() - 5) < 5 * math.sqrt(20 / EVENTS)
    for wait in (1, 2, 3):
        expected = 0.2 * 0.8 ** (wait - 1)
        deviation = math.sqrt(expected * (1 - expected) / EVENTS)
        assert abs((waits == wait).mean() - expected) < 5 * deviation
    assert (gaps(RandomChanges(probability=1.0)) == 1).all()


def test_poisson_counts_match_rate() -> None:
    steps = times(RandomChanges(when="poisson", rate=0.7))
    counts = np.bincount(steps)[1:-1]  # the last step is cut short
    for number in range(4):
        expected = math.exp(-0.7) * 0.7**number / math.factorial(number)
        deviation = math.sqrt(expected * (1 - expected) / counts.size)
        assert abs((counts == number).mean() - expected) < 5 * deviation


@pytest.mark.parametrize("rate", [0.02, 0.7, 50.0])
def test_poisson_is_exact_until_end(rate: float) -> None:
    changes = RandomChanges(when="poisson", rate=rate)

    def waits(now: int) -> list[int]:
        uniform = np.random.default_rng(2).random
        pending = changes.first(now, uniform)
        steps = []
        for _ in range(300):
            steps.append(pending.step - now)
            pending = changes.after(pending, uniform)
        return steps

    assert waits(LAST_STEP - 100) == waits(2**52) == waits(0)
    assert changes.first(7, lambda: 0.0).step == 8  # a time of 0 is no change now
    assert changes.after(PendingChange(9, 1.0), lambda: 1e-300).step == 9


def test_bursts_have_length() -> None:
    waits = gaps(RandomChanges(when="bursts", probability=0.1, length=4))
    assert (waits.reshape(-1, 4)[:, 1:] == 1).all()
    between = waits[::4]
    assert abs(between.mean() - 10) < 5 * math.sqrt(90 / between.size)


def test_periodic_comes_at_multiples() -> None:
    changes = RandomChanges(when="periodic", period=7)
    assert times(changes, 4).tolist() == [7, 14, 21, 28]
    assert changes.first(14, lambda: 0.5).step == 21


@pytest.mark.parametrize(
    "changes",
    [
        RandomChanges(probability=0.3),
        RandomChanges(when="poisson", rate=2.0),
        RandomChanges(when="bursts", probability=0.3, length=2),
        RandomChanges(when="periodic", period=3),
        RandomChanges(when="once", earliest=1, latest=2),
    ],
)
def test_first_change_is_later(changes: RandomChanges) -> None:
    uniform = np.random.default_rng(1).random
    assert all(changes.first(now, uniform).step > now for now in range(200))


def test_once_is_uniform_and_last() -> None:
    changes, uniform = RandomChanges(when="once", earliest=3, latest=6), np.random.default_rng(0)
    first = [changes.first(10, uniform.random) for _ in range(EVENTS)]
    counts = np.bincount([each.step for each in first])[13:]
    assert counts.sum() == EVENTS
    assert len(counts) == 4
    deviation = math.sqrt(0.25 * 0.75 / EVENTS)
    assert (np.abs(counts / EVENTS - 0.25) < 5 * deviation).all()
    assert changes.after(first[0], uniform.random).step == LAST_STEP


def test_rare_change_fits_clock() -> None:
    for changes in (
        RandomChanges(probability=1e-300),
        RandomChanges(when="poisson", rate=1e-300),
        RandomChanges(when="periodic", period=10**30),
    ):
        assert changes.first(0, lambda: 0.5).step >= LAST_STEP


# -- kinds ---------------------------------------------------------------------------------------


def drift(layout: Layout, changes: RandomChanges, events: int, agent: Any = None) -> list[Layout]:
    """Return the layouts of a chain of changes; a skipped one repeats the layout."""
    uniform = np.random.default_rng(3).random
    layouts = [layout]
    for _ in range(events):
        layouts.append(changes.apply(layouts[-1], agent, uniform) or layouts[-1])
    return layouts


@pytest.mark.parametrize("cells", [1, 3])
def test_walls_move_in_pairs(cells: int) -> None:
    layout = Layout.from_text(DYNA)
    chain = drift(layout, RandomChanges(probability=1, cells=cells), 300, agent=(4, 4))
    for before, after in pairwise(chain):
        assert after.walls.sum() == layout.walls.sum()
        assert (after.walls & ~before.walls).sum() == (before.walls & ~after.walls).sum() <= cells
        assert not after.walls[4, 4]
        assert after.distances[4, 4] >= 0
        assert (after.starts, after.goals) == (layout.starts, layout.goals)
    assert len({layout.walls.tobytes() for layout in chain}) > 250


def test_agent_keeps_path_to_goal() -> None:
    layout = Layout.from_text("S..#\n.##.\n...G")
    for agent in ((0, 3), (1, 0), (1, 1)):
        for changed in drift(layout, RandomChanges(probability=1), 200, agent)[1:]:
            row, col = agent
            beside = [(row, col), (row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)]
            inside = [(r, c) for r, c in beside if 0 <= r < 3 and 0 <= c < 4]
            assert max(changed.distances[cell] for cell in inside) >= 0


@pytest.mark.parametrize(
    ("agent", "reaches"),
    [
        *(((1, 1), True), ((1, 5), False)),  # free cells
        *(((2, 2), False), ((3, 0), False), ((0, 3), False)),  # walls, a free cell at a corner
        *(((2, 0), True), ((2, 1), True), ((0, 2), True), ((1, 2), True)),  # walls, beside one
        *(((0, 5), False), ((1, 4), False), ((3, 3), False)),  # walls, beside a shut-in cell
    ],
)
@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
def test_agent_in_wall_reaches_goal_beside(
    agent: tuple[int, int], reaches: bool, mirrored: bool, upside_down: bool
) -> None:
    rows = ["SG####", "..###.", "######", "######"]
    row, col = agent
    if mirrored:
        rows, col = [each[::-1] for each in rows], 5 - col
    if upside_down:
        rows, row = rows[::-1], 3 - row
    assert reaches_goal(Layout.from_text("\n".join(rows)), (row, col)) is reaches


def test_blocking_change_is_skipped() -> None:
    corridor = Layout.from_text("S..G\n####")
    outcomes = [
        RandomChanges(probability=1).apply(corridor, None, np.random.default_rng(i).random)
        for i in range(200)
    ]
    texts = {None if each is None else each.to_text() for each in outcomes}
    # One wall opens and one cell of the path closes: no other layout has a path.
    assert texts == {None}
    wide = Layout.from_text("S.G\n...\n##.")
    changed = RandomChanges(probability=1).apply(wide, None, np.random.default_rng(0).random)
    assert changed is not None


@pytest.mark.parametrize("what", ["start", "goal"])
def test_start_and_goal_move_anywhere(what: str) -> None:
    layout = Layout.from_text("S.#.\n..#.\n.G#.")
    changes = RandomChanges(probability=1, what=(what,))
    cells = set()
    for seed in range(200):
        changed = changes.apply(layout, (0, 1), np.random.default_rng(seed).random)
        assert changed is not None
        (cell,) = changed.starts if what == "start" else changed.goals
        cells.add(cell)
    free = {(0, 1), (1, 0), (1, 1), (2, 0)}
    assert cells == (free if what == "start" else free - {(0, 1)})


def test_ranges_bound_draws() -> None:
    layout = Layout.from_text("S.G\n...")
    changes = RandomChanges(
        probability=1, what=("rewards", "slip"), goal_reward_range=(2, 5), slip_range=(0.1, 0.2)
    )
    chain = drift(layout, changes, 500)
    rewards = {each.rewards.goal for each in chain[1:]} - {1.0}
    slips = {each.slip_probability for each in chain[1:]} - {0.0}
    for values, low, high in ((rewards, 2, 5), (slips, 0.1, 0.2)):
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
        assert len(values) > 100
    default = RandomChanges(probability=1, what=("rewards",)).apply(layout, None, lambda: 0.5)
    assert default is not None
    assert default.rewards.goal == 0.5  # of 0 to 1
    kept = {(each.walls.tobytes(), each.rewards.step, each.rewards.wall) for each in chain}
    assert len(kept) == 1


DETOUR = "S....\n.###.\n....G"
"""Two equal paths around: closing one leaves the other."""


@pytest.mark.parametrize(
    ("text", "agent", "expected"),
    [
        ("S..G\n#..#", None, set()),  # no path is left
        ("S..G\n....", None, {"S#.G\n....", "S.#G\n...."}),
        ("S..G\n....", (0, 1), {"S.#G\n...."}),
        (DETOUR, None, set()),
        ("S..G\n.##.\n....", (0, 2), {"S#.G\n.##.\n...."}),
    ],
)
def test_block_lengthens_path(text: str, agent: Any, expected: set[str]) -> None:
    changes, layout = RandomChanges(probability=1, what="block"), Layout.from_text(text)
    found = {
        None if each is None else each.to_text()
        for each in (
            changes.apply(layout, agent, np.random.default_rng(seed).random) for seed in range(40)
        )
    }
    assert found == (expected or {None})


def test_shortcut_saves_four_steps() -> None:
    """A corridor there and back: opening column 0, 1, 2, 3 of the wall saves 8, 6, 4, 2 steps."""
    layout = Layout.from_text("S....\n####.\nG....")
    changes = RandomChanges(probability=1, what="shortcut")
    found = [changes.apply(layout, None, np.random.default_rng(seed).random) for seed in range(100)]
    lengths = {None if each is None else each.shortest_path_length for each in found}
    assert layout.shortest_path_length == 10
    assert lengths == {2, 4, 6}
    short = Layout.from_text("S..\n##.\nG..")  # opening column 0 saves 4, column 1 only 2
    for seed in range(20):
        changed = changes.apply(short, None, np.random.default_rng(seed).random)
        assert changed is not None
        assert changed.to_text() == "S..\n.#.\nG.."


@pytest.mark.parametrize("what", ["block", "shortcut"])
def test_impossible_change_is_replaced(what: str) -> None:
    corridor = Layout.from_text("S..G.")
    alone = RandomChanges(probability=1, what=what)
    assert alone.apply(corridor, None, lambda: 0.5) is None
    replaced = RandomChanges(probability=1, what=what, otherwise="goal")
    moved = replaced.apply(corridor, None, lambda: 0.99)
    assert moved is not None
    assert moved.to_text() == "S...G"


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"when": "sometimes"}, ValueError, "when='sometimes'; expected one of .'each_step'"),
        ({"when": "poison", "rate": 1}, ValueError, "did you mean 'poisson'"),
        ({}, ValueError, "when='each_step' without probability"),
        ({"probability": 0}, ValueError, "probability=0; expected a number in"),
        ({"probability": 1.5}, ValueError, "probability=1.5"),
        ({"probability": "1"}, TypeError, "probability='1'"),
        ({"probability": 0.1, "rate": 2}, ValueError, "rate=2 with when='each_step'"),
        ({"when": "poisson", "rate": 101}, ValueError, "rate=101"),
        ({"when": "periodic", "period": 0}, ValueError, "period=0"),
        ({"when": "periodic", "period": 2.5}, ValueError, "period=2.5"),
        ({"when": "bursts", "probability": 0.1}, ValueError, "without length"),
        ({"when": "once", "earliest": 3}, ValueError, "when='once' without latest"),
        ({"when": "once", "earliest": 0, "latest": 3}, ValueError, "earliest=0"),
        (
            {"when": "once", "earliest": 4, "latest": 3},
            ValueError,
            "latest=3; .* at least 4|above 4",
        ),
        ({"probability": 0.1, "otherwise": "gaol"}, ValueError, "did you mean 'goal'"),
        ({"probability": 0.1, "what": []}, ValueError, "what=\\[\\]; expected one or more of"),
        ({"probability": 0.1, "what": 3}, TypeError, "what=3; expected one or more of walls"),
        ({"probability": 0.1, "what": b"goal"}, ValueError, "what=b'goal'; expected one or more"),
        ({"probability": 0.1, "what": ["wall"]}, ValueError, "did you mean 'walls'"),
        ({"probability": 0.1, "cells": 0}, ValueError, "cells=0"),
        ({"probability": 0.1, "slip_range": [0.5, 0.1]}, ValueError, "the lower one first"),
        ({"probability": 0.1, "slip_range": [0.5]}, ValueError, "two numbers"),
        ({"probability": 0.1, "slip_range": [0, 2]}, ValueError, "slip_range=2"),
        ({"propability": 0.1}, ValueError, "did you mean 'probability'"),
        (3, TypeError, "random_changes=3; expected a mapping"),
    ],
)
def test_arguments_are_checked(changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RandomChanges.from_argument(changes)


def test_from_argument_accepts_process() -> None:
    process = RandomChanges(when="periodic", period=3)
    assert RandomChanges.from_argument(None) is None
    assert RandomChanges.from_argument(process) is process
    assert (
        RandomChanges.from_argument({"when": "periodic", "period": 3, "what": ["walls"]}) == process
    )


def test_walls_need_a_wall() -> None:
    check: Callable[[Layout], None] = RandomChanges(probability=1).check_fits
    with pytest.raises(ValueError, match="cells=1 in a maze without a wall"):
        check(Layout.from_text("S.G"))
    with pytest.raises(ValueError, match="cells=2 in a maze of 1 walls"):
        RandomChanges(probability=1, cells=2).check_fits(Layout.from_text("S.G\n#.."))
    check(Layout.from_text("S.G\n#.."))


def test_pending_change_is_json() -> None:
    pending = RandomChanges(when="poisson", rate=0.3).first(5, np.random.default_rng(0).random)
    assert PendingChange(**{name: float(n) for name, n in pending._asdict().items()}) == pending
