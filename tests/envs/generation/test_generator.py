"""Generated mazes: solvable, reproducible and of the selected kind."""

from __future__ import annotations

import hashlib
import inspect
import random  # noqa: TID251  # shown to be left alone
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamaze.envs.generation import ALGORITHMS, ENDPOINTS, GeneratedMaze, MazeGenerator
from dynamaze.envs.generation.generator import MAX_EQUAL_DRAWS, SPLITS, walls_digest
from dynamaze.envs.generation.level_rng import WALLS, LevelRNG
from dynamaze.envs.mazes.layout import DISPLACEMENTS, MAX_CELLS, Layout

PERFECT = ("backtracking", "prim", "kruskal", "wilson", "division")
SHAPES = ((3, 3), (3, 4), (4, 3), (4, 4), (3, 21), (8, 5), (9, 14), (15, 15), (16, 16), (21, 13))


def free_cells(walls: np.ndarray) -> set[tuple[int, int]]:
    return {(int(row), int(col)) for row, col in np.argwhere(~walls)}


def near(cell: tuple[int, int]) -> list[tuple[int, int]]:
    return [(cell[0] + down, cell[1] + right) for down, right in DISPLACEMENTS]


def component(free: set[tuple[int, int]], start: tuple[int, int]) -> set[tuple[int, int]]:
    reached, waiting = {start}, [start]
    while waiting:
        fresh = [cell for cell in near(waiting.pop()) if cell in free and cell not in reached]
        reached.update(fresh)
        waiting += fresh
    return reached


def is_connected(free: set[tuple[int, int]]) -> bool:
    return component(free, next(iter(free))) == free


def passages(free: set[tuple[int, int]]) -> int:
    return sum((row + 1, col) in free for row, col in free) + sum(
        (row, col + 1) in free for row, col in free
    )


def lattice_sides(shape: tuple[int, int]) -> tuple[int, int]:
    return (shape[0] + 1) // 2, (shape[1] + 1) // 2


def layout(maze: GeneratedMaze) -> Layout:
    return Layout(maze.walls, (maze.start,), (maze.goal,))


def same_maze(one: GeneratedMaze, other: GeneratedMaze) -> bool:
    return np.array_equal(one.walls, other.walls) and one[1:] == other[1:]


def digest(mazes: Iterator[GeneratedMaze]) -> str:
    sha = hashlib.sha256()
    for maze in mazes:
        sha.update(np.packbits(maze.walls).tobytes())
        sha.update(str((maze.walls.shape, maze.start, maze.goal)).encode())
    return sha.hexdigest()[:16]


# --- properties of every maze ------------------------------------------------------------------


def test_algorithms_and_endpoints_are_listed() -> None:
    assert len(ALGORITHMS) == len(set(ALGORITHMS)) == 8
    assert set(PERFECT) < set(ALGORITHMS)
    assert len(ENDPOINTS) == 3


