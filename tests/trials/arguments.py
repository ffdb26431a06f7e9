"""Trial: random maps, and random arguments of every environment.

1. A random map is a schedule, or one `LayoutError`.
2. A random combination of arguments of any id, single or vector, makes an environment that can be
   reset and stepped, or one ValueError or TypeError that names an argument that is wrong.

The arguments are those of the constructors' signatures, so that none can be forgotten. A message is
one line of printable text. It shows the value, or a part of it where that is a mapping or list.

    python tests/trials/arguments.py --maps 100000 --combinations 20000
"""

from __future__ import annotations

import argparse
import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
import dynamaze.envs as package
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.validation import shown
from dynamaze.envs import Layout, LayoutError, RandomChanges, Schedule, read_schedule
from dynamaze.envs.options import EnvOptions, MazeOptions

LONGEST = 900
"""Characters of a message: a value takes at most 200 of them."""

ROWS = ["S.#G", "...."]

JUNK: list[Any] = [
    *(None, True, False, np.True_, ..., object, object()),
    *(-1, 0, 1, 3, 10**30, 10**5000, np.int64(-5), np.uint64(2**63)),
    *(float("nan"), float("inf"), float("-inf"), -0.5, 0.5, 1.0, 1e308, np.float32(2.5), 1j),
    *(
        np.array(0.3),
        np.array(7),
        np.array(True),
        np.array("x"),
        np.array([]),
        np.array([1.0, 2.0]),
    ),
    *(
        np.zeros((2, 2)),
        np.array(ROWS),
        np.datetime64("2026-11-30"),
        Fraction(1, 3),
        Decimal("0.5"),
    ),
    *("", "x", "dyna", "S.G", "\x1b[31m", "\ud800", "1", "nan", "@ 3", b"x", bytearray(b"S.G")),
    *([], [1], [[]], ["S.G"], [None, 2], (), (2, 3), (3, 5), {}, {"a": 1}, {1: 2}, {1, 2}),
    *(range(2), range(4, 6), lambda: 0, Path("none"), Path("\0"), Layout.from_text(ROWS)),
    *(Schedule((Layout.from_text(ROWS),)), RandomChanges(probability=0.5), {"kind": "rgb"}),
]
"""Values of any argument: a few are right for some of them."""

GOOD: dict[str, list[Any]] = {
    "layout": ["dyna", ROWS, np.array(ROWS), {"layout": ROWS, "step_reward": -1}, "S.G\n@ 3\nSG."],
    "changes": [None, {}, {3: {"slip_probability": 0.5}}, [("episode 2", {"start": (0, 0)})]],
    "random_changes": [None, {"when": "poisson", "rate": 0.5, "what": ["slip"]}],
    "observation": [{"kind": "rgb", "cell_size": 2}, "goal", "rays"],
    "size": [4, (3, 5), np.array([5, 3])],
    "algorithm": ["prim", "rooms", "obstacles", "empty"],
    "density": [None, 0.2],
    "loops": [None, 0.5, 1],
    "room_size": [None, 6],
    "endpoints": ["random", "farthest", "corners"],
    "split": [None, "train", "test"],
    "levels": [None, 3],
    "first_level": [0, 2**40],
    "run_steps": [20, 400],
    "change_steps": [None, (3, 9)],
    "change_kinds": ["walls", ["goal", "slip"]],
    "action": ["continuous", "discrete"],
    "step_size": [0.5, 1],
    "inertia": [0, 0.9],
    "noise": [0, 0.1],
    "task": ["A", "B"],
    "starts": ["all", "T1"],
    "change_info": ["none", "change", "cells"],
    "change_info_in": ["info", "observation"],
    "render_mode": [None, "rgb_array", "ansi", "svg"],
    "slip_probability": [0, 0.5, np.float32(1)],
    "goal_reward": [1, -2.5],
    "step_reward": [0, -1],
    "wall_reward": [None, -1],
    "num_envs": [1, 2],
    "max_episode_steps": [None, -1, 5],
    "autoreset_mode": ["NextStep", "SameStep"],
}
"""Right values of each argument, at least of some environments."""

