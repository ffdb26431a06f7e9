"""Golden cases of the environments: every registered id, single and vector, and exact values.

Where a form of observation, a kind of change or a mode of autoreset occurs, it occurs by plan: each
at least once in a single environment and, where there is a native one, in a vector environment.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs import (
    PRESETS,
    ClairvoyantValues,
    Layout,
    MazeGenerator,
    StationaryValues,
    optimal_action_values,
    optimal_policy,
    optimal_values,
    read_schedule,
)

from .golden import Record, close, combine, exact, summary

Case = Callable[[], Record]

SEVERAL = "S..#\n.#.S\n...G\n@ 40\nS#..\n...S\n.#.G"
EVERYTHING = {
    "when": "bursts",
    "probability": 0.05,
    "length": 3,
    "what": ["walls", "start", "goal", "rewards", "slip"],
}
NEXT, SAME, OFF = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED

STATIC, BLOCKING, SHORTCUT = "DynaMaze-v0", "DynaMazeBlocking-v0", "DynaMazeShortcut-v0"
GENERATED, DRIFTING = "DynaMazeGenerated-v0", "DynaMazeDrifting-v0"
POINT, CORRIDOR = "DynaMazeContinuous-v0", "DynaMazeLoCA-v0"
CORRIDOR_POINT = "DynaMazeLoCAContinuous-v0"

FORMS: dict[str, Any] = {
    "number": "index",
    "cell": "coordinates",
    "unit": "one_hot",
    "planes": "planes",
    "near": {"kind": "window", "radius": 2},
    "rays": "rays",
    "picture": {"kind": "rgb", "cell_size": 4},
    "allowed": "action_mask",
    "aim": "goal",
    "aim_unit": {"kind": "goal", "of": "one_hot"},
}
POINT_FORMS: dict[str, Any] = {
    "place": "position",
    "motion": "position_velocity",
    "rays": "rays",
    "aim": "goal",
    "picture": {"kind": "rgb", "cell_size": 4},
}

# key -> id, steps, arguments; observations, rewards, flags and infos are bit-identical.
SINGLE: dict[str, tuple[str, int, dict[str, Any]]] = {
    "single.static": (STATIC, 3000, {}),
    "single.blocking": (BLOCKING, 3000, {"observation": "coordinates", "slip_probability": 0.1}),
    "single.shortcut": (SHORTCUT, 5000, {"wall_reward": -0.5, "step_reward": -0.01}),
    "single.starts": (
        STATIC,
        2000,
        {"layout": SEVERAL, "slip_probability": 0.2, "goal_reward": 3.5, "change_info": "cells"},
    ),
    "single.told_change": (
        STATIC,
        2000,
        {"layout": SEVERAL, "change_info": "change", "change_info_in": "observation"},
    ),
    "single.told_cells": (
        BLOCKING,
        2000,
        {"change_info": "cells", "change_info_in": "observation", "observation": "planes"},
    ),
    "single.by_episode": (
        STATIC,
        1000,
        {"layout": "S.G\n...", "changes": {"episode 1": "S#G\n.S.", "episode 4": {"goal": (1, 0)}}},
    ),
    "single.numbers": (
        STATIC,
        2000,
        {
            "changes": {
                30: {"slip_probability": 0.4},
                60: {"goal_reward": 5, "start": [[0, 0], [5, 5]]},
            }
        },
    ),
    "single.everything": (
        STATIC,
        2000,
        {"layout": SEVERAL, "slip_probability": 0.2, "random_changes": EVERYTHING},
    ),
    "single.generated": (GENERATED, 2000, {}),
    "single.levels": (
        GENERATED,
        2000,
        {"size": (3, 5), "levels": 3, "first_level": 7, "observation": "rays"},
    ),
    "single.generated_changing": (
        GENERATED,
        2000,
        {
            "size": 7,
            "algorithm": "obstacles",
            "density": 0.2,
            "endpoints": "corners",
            "random_changes": {"when": "poisson", "rate": 0.3, "what": ["walls", "goal"]},
        },
    ),
    "single.generated_rooms": (
        GENERATED,
        2000,
        {
            "size": 13,
            "algorithm": "rooms",
            "room_size": 7,
            "loops": 0.3,
            "endpoints": "farthest",
            "observation": "window",
        },
    ),
    "single.drifting": (DRIFTING, 4000, {"change_info": "cells"}),
    "single.drifting_periodic": (
        DRIFTING,
        2000,
        {"random_changes": {"when": "periodic", "period": 9, "cells": 2}, "observation": "planes"},
    ),
    "single.corridor": (CORRIDOR, 3000, {}),
    "single.corridor_phases": (
        CORRIDOR,
        3000,
        {
            "slip_probability": 0.0,
            "changes": {1000: {"task": "B", "starts": "T1"}, 2000: {"starts": "all"}},
            "observation": "coordinates",
        },
    ),
    "single.point_still": (POINT, 3000, {"layout": SEVERAL, "noise": 0.0, "action": "discrete"}),
    "single.point_slides": (
        POINT,
        3000,
        {"noise": 0.0, "inertia": 0.8, "step_size": 1.5, "observation": "position_velocity"},
    ),
    "single.point_mazes": (
        POINT,
        2000,
        {
            "layout": {"size": 5, "algorithm": "wilson", "levels": 9},
            "noise": 0.0,
            "slip_probability": 0.2,
            "observation": "rays",
            "wall_reward": -0.1,
        },
    ),
    "single.corridor_point_still": (CORRIDOR_POINT, 3000, {"noise": 0.0}),
    **{
        f"single.form_{form}": (
            STATIC,
            400,
            {"layout": SEVERAL, "slip_probability": 0.2, "observation": chosen},
        )
        for form, chosen in FORMS.items()
    },
    **{
        f"single.point_form_{form}": (
            POINT,
            400,
            {"layout": SEVERAL, "noise": 0.0, "inertia": 0.5, "observation": chosen},
        )
        for form, chosen in POINT_FORMS.items()
    },
}

# Noise is drawn by a logarithm, sine and cosine.
NOISY: dict[str, tuple[str, int, dict[str, Any]]] = {
    "noisy.point": (POINT, 1000, {}),
    "noisy.point_changing": (
        POINT,
        1000,
        {
            "layout": SEVERAL,
            "noise": 0.2,
            "inertia": 0.5,
            "observation": "position_velocity",
            "random_changes": {"probability": 0.1},
        },
    ),
    "noisy.corridor_point": (
        CORRIDOR_POINT,
        1000,
        {"action": "continuous", "changes": {300: {"task": "B", "starts": "T1"}}},
    ),
}

# key -> id, mode, arguments
VECTOR: dict[str, tuple[str, AutoresetMode, dict[str, Any]]] = {
    "vector.static_next": (STATIC, NEXT, {}),
    "vector.static_same": (STATIC, SAME, {"layout": SEVERAL, "slip_probability": 0.3}),
    "vector.static_off": (STATIC, OFF, {"layout": SEVERAL, "observation": "coordinates"}),
    "vector.blocking": (BLOCKING, SAME, {"changes": {90: "shortcut"}, "wall_reward": -1.0}),
    "vector.shortcut": (SHORTCUT, NEXT, {"change_info": "cells", "step_reward": -0.1}),
    "vector.told": (
        STATIC,
        SAME,
        {"layout": SEVERAL, "change_info": "cells", "change_info_in": "observation"},
    ),
    "vector.everything": (
        STATIC,
        NEXT,
        {"layout": SEVERAL, "slip_probability": 0.2, "random_changes": EVERYTHING},
    ),
    "vector.generated_next": (GENERATED, NEXT, {"size": 7}),
    "vector.generated_same": (GENERATED, SAME, {"size": 5, "algorithm": "prim", "levels": 4}),
    "vector.generated_off": (GENERATED, OFF, {"size": 5, "observation": "action_mask"}),
    "vector.drifting": (DRIFTING, SAME, {"random_changes": {"probability": 0.2, "cells": 2}}),
    "vector.point_next": (POINT, NEXT, {"layout": SEVERAL, "noise": 0.0, "action": "discrete"}),
    "vector.point_same": (POINT, SAME, {"layout": SEVERAL, "noise": 0.0, "inertia": 0.8}),
    "vector.point_off": (POINT, OFF, {"layout": {"size": 5}, "noise": 0.0, "step_size": 1.0}),
    **{
        f"vector.form_{form}": (
            STATIC,
            (NEXT, SAME, OFF)[number % 3],
            {"layout": SEVERAL, "slip_probability": 0.2, "observation": chosen},
        )
        for number, (form, chosen) in enumerate(FORMS.items())
    },
    **{
        f"vector.point_form_{form}": (
            POINT,
            (NEXT, SAME, OFF)[number % 3],
            {"layout": SEVERAL, "noise": 0.0, "inertia": 0.5, "observation": chosen},
        )
        for number, (form, chosen) in enumerate(POINT_FORMS.items())
    },
}

# key -> arguments of a recipe of mazes
MAZES: dict[str, dict[str, Any]] = {
    "deep": {"algorithm": "backtracking"},
    "bushy": {"algorithm": "prim"},
    "kruskal": {"algorithm": "kruskal", "loops": 0.2},
    "uniform": {"algorithm": "wilson", "endpoints": "farthest"},
    "walls": {"algorithm": "division", "loops": 0.1},
    "rooms": {"algorithm": "rooms", "room_size": 6},
    "blocks": {"algorithm": "obstacles", "density": 0.35},
    "open": {"algorithm": "empty", "endpoints": "corners"},
}


# -- steps -----------------------------------------------------------------------------------------


def actions_of(space: gym.Space[Any], shape: tuple[int, ...], seed: int) -> Any:
    """Seeded actions of a single environment; a point is pushed to and fro, the same way mostly."""
    rng = np.random.default_rng(seed)
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(space.n, size=shape)
    drift = np.repeat(rng.uniform(-1, 1, (1 + shape[0] // 20, *shape[1:], 2)), 20, axis=0)
    return (0.6 * drift[: shape[0]] + 0.6 * rng.uniform(-1, 1, (*shape, 2))).astype(np.float32)


def walk(name: str, steps: int, arguments: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Take steps in a single environment: what was observed, and the rest with the last draw."""
    env = gym.make(name, max_episode_steps=150, **arguments)
    observation, info = env.reset(seed=3)
    observations, rest = [observation], [info]
    for action in actions_of(env.action_space, (steps,), 1):
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        rest.append((reward, terminated, truncated, info))
        if terminated or truncated:
            observation, info = env.reset()
            observations.append(observation)
            rest.append(info)
    rest.append(env.unwrapped.np_random.random())
    env.close()
    return observations, rest