@pytest.mark.parametrize("endpoints", ENDPOINTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_mazes_are_connected(algorithm: str, endpoints: str) -> None:
    for shape in SHAPES:
        generator = MazeGenerator(shape, algorithm, endpoints=endpoints)
        for level in range(25):
            maze = generator.make(level)
            assert maze.walls.shape == shape
            assert maze.walls.dtype == np.bool_
            assert layout(maze).shortest_path_length > 0  # and its own checks pass
            assert is_connected(free_cells(maze.walls))


@given(
    rows=st.integers(3, 24),
    cols=st.integers(3, 24),
    algorithm=st.sampled_from(ALGORITHMS),
    endpoints=st.sampled_from(ENDPOINTS),
    share=st.floats(0, 1, exclude_max=True),
    room_size=st.integers(6, 30),
    level=st.integers(0, 2**128),
)
def test_random_generators_are_solvable(
    rows: int, cols: int, algorithm: str, endpoints: str, share: float, room_size: int, level: int
) -> None:
    more: dict[str, Any] = {"loops": share}
    if algorithm in ("obstacles", "empty"):
        more = {"density": share} if algorithm == "obstacles" else {}
    if algorithm == "rooms":
        more["room_size"] = room_size
    maze = MazeGenerator((rows, cols), algorithm, endpoints=endpoints, **more).make(level)
    assert layout(maze).shortest_path_length > 0
    assert is_connected(free_cells(maze.walls))


# --- the same everywhere -----------------------------------------------------------------------

GOLDEN = {
    ("backtracking", "random"): "4197e8ae39c24575",
    ("backtracking", "farthest"): "10d4949ddb4009bb",
    ("backtracking", "corners"): "a57118a906f9daf4",
    ("prim", "random"): "712de2a57271272c",
    ("prim", "farthest"): "2adc2f8e10b8c679",
    ("prim", "corners"): "664a97d34141a449",
    ("kruskal", "random"): "db212e130160a293",
    ("kruskal", "farthest"): "3fffb456a53ad244",
    ("kruskal", "corners"): "0c3920a6cc9cc9ca",
    ("wilson", "random"): "4d6c762251ce613b",
    ("wilson", "farthest"): "b4b1cdf067159cb8",
    ("wilson", "corners"): "50493ae174dd4f92",
    ("division", "random"): "cc7650cfccd509ea",
    ("division", "farthest"): "6b23b82daecfe639",
    ("division", "corners"): "c1e59f3d73793707",
    ("rooms", "random"): "9d587abd9a7ceb07",
    ("rooms", "farthest"): "361e40a0139ce84b",
    ("rooms", "corners"): "e61847958896e6bb",
    ("obstacles", "random"): "bf70217d809896f7",
    ("obstacles", "farthest"): "b709af63a8518b91",
    ("obstacles", "corners"): "2651b2fcea556121",
    ("empty", "random"): "84af5d0bd0b87e42",
    ("empty", "farthest"): "f1915b063149daa3",
    ("empty", "corners"): "cba14e342d635ed2",
}


def golden_mazes(algorithm: str, endpoints: str) -> Iterator[GeneratedMaze]:
    generator = MazeGenerator((15, 20), algorithm, endpoints=endpoints)
    yield from (generator.make(level) for level in (0, 1, 2, 3, 2**32, 2**62 + 1))
    if algorithm in (*PERFECT, "rooms"):
        yield MazeGenerator(31, algorithm, loops=0.1, endpoints=endpoints).make(7)
    if algorithm == "obstacles":
        yield MazeGenerator(31, algorithm, density=0.7, endpoints=endpoints).make(7)


@pytest.mark.parametrize(("algorithm", "endpoints"), list(product(ALGORITHMS, ENDPOINTS)))
def test_levels_have_stable_digests(algorithm: str, endpoints: str) -> None:
    # Made by `digest(golden_mazes(algorithm, endpoints))`. Another digest is another maze for
    # the levels of every user: a breaking change.
    assert digest(golden_mazes(algorithm, endpoints)) == GOLDEN[algorithm, endpoints]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_levels_differ(algorithm: str) -> None:
    generator = MazeGenerator(15, algorithm)
    mazes = {digest(iter([generator.make(level)])) for level in range(300)}
    assert len(mazes) > 290  # an empty maze has only its endpoints


def test_global_generators_are_unused() -> None:
    def state() -> str:
        return repr((random.getstate(), np.random.get_state()))  # noqa: NPY002

    for algorithm, endpoints in product(ALGORITHMS, ENDPOINTS):
        generator = MazeGenerator(9, algorithm, endpoints=endpoints)
        maze = generator.make(3)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002, TID251
        assert same_maze(maze, generator.make(3))
        before = state()
        generator.make(4)
        assert state() == before


def test_threads_do_not_interfere() -> None:
    generators = [MazeGenerator(21, algorithm) for algorithm in ALGORITHMS]
    jobs = list(product(generators, range(15)))
    alone = [generator.make(level) for generator, level in jobs]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(lambda job: job[0].make(job[1]), jobs))
    finally:
        sys.setswitchinterval(interval)
    assert all(map(same_maze, alone, together))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_make_is_not_recursive(algorithm: str) -> None:
    generator = MazeGenerator(101, algorithm)
    generator.make(0)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 25)
    try:
        generator.make(0)
    finally:
        sys.setrecursionlimit(limit)