NESTED: dict[str, list[Callable[[Any], Any]]] = {
    "layout": [
        lambda junk: {"layout": junk},
        lambda junk: {"layout": ROWS, "goal_reward": junk},
        lambda junk: {"size": junk},
        lambda junk: {"size": 5, "levels": junk},
        lambda junk: [*ROWS, junk],
        lambda junk: f"S.G\n@ {shown(junk)[:20]}\nS.G",
    ],
    "changes": [
        lambda junk: {3: junk},
        lambda junk: [(junk, ROWS)],
        lambda junk: [junk],
        lambda junk: {3: {"goal": junk}},
        lambda junk: {3: {"start": [(0, 0), junk]}},
        lambda junk: {3: {"slip_probability": junk}},
        lambda junk: {3: {"layout": junk}},
        lambda junk: {3: {"task": junk}},
    ],
    "random_changes": [
        lambda junk: {"probability": junk},
        lambda junk: {"when": junk},
        lambda junk: {"when": "poisson", "rate": junk},
        lambda junk: {"when": "periodic", "period": junk},
        lambda junk: {"when": "bursts", "probability": 0.5, "length": junk},
        lambda junk: {"when": "once", "earliest": junk, "latest": 9},
        lambda junk: {"when": "once", "earliest": 2, "latest": junk},
        lambda junk: {"probability": 0.1, "otherwise": junk},
        lambda junk: {"probability": 0.1, "what": junk},
        lambda junk: {"probability": 0.1, "what": [junk]},
        lambda junk: {"probability": 0.1, "cells": junk},
        lambda junk: {"probability": 1, "what": "rewards", "goal_reward_range": junk},
        lambda junk: {"probability": 1, "what": "slip", "slip_range": (0, junk)},
    ],
    "observation": [
        lambda junk: {"kind": junk},
        lambda junk: {"kind": "window", "radius": junk},
        lambda junk: {"kind": "rgb", "cell_size": junk},
        lambda junk: {"kind": "goal", "of": junk},
        lambda junk: {"kind": "action_mask", "of": {"kind": junk}},
    ],
    "size": [lambda junk: (5, junk), lambda junk: [junk, 5, 5]],
    "change_steps": [lambda junk: (junk, 9), lambda junk: (1, junk), lambda junk: [1, 2, junk]],
    "change_kinds": [lambda junk: [junk], lambda junk: ["goal", junk]],
}
"""Values with a part that may be wrong."""

CONTAINERS = (Mapping, Sequence, np.ndarray, Layout, Schedule, RandomChanges, Path)
"""Values of which a message may show a part."""

LETTERS = np.array(list("....##SG @\x1b\n\r\t5?\u2028"))


def arguments_of(env_id: str, vector: bool) -> list[str]:
    """Return the names of all arguments of an id."""
    env_class = getattr(package, f"{ENVIRONMENTS[env_id].name}Env")
    signature = inspect.signature(env_class.__init__).parameters
    names = [name for name in signature if name not in ("self", "options")]
    options = EnvOptions if "LoCA" in env_id else MazeOptions
    names += list(options.__annotations__) + list(EnvOptions.__annotations__)
    if vector:
        names += ["num_envs", "max_episode_steps", "autoreset_mode"]
    return list(dict.fromkeys(names))


def random_map(rng: np.random.Generator) -> Any:
    """Return a map that may be right: text, or a list of rows."""
    rows, cols = rng.integers(1, 7, size=2)
    clean = rng.random() < 0.7
    grid = rng.choice(LETTERS[:6] if clean else LETTERS, size=(rows, cols))
    for letter in "SG" if clean else "":
        grid[rng.integers(rows), rng.integers(cols)] = letter
    lines = ["".join(row) for row in grid]
    if rng.random() < 0.3:
        heading = rng.choice(["@ 3", "@ 5 slip_probability=0.5", "@episode 2", "@ x", "@ 3 a=1"])
        lines = [*lines, str(heading), *rng.permutation(lines).tolist()]
    if rng.random() < 0.1:
        lines.append("." * int(rng.integers(9)))
    return "\n".join(lines) if rng.random() < 0.5 else lines


def check_message(error: BaseException) -> str:
    """Return the message of an error after checking that it is one line of printable text."""
    message = str(error)
    assert message.isprintable(), repr(message)
    assert 0 < len(message) < LONGEST, message
    return message


def try_map(rng: np.random.Generator) -> str:
    """Read a random map; return the kind of the result."""
    layout = random_map(rng)
    try:
        schedule = read_schedule(layout)
    except LayoutError as error:
        message = check_message(error)
        assert any(word in message for word in ("layout", "row", "step", "shape")), message
        return "refused map"
    assert all(one.distances[start] > 0 for one in schedule.layouts for start in one.starts)
    assert Schedule.from_text(schedule.to_text()) == schedule
    return "map"