def single(name: str, steps: int, arguments: dict[str, Any]) -> Record:
    """Record a single environment, bit by bit."""
    return exact(*walk(name, steps, arguments))


def noisy(name: str, steps: int, arguments: dict[str, Any]) -> Record:
    """Record a single environment with noise: positions by numbers."""
    observations, rest = walk(name, steps, arguments)
    rewards = [each[0] for each in rest if isinstance(each, tuple)]
    ends = [each[1:3] for each in rest if isinstance(each, tuple)]
    seen = np.array(observations)
    return combine(
        rewards=close(summary(rewards)),
        ends=exact(np.array(ends)),
        first=close(summary(seen[:, 0], 15), rtol=1e-5, atol=1e-4),
        second=close(summary(seen[:, 1], 15), rtol=1e-5, atol=1e-4),
    )


def vector(name: str, mode: AutoresetMode, arguments: dict[str, Any], count: int = 5) -> Record:
    """Record the native vector environment, bit by bit."""
    steps = 300
    env = gym.make_vec(
        name,
        num_envs=count,
        vectorization_mode="vector_entry_point",
        max_episode_steps=60,
        autoreset_mode=mode,
        **arguments,
    )
    parts: list[Any] = [env.reset(seed=3)]
    for actions in actions_of(env.single_action_space, (steps, count), 1):
        result = env.step(actions)
        parts.append(result)
        done = result[2] | result[3]
        if mode == AutoresetMode.DISABLED and done.any():
            parts.append(env.reset(options={"reset_mask": done.copy()}))
    env.close()
    return exact(parts)