def test_walls_are_writable_copies() -> None:
    for algorithm in ALGORITHMS:
        generator = MazeGenerator(9, algorithm)
        maze = generator.make(0)
        expected = maze.walls.copy()
        maze.walls[:] = True
        np.testing.assert_array_equal(generator.make(0).walls, expected)


# --- perfect mazes and their loops -------------------------------------------------------------


@pytest.mark.parametrize("algorithm", PERFECT)
def test_perfect_maze_is_tree(algorithm: str) -> None:
    for shape in SHAPES:
        height, width = lattice_sides(shape)
        for level in range(20):
            walls = MazeGenerator(shape, algorithm).make(level).walls
            free = free_cells(walls)
            assert not walls[: 2 * height : 2, : 2 * width : 2].any()
            assert walls[1::2, 1::2].all()
            assert len(free) == 2 * height * width - 1  # the cells and one passage less
            assert passages(free) == len(free) - 1
            assert is_connected(free)


@pytest.mark.parametrize("algorithm", PERFECT)
@pytest.mark.parametrize("loops", [0, 0.1, 0.5, 0.85, 1])
def test_loops_open_exact_share(algorithm: str, loops: float) -> None:
    for shape in SHAPES:
        height, width = lattice_sides(shape)
        closed = height * (width - 1) + (height - 1) * width - (height * width - 1)
        perfect = MazeGenerator(shape, algorithm).make(5)
        looped = MazeGenerator(shape, algorithm, loops=loops).make(5)
        assert not (looped.walls & ~perfect.walls).any()
        assert (perfect.walls & ~looped.walls).sum() == int(loops * closed + 0.5)
        assert looped.walls[1::2, 1::2].all()  # a wall is between two cells, a post is not
        assert looped.walls[2 * height - 1 :].all()
        assert looped.walls[:, 2 * width - 1 :].all()


def test_loops_are_nested() -> None:
    for algorithm in (*PERFECT, "rooms"):
        before = MazeGenerator(15, algorithm).make(2).walls
        for loops in (0.1, 0.3, 0.7, 1.0):
            walls = MazeGenerator(15, algorithm, loops=loops).make(2).walls
            assert not (walls & ~before).any()
            assert (walls != before).any()
            before = walls


def chi_square_bound(degrees: int) -> float:
    """Return a bound exceeded once in a million (Wilson & Hilferty); 55.5 for 14 degrees."""
    part = 2 / (9 * degrees)
    return degrees * float(1 - part + 4.753 * part**0.5) ** 3


def chi_square(algorithm: str, shape: tuple[int, int], trees: int) -> float:
    """Return the statistic of the counts of all perfect mazes, 40 expected of each."""
    generator = MazeGenerator(shape, algorithm, endpoints="corners")
    seen = Counter(generator.make(level).walls.tobytes() for level in range(40 * trees))
    assert len(seen) <= trees
    counts = [*seen.values(), *[0] * (trees - len(seen))]
    return sum((count - 40) ** 2 / 40 for count in counts)


@pytest.mark.parametrize(("shape", "trees"), [((3, 3), 4), ((3, 5), 15), ((5, 5), 192)])
def test_wilson_is_uniform(shape: tuple[int, int], trees: int) -> None:
    assert chi_square("wilson", shape, trees) < chi_square_bound(trees - 1)


@pytest.mark.parametrize("algorithm", ["backtracking", "prim", "kruskal", "division"])
def test_uniformity_check_detects_others(algorithm: str) -> None:
    assert chi_square(algorithm, (5, 5), 192) > chi_square_bound(191)


# --- rooms and obstacles -----------------------------------------------------------------------


def doors(walls: np.ndarray) -> set[tuple[int, int]]:
    """Return the free cells with a wall or the edge on both sides; rooms are wider."""
    padded = np.pad(walls, 1, constant_values=True)
    across = padded[1:-1, :-2] & padded[1:-1, 2:]
    along = padded[:-2, 1:-1] & padded[2:, 1:-1]
    return free_cells(walls | ~(across | along))