def choose(rng: np.random.Generator, choices: list[Any]) -> Any:
    """Return one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def try_combination(rng: np.random.Generator, compiled: bool = True) -> str:
    """Make an environment with random arguments; return the kind of the result.

    Args:
        rng: chooses.
        compiled: False for environments that no compiled code is loaded for.
    """
    env_id = choose(rng, [one for one in ENVIRONMENTS if compiled or "Continuous" not in one])
    vector = bool(compiled and rng.random() < 0.3)
    names = arguments_of(env_id, vector)
    arguments: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for name in rng.permutation(names)[: rng.integers(0, 4)].tolist():
        arguments[name] = choose(rng, GOOD[name])
    for name in rng.permutation(names)[: rng.integers(0, 3)].tolist():
        junk = choose(rng, JUNK)
        if name in NESTED and rng.random() < 0.6:
            junk = choose(rng, NESTED[name])(junk)
        arguments[name] = wrong[name] = junk
    return make_and_step(env_id, vector, arguments, wrong if len(arguments) == 1 else {}, rng)


def make_and_step(
    env_id: str, vector: bool, arguments: dict[str, Any], wrong: dict[str, Any], rng: Any
) -> str:
    """Make an environment, reset and step it; return the kind of the result.

    Args:
        env_id: the id.
        vector: True for its vector environment.
        arguments: its arguments.
        wrong: the argument whose value a message must show; empty for none.
        rng: chooses options of the reset.
    """
    name = f"{ENVIRONMENTS[env_id].name}{'VectorEnv' if vector else 'Env'}"
    given = {**ENVIRONMENTS[env_id].kwargs, **arguments}
    try:
        env = getattr(package, name)(**given)
    except (TypeError, ValueError) as error:
        check_refusal(check_message(error), arguments_of(env_id, vector), wrong)
        return "refused arguments"
    try_options(env, rng)
    env.reset(seed=int(rng.integers(100)))
    for _ in range(3):
        env.step(env.action_space.sample())
    env.close()
    return "environment"


def sweep(env_ids: list[str], vector: bool, junk: list[Any]) -> Counter[str]:
    """Try each value as each argument of each id; return how often each kind of result came."""
    results: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    for env_id in env_ids:
        for name in arguments_of(env_id, vector):
            for value in junk:
                given = {name: value}
                try:
                    results[make_and_step(env_id, vector, given, given, rng)] += 1
                except Exception as error:
                    error.add_note(f"{env_id}, vector={vector}: {name}={shown(value)}")
                    raise
    return results


def check_refusal(message: str, names: list[str], wrong: dict[str, Any]) -> None:
    """Check that a message names an argument, and shows its value where that is no container.

    Args:
        message: the message.
        names: all arguments; a default may be what is wrong with another argument.
        wrong: the only argument that was given; empty if there were several.
    """
    assert any(name in message for name in names), message
    for value in wrong.values():
        assert isinstance(value, CONTAINERS) or shown(value) in message, (message, wrong)


def try_options(env: Any, rng: np.random.Generator) -> None:
    """Reset an environment with wrong options, which must be refused and change nothing."""
    junk = choose(rng, JUNK)
    for options in (junk, {"world_step": junk}, {"level": junk}, {"reset_mask": junk}):
        try:
            env.reset(options=options)
        except (TypeError, ValueError) as error:
            check_message(error)


def run_trial(maps: int, combinations: int, seed: int, *, compiled: bool = True) -> Counter[str]:
    """Try random maps and combinations; return how often each kind of result came.

    Args:
        maps: their number.
        combinations: their number.
        seed: of all random numbers.
        compiled: see `try_combination`.

    Raises:
        AssertionError: for a message that is not as it must be; and whatever an environment raises
            that is neither a ValueError nor a TypeError.
    """
    assert set(GOOD) == {
        name for env_id in ENVIRONMENTS for name in arguments_of(env_id, vector=True)
    }
    results: Counter[str] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attempts: dict[Callable[..., str], tuple[int, dict[str, Any]]] = {
            try_map: (maps, {}),
            try_combination: (combinations, {"compiled": compiled}),
        }
        for attempt, (count, options) in attempts.items():
            for number in range(count):
                attempt_rng = np.random.default_rng((seed, number))
                try:
                    results[attempt(attempt_rng, **options)] += 1
                except Exception as error:
                    error.add_note(f"{attempt.__name__}(np.random.default_rng({(seed, number)}))")
                    raise
    return results


def main() -> None:
    """Run the trial with the numbers of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--maps", type=int, default=100_000)
    parser.add_argument("--combinations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    gym.logger.min_level = gym.logger.ERROR
    results = run_trial(options.maps, options.combinations, options.seed)
    results += sweep(list(ENVIRONMENTS), False, JUNK)
    results += sweep(list(ENVIRONMENTS), True, JUNK)
    for kind, number in results.items():
        print(f"{kind}: {number}")


if __name__ == "__main__":
    main()
