"""Cheapest paths on a map memory, against a reference in plain Python."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from dynamaze.agents.mapping.paths import (
    MapCosts,
    PathPlanner,
    best_actions_at,
    best_actions_everywhere,
    path_lengths,
    plan_paths,
)
from dynamaze.common.arrays import IntArray
from dynamaze.common.map_memory import (
    BUMPED,
    ENTERED,
    MAZE_MOVES,
    NEVER,
    OUTSIDE,
    REWARDED,
    MapMemory,
    move_targets,
)

KING_MOVES = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1) if (row, col) != (0, 0)]


def random_memory(rng: np.random.Generator, cells: int, runs: int) -> MapMemory:
    memory = MapMemory.empty(cells, runs)
    memory.event[:] = rng.choice(4, size=(runs, cells), p=(0.2, 0.4, 0.1, 0.3))
    memory.clock[:] = rng.integers(1, 1000, size=runs)
    memory.time[:] = rng.integers(0, memory.clock[:, None] + 1, size=(runs, cells))
    return memory


def reference_costs(targets: IntArray, memory: MapMemory, run: int, costs: MapCosts) -> list[float]:
    """Dijkstra's algorithm forwards from each cell, as the model is described."""
    event, age = memory.event[run], memory.age[run]
    ends = {NEVER: lambda _: costs.unknown, ENTERED: lambda c: costs.entered - int(age[c])}
    ends |= {REWARDED: lambda _: 0, BUMPED: lambda _: float("inf")}
    found = []
    for start in range(len(targets)):
        best, done, heap = float("inf"), set(), [(0.0, start)]
        while heap:
            walked, cell = heapq.heappop(heap)
            if cell in done:
                continue
            done.add(cell)
            best = min(best, walked + ends[event[cell]](cell))
            if event[cell] == REWARDED:
                continue
            for near in targets[cell]:
                if near != OUTSIDE:
                    wall = max(0, costs.wall - int(age[near])) if event[near] == BUMPED else 0
                    heapq.heappush(heap, (walked + 1 + wall, int(near)))
        found.append(best)
    return found


def reference_best(
    targets: IntArray, memory: MapMemory, run: int, costs: MapCosts
) -> list[list[bool]]:
    cost = reference_costs(targets, memory, run, costs)
    event, age = memory.event[run], memory.age[run]
    rows = []
    for cell in range(len(targets)):
        through = [
            float("inf")
            if near == OUTSIDE
            else 1
            + (max(0, costs.wall - int(age[near])) if event[near] == BUMPED else 0)
            + cost[near]
            for near in targets[cell]
        ]
        rows.append([one == min(through) for one in through])
    return rows


@pytest.mark.parametrize("moves", [MAZE_MOVES, KING_MOVES, [(0, 1), (1, -2)]])
def test_costs_and_actions_equal_reference(moves: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(0)
    for shape in [(3, 4), (5, 5), (1, 6)]:
        targets, runs = move_targets(shape, moves), 6
        costs = MapCosts(unknown=30, entered=60, wall=500)
        memory = random_memory(rng, len(targets), runs)
        planner = PathPlanner.of(targets, costs)
        everywhere = best_actions_everywhere(planner, memory)
        for run in range(runs):
            plan_paths(planner, memory, run)
            assert planner.cost.tolist() == reference_costs(targets, memory, run, costs)
            assert everywhere[run].tolist() == reference_best(targets, memory, run, costs)
        cells = rng.integers(len(targets), size=runs)
        at = best_actions_at(planner, memory, cells)
        np.testing.assert_array_equal(at, everywhere[np.arange(runs), cells])


def test_known_goal_is_walked_to() -> None:
    planner, memory = PathPlanner.of(move_targets((1, 4))), MapMemory.empty(4)
    memory.event[0] = [NEVER, ENTERED, ENTERED, REWARDED]
    assert best_actions_at(planner, memory, np.array([1])).tolist() == [[False, True, False, False]]
    assert planner.cost.tolist() == [3, 2, 1, 0]


def test_unknown_cell_is_explored_before_old_one() -> None:
    planner, memory = PathPlanner.of(move_targets((1, 3))), MapMemory.empty(3)
    memory.event[0] = [ENTERED, ENTERED, NEVER]
    memory.clock[:] = 400  # the left cell is old, but the right one unknown
    assert best_actions_at(planner, memory, np.array([1])).tolist() == [[False, True, False, False]]


@pytest.mark.parametrize(
    ("age", "best"), [(390, [False, True]), (391, [True, True]), (392, [True, False])]
)
def test_wall_is_tried_if_detour_is_longer(age: int, best: list[bool]) -> None:
    """A ring of 13 cells: 2 moves through the wall, and 400 - age; or 11 moves around it."""
    targets = np.array([[(cell + 1) % 13, (cell - 1) % 13] for cell in range(13)])
    planner, memory = PathPlanner.of(targets), MapMemory.empty(13)
    memory.event[0] = ENTERED
    memory.event[0, 1], memory.event[0, 2] = BUMPED, REWARDED
    memory.clock[0] = memory.time[0, :] = 400
    memory.time[0, 1] = 400 - age
    assert best_actions_at(planner, memory, np.array([0])).tolist() == [best]


def test_single_cell_has_no_worse_action() -> None:
    planner = PathPlanner.of(move_targets((1, 1)))
    assert best_actions_at(planner, MapMemory.empty(1), np.array([0])).all()


@pytest.mark.parametrize("name", ["unknown", "entered", "wall"])
def test_costs_refuse_negative_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=-1; expected a whole number in"):
        MapCosts(**{name: -1})


def test_path_lengths_count_moves() -> None:
    targets, rng = move_targets((4, 5)), np.random.default_rng(1)
    memory = random_memory(rng, 20, runs=20)
    planner = PathPlanner.of(targets)
    best = best_actions_everywhere(planner, memory)
    lengths = path_lengths(planner, memory, best)
    event, age = memory.event, memory.age
    for run in range(20):
        cost = reference_costs(targets, memory, run, MapCosts())
        ends = [
            cost[cell] == {NEVER: 1000, ENTERED: 3000 - age[run, cell], REWARDED: 0}.get(kind)
            for cell, kind in enumerate(event[run])
        ]
        for start in range(20):  # breadth first along best actions, until a path ends
            reached, moves = {start}, 0
            while moves == 0 or not any(ends[cell] for cell in reached):
                reached = {
                    int(targets[cell, action])
                    for cell in reached
                    for action in np.flatnonzero(best[run, cell])
                }
                moves += 1
            assert lengths[run, start] == moves