@pytest.mark.parametrize("room_size", [None, 6, 7, 8, 11])
@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (9, 14), (16, 15), (31, 31), (40, 23)])
def test_rooms_form_tree(shape: tuple[int, int], room_size: int | None) -> None:
    for level in range(10):
        walls = MazeGenerator(shape, "rooms", room_size=room_size).make(level).walls
        between = doors(walls)
        left = free_cells(walls) - between
        count = 0
        while left:
            room = component(left, next(iter(left)))
            left -= room
            count += 1
            sides = [max(indices) - min(indices) + 1 for indices in zip(*room, strict=True)]
            assert sides[0] * sides[1] == len(room)
            assert min(sides) >= 3
            assert max(sides) <= (room_size or 7)
        assert count > 1
        assert len(between) == count - 1  # connected, as every maze is: so this is a tree


def test_rooms_loops_add_doors() -> None:
    plain = MazeGenerator(31, "rooms").make(0).walls
    looped = MazeGenerator(31, "rooms", loops=1).make(0).walls
    opened = np.argwhere(plain & ~looped)
    assert len(opened) > 0
    assert ((opened % 2).sum(axis=1) == 1).all()
    assert not looped[::2, ::2].any()


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3, 0.45, 0.6, 0.8, 0.97, 0.9999])
@pytest.mark.parametrize("endpoints", ["random", "farthest"])
def test_obstacles_have_density(density: float, endpoints: str) -> None:
    for shape in SHAPES:
        size = shape[0] * shape[1]
        generator = MazeGenerator(shape, "obstacles", density=density, endpoints=endpoints)
        for level in range(10):
            obstacles = int(generator.make(level).walls.sum())
            assert obstacles == min(int(density * size + 0.5), size - 2)


def test_obstacles_keep_corner_path() -> None:
    for level in range(30):
        loose = MazeGenerator(12, "obstacles", density=0.4, endpoints="corners").make(level)
        assert loose.walls.sum() == 58
        dense = MazeGenerator(12, "obstacles", density=0.99, endpoints="corners").make(level)
        assert (~dense.walls).sum() == layout(dense).shortest_path_length + 1  # the path only


def test_obstacles_skip_cut_cells() -> None:
    shape = (9, 8)
    for level in range(40):
        order = LevelRNG(level, WALLS).permutation(72)
        expected = np.zeros(shape, dtype=np.bool_)
        for cell in order:
            expected.flat[cell] = expected.sum() < 27
            if not is_connected(free_cells(expected)):
                expected.flat[cell] = False
        assert expected.sum() == 27  # in one round
        walls = MazeGenerator(shape, "obstacles", density=27 / 72).make(level).walls
        np.testing.assert_array_equal(walls, expected)


def test_obstacles_are_uniform() -> None:
    # So few obstacles rarely disconnect the maze. Within 5 standard deviations in each of 64 cells:
    # a false alarm once in 25,000.
    generator = MazeGenerator(8, "obstacles", density=3 / 64)
    counts = sum(generator.make(level).walls.astype(int) for level in range(2000))
    share = 3 / 64
    assert np.abs(counts - 2000 * share).max() < 5 * (2000 * share * (1 - share)) ** 0.5


# --- endpoints ---------------------------------------------------------------------------------


def test_random_goal_is_far() -> None:
    for algorithm in ALGORITHMS:
        for level in range(30):
            maze = MazeGenerator((9, 12), algorithm).make(level)
            distances = Layout(maze.walls, (maze.goal,), (maze.start,)).distances
            assert 2 * distances[maze.goal] >= distances.max()


def test_random_endpoints_cover_maze() -> None:
    mazes = [MazeGenerator(5, "backtracking").make(level) for level in range(400)]
    assert len({maze.start for maze in mazes}) == 21
    assert len({maze.goal for maze in mazes}) == 21


@pytest.mark.parametrize("algorithm", PERFECT)
def test_farthest_endpoints_span_diameter(algorithm: str) -> None:
    for level in range(10):
        maze = MazeGenerator((7, 9), algorithm, endpoints="farthest").make(level)
        longest = 0
        for goal in free_cells(maze.walls) - {maze.start}:
            longest = max(longest, Layout(maze.walls, (maze.start,), (goal,)).distances.max())
        assert layout(maze).shortest_path_length == longest