def vector_noise() -> Record:
    """Record positions in a native vector environment with noise."""
    env = gym.make_vec(POINT, num_envs=4, vectorization_mode="vector_entry_point")
    seen = [env.reset(seed=3)[0]]
    seen += [env.step(actions)[0] for actions in actions_of(env.single_action_space, (300, 4), 1)]
    env.close()
    return close(summary(np.array(seen), 15), rtol=1e-5, atol=1e-4)


def going_back() -> Record:
    """Record what follows a change by call, a chosen clock and a return to an earlier state."""
    env: Any = gym.make(BLOCKING, slip_probability=0.3)
    env.reset(seed=5)
    actions = np.random.default_rng(2).integers(4, size=200)
    state, runs = None, []
    for number in range(2):
        if state is not None:
            env.unwrapped.set_state(state)
        runs.append([env.step(int(action)) for action in actions[:100]])
        if number == 0:
            env.reset(options={"world_step": 990})
            state = env.unwrapped.get_state()
    env.unwrapped.change({"goal_reward": 2.0, "slip_probability": 0.0})
    env.unwrapped.change("shortcut")
    runs.append([env.step(int(action)) for action in actions[100:]])
    return exact(runs, env.unwrapped.world_step, env.unwrapped.phase)


# -- exact values ----------------------------------------------------------------------------------


