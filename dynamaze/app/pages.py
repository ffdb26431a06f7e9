"""`dynamaze pages`: a page and a picture for each environment, made from its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from ..common.registration import ENVIRONMENTS
from ..common.storage import write_atomically
from ..envs.base import MazeEnv
from ..envs.grid import GridEnv
from ..envs.mazes.layout import DISPLACEMENTS
from ..envs.mazes.optimal_values import optimal_policy
from ..envs.rendering import Animation

FPS = 8
FRAMES = 32
"""So many frames has the picture of a page."""

BEFORE_THE_CHANGE = 8
"""A maze that changes is shown from so many steps before its first change."""

SHOWN: dict[str, tuple[dict[str, Any], str]] = {
    "DynaMazeDrifting-v0": (
        {"random_changes": {"when": "each_step", "probability": 0.2}},
        "In the picture the maze changes 20 times as often as it does by itself.",
    )
}
"""Id -> arguments for its picture, and what is to be said of it."""

PAGE = """\
# {env_id}

![{env_id}]({env_id}.gif)
{caption}
| | |
| --- | --- |
| Action Space | `{actions}` |
| Observation Space | `{observations}` |
| import | `import dynamaze; gymnasium.make("{env_id}")` |
| many at once | `gymnasium.make_vec("{env_id}", num_envs=1024)` |

{body}
"""


@dataclass(frozen=True)
class Pages:
    """Write the environments' pages, with a picture each."""

    output: Path = Path("docs/environments")
    """The folder."""


def main(config: Pages) -> None:
    """Write a page and a picture for each id, and say where they are.

    Raises:
        OSError: if the folder cannot be written.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    for env_id in ENVIRONMENTS:
        picture = config.output / f"{env_id}.gif"
        Animation(frames(env_id), FPS).save(picture)
        write_atomically(config.output / f"{env_id}.md", page(env_id).encode())
        print((config.output / f"{env_id}.md").resolve())


def page(env_id: str) -> str:
    """The page of an environment: what `gymnasium.make` gives, and its class's docstring."""
    env = gym.make(env_id)
    docstring = inspect.getdoc(type(env.unwrapped)) or ""
    return PAGE.format(
        env_id=env_id,
        actions=_short(env.action_space),
        observations=_short(env.observation_space),
        caption=f"\n{SHOWN[env_id][1]}\n" if env_id in SHOWN else "",
        body=as_markdown(docstring),
    )


def as_markdown(docstring: str) -> str:
    """A docstring whose arguments and errors have become lists."""
    text = re.sub(r"^(Args|Raises):\n((?: {4}.*\n?|\n(?= {4}))+)", _as_list, docstring, flags=re.M)
    return text.replace("\n\n\n", "\n\n").strip()


def frames(env_id: str) -> Iterator[Any]:
    """Pictures of a walk along the shortest way, through the first change if there is one."""
    arguments, _ = SHOWN.get(env_id, ({}, ""))
    env = gym.make(env_id, render_mode="rgb_array", max_episode_steps=-1, **arguments)
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    changes = maze.schedule.steps[1:]
    start = max(changes[0] - BEFORE_THE_CHANGE, 0) if changes else 0
    env.reset(seed=0, options={"world_step": start})
    for _ in range(FRAMES):
        yield env.render()
        _, _, terminated, _, _ = env.step(guide(maze))
        if terminated:
            yield env.render()
            env.reset()


def guide(maze: MazeEnv) -> Any:
    """An optimal action, mostly along a shortest way to a goal, whatever the maze is now."""
    agent = maze.agent
    assert agent is not None
    # Of a point only its layout is known exactly.
    policy = maze.optimal_policy() if isinstance(maze, GridEnv) else optimal_policy(maze.layout)
    best = int(policy[maze.layout.index(agent)].argmax())
    if isinstance(maze.action_space, gym.spaces.Discrete):
        return best
    towards = np.array(agent) + DISPLACEMENTS[best] + 0.5 - np.array(maze.scene().position)
    return np.clip(2 * towards, -1, 1).astype(np.float32)


def _short(space: gym.Space[Any]) -> str:
    return " ".join(str(space).split())


def _as_list(section: re.Match[str]) -> str:
    """Turn `name: text` with its continued lines into the items of a list."""
    items = re.findall(r"^ {4}(\S[^:]*): ((?:.*\n?)(?: {8}.*\n?)*)", section.group(2), flags=re.M)
    lines = [f"* `{name}`: {' '.join(text.split())}" for name, text in items]
    heading = "" if section.group(1) == "Args" else "Errors:\n\n"  # arguments have their own
    return heading + "\n".join(lines) + "\n\n"