def test_corners_are_endpoints() -> None:
    for algorithm in ALGORITHMS:
        maze = MazeGenerator((9, 12), algorithm, endpoints="corners").make(0)
        expected = (8, 10) if algorithm in PERFECT else (8, 11)
        assert (maze.start, maze.goal) == ((0, 0), expected)


def test_endpoints_leave_walls_unchanged() -> None:
    for algorithm in set(ALGORITHMS) - {"obstacles"}:
        walls = [MazeGenerator(15, algorithm, endpoints=kind).make(4).walls for kind in ENDPOINTS]
        np.testing.assert_array_equal(walls[0], walls[1])
        np.testing.assert_array_equal(walls[0], walls[2])


# --- arguments ---------------------------------------------------------------------------------


def test_generator_is_hashable_value() -> None:
    # A list of NumPy's numbers, as a configuration may bring them.
    sides: Any = [9, np.int64(7)]
    loops: Any = np.float32(0.5)
    level: Any = np.int64(3)
    generator, plain = (
        MazeGenerator(sides, "prim", loops=loops),
        MazeGenerator((9, 7), "prim", loops=0.5),
    )
    assert generator == plain
    assert hash(generator) == hash(plain)
    assert same_maze(generator.make(level), plain.make(3))
    assert MazeGenerator(7).shape == (7, 7)


def test_defaults_are_as_documented() -> None:
    for algorithm, more in (
        ("obstacles", {"density": 0.3}),
        ("prim", {"loops": 0}),
        ("rooms", {"loops": 0.0, "room_size": 7}),
    ):
        plain, explicit = MazeGenerator(15, algorithm), MazeGenerator(15, algorithm, **more)
        assert same_maze(plain.make(1), explicit.make(1))


SIZE = r"; expected a whole number of at least 3, or two of them \(rows, cols\)$"


@pytest.mark.parametrize(
    ("given_size", "error", "message"),
    [
        (2, ValueError, "size=2" + SIZE),
        (-15, ValueError, "size=-15" + SIZE),
        ((5, 2), ValueError, r"size=\(5, 2\)" + SIZE),
        ((5, 5, 5), ValueError, r"size=\(5, 5, 5\)" + SIZE),
        ((), ValueError, r"size=\(\)" + SIZE),
        (15.5, TypeError, "size=15.5" + SIZE),
        (True, TypeError, "size=True" + SIZE),
        ((5, 5.0), TypeError, r"size=\(5, 5.0\)" + SIZE),
        ("15", TypeError, "size='15'" + SIZE),
        (None, TypeError, "size=None" + SIZE),
        (10**9, ValueError, f"1,000,000,000,000,000,000 cells; expected at most {MAX_CELLS:,}$"),
        ((3, MAX_CELLS), ValueError, f"12,000,000 cells; expected at most {MAX_CELLS:,}$"),
    ],
)
def test_size_is_checked(given_size: Any, error: type[Exception], message: str) -> None:
    for algorithm in ALGORITHMS:
        with pytest.raises(error, match=message):
            MazeGenerator(given_size, algorithm)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algorithm": "prime"}, "algorithm='prime'; expected one of .*; did you mean 'prim'?"),
        ({"algorithm": None}, "algorithm=None; expected one of "),
        ({"endpoints": "corner"}, "endpoints='corner'; .*; did you mean 'corners'?"),
        (
            {"algorithm": "obstacles", "density": 1},
            r"density=1; expected a number in \[0, 1\), without 1",
        ),
        ({"algorithm": "obstacles", "density": -0.1}, "density=-0.1; expected a number in"),
        ({"algorithm": "obstacles", "density": float("nan")}, "density=nan; expected a number in"),
        ({"loops": 1.01}, r"loops=1.01; expected a number in \[0, 1\]"),
        ({"loops": -0.5}, r"loops=-0.5; expected a number in \[0, 1\]"),
        ({"algorithm": "rooms", "room_size": 5}, "room_size=5; expected a whole number of at"),
        ({"algorithm": "rooms", "room_size": 6.5}, "room_size=6.5; expected a whole number of"),
        (
            {"algorithm": "prim", "density": 0.2},
            "density=0.2 with algorithm 'prim'; expected no density, which only obstacles can use",
        ),
        ({"algorithm": "obstacles", "loops": 0.0}, "loops=0.0 with algorithm 'obstacles'; "),
        ({"algorithm": "empty", "density": 0.0}, "density=0.0 with algorithm 'empty'; "),
        ({"algorithm": "wilson", "room_size": 7}, "room_size=7 with algorithm 'wilson'; "),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MazeGenerator(15, **arguments)


