"""Make the films of the README: two agents side by side in one maze, with their regret below.

`python docs/film.py` writes docs/learning.gif and docs/learner.gif in some twenty seconds, and
`python docs/film.py learner` one of them. Nothing is typed in: the captions are the events of the
runs, and the regret is the environment's exact one. `FILMS` selects the world steps that are shown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

from dynamaze.agents import DynaQ, DynaQPlus
from dynamaze.common.validation import checked_choice
from dynamaze.distill import load_policy
from dynamaze.envs.rendering import Animation
from dynamaze.envs.rendering.scene import Frame
from dynamaze.viewer.comparison import Comparison
from dynamaze.viewer.environment import make_env, with_drawn_changes
from dynamaze.viewer.policies import MapPolicyAgent
from dynamaze.viewer.runs import Watchable, WatchedRun

FOLDER = Path(__file__).parent
GAMMA = 0.95
CELL = 28  # pixels
LAST_FRAMES = 20  # repetitions of the last frame, so that its numbers can be read
LEARNER = "builtin:map_value_iteration"
TRAIL = ("trail", "changed")


class Film(NamedTuple):
    """Film of several agents."""

    env: Callable[[], gym.Env[Any, Any]]  # makes the same environment for each agent
    size: tuple[int, int]  # rows and columns of the maze
    agents: Mapping[str, Callable[[gym.Env[Any, Any]], Watchable]]
    shown: tuple[range, ...]  # world steps
    overlays: tuple[str, ...]
    legend: str
    top: float  # largest regret of the chart
    dark: bool = False
    fps: float = 10


def dyna(agent_class: type[Any], seed: int, **arguments: Any) -> Callable[..., Watchable]:
    """Return the factory of an agent with learning rate 1, which suits deterministic mazes."""
    return partial(agent_class, learning_rate=1.0, gamma=GAMMA, seed=seed, **arguments)


def learner(env: gym.Env[Any, Any]) -> Watchable:
    """Return the student that adapts with frozen weights."""
    return MapPolicyAgent(env, load_policy(LEARNER), "learner", seed=0)


def adaptation() -> gym.Env[Any, Any]:
    """Return a held-out maze that changes once.

    It is the fifth one: the first in which both agents find the shortest path before the change.
    """
    env = make_env("DynaMazeAdaptation-v0", first_level=1_000_004, levels=1, observation="index")
    return with_drawn_changes(env, seed=0, steps=400)


FILMS = {
    "learning": Film(
        partial(make_env, "DynaMazeShortcut-v0"),
        (6, 9),
        {
            "Dyna-Q": dyna(DynaQ, 1, planning_steps=50),
            "Dyna-Q+": dyna(DynaQPlus, 1, planning_steps=50, kappa=1e-3),
        },
        (
            range(1, 350, 24),
            range(400, 2900, 800),
            range(2990, 3060, 10),
            range(3060, 3420, 24),
            range(3600, 6001, 800),
        ),
        ("values", "policy", *TRAIL),
        "colors: state values, from low (violet) to high (yellow);  arrows: policy",
        80,
        fps=5,
    ),
    "learner": Film(
        adaptation,
        (9, 9),
        {
            "learner": learner,
            # The setting of `dynamaze bench run adaptation-in-context` that was tuned for it.
            "Dyna-Q+": dyna(DynaQPlus, 0, planning_steps=2000, epsilon=0.0, kappa=1e-3),
        },
        (
            range(1, 101, 2),
            range(101, 125),
            range(125, 190, 2),
            range(190, 286, 5),
            range(300, 401, 20),
        ),
        ("belief", *TRAIL),
        "dark: unknown to the agent;  pink: its map is wrong;  star: goal;  ring: start",
        8,
        dark=True,
    ),
}


def start(film: Film) -> Comparison:
    """Return the agents at the beginning of their runs."""
    rows, cols = film.size
    runs = [
        WatchedRun(
            name,
            film.env(),
            make_agent,
            gamma=GAMMA,
            max_size=(CELL * cols, CELL * rows),
            dark=film.dark,
        )
        for name, make_agent in film.agents.items()
    ]
    last = max(map(max, film.shown))
    return Comparison(*runs, legend=film.legend, span=last, top=film.top)


def frames(film: Film) -> Iterator[Frame]:
    """Yield the frames, (height, width, 3) uint8 each."""
    shown = set(chain(*film.shown))
    comparison, last = start(film), max(shown)
    for number, step in enumerate(islice(comparison.steps(), last), 1):
        comparison.add(step)
        if number in shown:
            frame = comparison.frame(film.overlays)
            yield from [frame] * (LAST_FRAMES if number == last else 1)


def main(names: list[str]) -> None:
    """Write the named films, or all."""
    for name in [checked_choice("film", name, FILMS) for name in names] or FILMS:
        path = FOLDER / f"{name}.gif"
        Animation(frames(FILMS[name]), fps=FILMS[name].fps).save(path)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
