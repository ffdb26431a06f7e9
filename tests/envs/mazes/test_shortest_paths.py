"""Breadth-first search and diameters, interpreted and compiled, compared with slower algorithms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dynamaze.envs.mazes import shortest_paths as search
from dynamaze.envs.mazes.shortest_paths import bfs_distances, diameter, downhill_path


@pytest.fixture(params=["interpreted", "compiled"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Select the interpreted or the compiled search for mazes of any size."""
    monkeypatch.setattr(search, "LARGE", {"interpreted": np.inf, "compiled": 0}[request.param])
    return request.param


def random_walls(rng: np.random.Generator) -> np.ndarray:
    return rng.random(rng.integers(1, 10, size=2)) < rng.choice([0.0, 0.2, 0.4, 0.6])


def relaxed(blocked: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return distances by Bellman-Ford on the whole grid at once."""
    steps = np.full(blocked.shape, np.inf)
    steps.flat[sources] = 0
    for _ in range(blocked.size):
        padded = np.pad(steps, 1, constant_values=np.inf)
        beside = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        steps = np.where(blocked, np.inf, np.minimum(steps, np.min(beside, axis=0) + 1))
    return np.where(np.isfinite(steps), steps, -1)


def snake(size: int) -> np.ndarray:
    """Return a maze that is one winding path through an odd grid."""
    walls = np.zeros((size, size), dtype=bool)
    walls[1::2] = True
    walls[1::4, -1] = walls[3::4, 0] = False
    return walls


def ring(size: int) -> np.ndarray:
    walls = np.zeros((size, size), dtype=bool)
    walls[1:-1, 1:-1] = True
    return walls


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("seed", range(40))
def test_distances_equal_relaxation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocked = random_walls(rng)
    free = np.flatnonzero(~blocked)
    sources = rng.permutation(free)[: rng.integers(0, 4)]
    found = bfs_distances(blocked, sources)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, relaxed(blocked, sources))
    np.testing.assert_array_equal(bfs_distances(blocked, sources.tolist()), found)


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("seed", range(40))
def test_diameter_equals_brute_force(seed: int) -> None:
    blocked = random_walls(np.random.default_rng(seed))
    every = [int(bfs_distances(blocked, [cell]).max()) for cell in np.flatnonzero(~blocked)]
    assert diameter(blocked) == max(every, default=0)


@pytest.mark.usefixtures("mode")
def test_diameter_of_known_mazes() -> None:
    assert diameter(np.zeros((7, 12), dtype=bool)) == 6 + 11
    assert diameter(np.ones((3, 3), dtype=bool)) == 0
    assert diameter(np.zeros((1, 1), dtype=bool)) == 0
    assert diameter(snake(31)) == 16 * 31 + 15 - 1
    assert diameter(ring(9)) == 16
    apart = np.zeros((3, 9), dtype=bool)
    apart[:, 4] = True
    apart[:, 6] = True  # 3 x 4, 3 x 1 and 3 x 2 cells: three components
    assert diameter(apart) == 2 + 3


@pytest.mark.parametrize("shape", [(20, 20), (9, 14), (31, 31)])
def test_diameter_needs_few_searches(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = snake(31) if shape == (31, 31) else np.zeros(shape, dtype=bool)
    searched = []
    rule = search._SearchGrid.search

    def counted(grid: Any, distance: Any, sources: Any) -> Any:
        searched.append(sources)
        return rule(grid, distance, sources)

    monkeypatch.setattr(search._SearchGrid, "search", counted)
    diameter(blocked)
    assert len(searched) - 1 <= 6  # the first finds the connected cells


def test_long_path_is_found() -> None:
    walls = snake(501)
    length = 251 * 501 + 250 - 1
    distances = bfs_distances(walls, [walls.size - 1])
    assert distances.max() == length
    assert diameter(walls) == length
    path = downhill_path(distances, divmod(int(distances.argmax()), 501))
    assert len(set(path)) == length + 1
    assert [int(distances[cell]) for cell in path] == list(range(length, -1, -1))


def test_small_maze_avoids_numba() -> None:
    program = (
        "import sys; from dynamaze.envs import Layout; "
        "maze = Layout.from_text('S.G'); maze.diameter; sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