@pytest.mark.parametrize("name", ["density", "loops", "room_size"])
def test_arguments_reject_non_numbers(name: str) -> None:
    algorithm = "obstacles" if name == "density" else "rooms"
    for value in ("1", True, [1]):
        arguments: dict[str, Any] = {name: value}
        with pytest.raises(TypeError, match=f"{name}="):
            MazeGenerator(15, algorithm, **arguments)


@pytest.mark.parametrize(
    ("level", "error"), [(-1, ValueError), (1.0, TypeError), ("1", TypeError), (None, TypeError)]
)
def test_level_rejects_non_integers(level: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"level={level!r}; expected a whole number of at least 0"):
        MazeGenerator().make(level)
    with pytest.raises(TypeError, match="level=True"):
        MazeGenerator().make(True)


def test_large_maze_is_generated() -> None:
    for algorithm in ALGORITHMS:
        maze = MazeGenerator(501, algorithm, endpoints="corners").make(0)
        assert maze.walls.shape == (501, 501)


# -- training and test mazes ---------------------------------------------------------------------


def test_split_divides_small_mazes() -> None:
    refused = set()
    for algorithm in ALGORITHMS:
        for size in ((3, 3), (3, 4), (4, 3), (5, 5), (5, 7), (7, 4), (9, 7)):
            try:
                train, test = (MazeGenerator(size, algorithm, split=half) for half in SPLITS)
            except ValueError:
                refused.add((algorithm, size))
                continue
            held_out = {test.make(level).walls.tobytes() for level in range(12)}
            trained = {train.make(level).walls.tobytes() for level in range(12)}
            assert not trained & held_out
    constant = {size for algorithm, size in refused if algorithm == "rooms"}
    assert constant == {(3, 3), (3, 4), (4, 3), (5, 5)}  # each is one room
    assert {algorithm for algorithm, _ in refused} == {"rooms", "empty"}


def test_split_keeps_own_mazes() -> None:
    plain, train = MazeGenerator(7, "prim"), MazeGenerator(7, "prim", split="train")
    test = MazeGenerator(7, "prim", split="test")
    kept = 0
    for level in (*range(30), 2**52 + 2**31):
        mazes = [generator.make(level) for generator in (plain, train, test)]
        equal = [np.array_equal(mazes[0].walls, maze.walls) for maze in mazes[1:]]
        assert sum(equal) == 1
        assert mazes[0][1:] == mazes[1 + equal.index(True)][1:]
        kept += equal[0]
    assert 5 < kept < 26
    assert walls_digest(np.eye(3, dtype=np.bool_)) == 11788033956709185310  # on every machine


@pytest.mark.parametrize("split", ["Train", "", 1, True])
def test_split_is_checked(split: Any) -> None:
    with pytest.raises(ValueError, match=r"split=.*; expected one of \['train', 'test'\] or None"):
        MazeGenerator(5, split=split)
    # All walls are gone in each maze: the search ends early.
    draws = rf"{MAX_EQUAL_DRAWS + 1} draws gave 1 different walls and no train maze"
    with pytest.raises(ValueError, match=rf"split='train' with algorithm='wilson'.*: {draws};"):
        MazeGenerator(9, "wilson", loops=1, split="train")


def test_describe_fills_in_defaults() -> None:
    given = {"size": (5, 7), "algorithm": "rooms", "endpoints": "corners", "split": None}
    unused = {"density": None}
    assert MazeGenerator(**given).describe() == {**given, **unused, "loops": 0.0, "room_size": 7}
    assert MazeGenerator(5, "obstacles").describe()["density"] == 0.3