def values_of(layout: Layout, gamma: float = 0.95) -> Record:
    """Record the optimal values, policy and paths of a maze."""
    env: Any = gym.make(STATIC, layout=layout).unwrapped
    env.reset(seed=0)
    return combine(
        maze=exact(layout.walls, layout.starts, layout.goals),
        states=close(summary(optimal_values(layout, gamma))),
        pairs=close(summary(optimal_action_values(layout, gamma))),
        policy=exact(optimal_policy(layout, gamma)),
        distances=exact(layout.distances),
        path=exact(env.shortest_path, env.shortest_path_length, env.diameter),
        regret=close(summary(env.regret(gamma))),
    )


def book(name: str, phase: int, slip: float) -> Record:
    """Record the exact values of a book's maze in one of its phases."""
    return values_of(read_schedule(name, None, slip_probability=slip).layouts[phase])


def coming(name: str) -> Record:
    """Record values and regret of who knows the coming changes, and of who does not."""
    schedule = read_schedule(name, None)
    times = [0, 500, 950, 999, 1000, 2990, 2999, 3000, 4000]
    knows, now = ClairvoyantValues(schedule), StationaryValues(schedule)
    return combine(
        foreseen=close(summary([knows.action_values(time) for time in times], 15)),
        foreseen_regret=close(summary([knows.regret(time) for time in times], 15)),
        now=close(summary([now.action_values(time) for time in times], 15)),
        now_regret=close(summary([now.regret(time) for time in times], 15)),
    )


def generated(arguments: dict[str, Any]) -> Record:
    """Record mazes of a recipe, and the exact values of the first."""
    recipe = MazeGenerator(13, **arguments)
    mazes = [recipe.make(level) for level in range(20)]
    odd = MazeGenerator((6, 9), **arguments).make(5)
    first = mazes[0]
    grid = np.where(first.walls, "#", ".")
    grid[first.start], grid[first.goal] = "S", "G"
    return combine(
        mazes=exact([list(each) for each in (*mazes, odd)]),
        values=values_of(Layout.from_text(["".join(row) for row in grid])),
    )


def corridor() -> Record:
    """Record the exact values of the corridor in both tasks."""
    env: Any = gym.make(CORRIDOR).unwrapped
    env.reset(seed=0)
    found = []
    for task in ("A", "B"):
        env.set_task(task, "all")
        found.append(env.optimal_values(0.97))
    return combine(
        first=close(summary(found[0], 15)),
        second=close(summary(found[1], 15)),
        dynamics=exact(env.mdp.next_state, env.mdp.terminated),
        numbers=close(summary([env.mdp.probability, env.mdp.reward], 15)),
    )


CASES: dict[str, Case] = {
    **{key: partial(single, *case) for key, case in SINGLE.items()},
    **{key: partial(noisy, *case) for key, case in NOISY.items()},
    **{key: partial(vector, *case) for key, case in VECTOR.items()},
    "noisy.vector": vector_noise,
    "single.going_back": going_back,
    "values.first": partial(book, "dyna", 0, 0.0),
    "values.blocking_before": partial(book, "blocking", 0, 0.0),
    "values.blocking_after": partial(book, "blocking", 1, 0.0),
    "values.shortcut_before": partial(book, "shortcut", 0, 0.0),
    "values.shortcut_after": partial(book, "shortcut", 1, 0.0),
    "values.slips": partial(book, "dyna", 0, 0.3),
    "values.several": partial(book, SEVERAL, 1, 0.1),
    "values.coming_wall": partial(coming, "blocking"),
    "values.coming_gap": partial(coming, "shortcut"),
    "values.corridor": corridor,
    **{f"mazes.{key}": partial(generated, arguments) for key, arguments in MAZES.items()},
    "mazes.presets": lambda: exact(list(PRESETS.values())),
}
