"""`dynamaze env-pages`: a page and an animation of each environment, from its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from ..common.atomic_files import write_atomically
from ..common.options import OutputFolder
from ..common.registration import ENVIRONMENTS
from ..envs.base import MazeEnv
from ..envs.grid import GridEnv
from ..envs.mazes.layout import DISPLACEMENTS
from ..envs.mazes.optimal_values import optimal_policy
from ..envs.rendering.recorder import Animation

FPS = 8
FRAMES = 32
"""Number of frames of an animation, at least."""

STEPS_BEFORE_CHANGE = 8
"""World steps shown before the first change of a maze that changes."""

ANIMATED: dict[str, tuple[dict[str, Any], str]] = {
    "DynaMazeDrifting-v0": (
        {"random_changes": {"when": "each_step", "probability": 0.2}},
        "In the animation the maze changes 20 times as often as by default.",
    )
}
"""Id -> arguments for its animation, and a caption."""

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
    """Write the environments' pages, each with an animation."""

    output: OutputFolder = Path("docs/environments")
    """Folder of the pages."""


def main(config: Pages) -> None:
    """Write a page and an animation for each id, and print the paths of the pages.

    Raises:
        OSError: the folder cannot be written.
    """
    config.output.mkdir(parents=True, exist_ok=True)
    for env_id in ENVIRONMENTS:
        picture = config.output / f"{env_id}.gif"
        Animation(walk_frames(env_id), FPS).save(picture)
        write_atomically(config.output / f"{env_id}.md", page(env_id).encode())
        print((config.output / f"{env_id}.md").resolve())


def page(env_id: str) -> str:
    """Return the page of an environment: its spaces and its class's docstring, as Markdown."""
    env = gym.make(env_id)
    docstring = inspect.getdoc(type(env.unwrapped)) or ""
    return PAGE.format(
        env_id=env_id,
        actions=_short(env.action_space),
        observations=_short(env.observation_space),
        caption=f"\n{ANIMATED[env_id][1]}\n" if env_id in ANIMATED else "",
        body=as_markdown(docstring),
    )


def as_markdown(docstring: str) -> str:
    """Return a docstring with its arguments and errors as Markdown lists."""
    # A section is its heading and the indented or empty lines below it.
    text = re.sub(r"^(Args|Raises):\n((?: {4}.*\n?|\n(?= {4}))+)", _as_list, docstring, flags=re.M)
    return text.replace("\n\n\n", "\n\n").strip()


def walk_frames(env_id: str) -> Iterator[Any]:
    """Yield frames of a walk along shortest paths, through the first change if there is one."""
    arguments, _ = ANIMATED.get(env_id, ({}, ""))
    env = gym.make(env_id, render_mode="rgb_array", max_episode_steps=-1, **arguments)
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    changes = maze.schedule.steps[1:]
    start = max(changes[0] - STEPS_BEFORE_CHANGE, 0) if changes else 0
    env.reset(seed=0, options={"world_step": start})
    for _ in range(FRAMES):
        yield env.render()
        _, _, terminated, _, _ = env.step(optimal_action(maze))
        if terminated:
            yield env.render()
            env.reset()


def optimal_action(maze: MazeEnv) -> Any:
    """Return an optimal action in the present layout, mostly along a shortest path."""
    agent = maze.agent
    assert agent is not None
    # Optimal values of continuous mazes are unknown: those of the layout's cells serve.
    policy = maze.optimal_policy() if isinstance(maze, GridEnv) else optimal_policy(maze.layout)
    best = int(policy[maze.layout.index(agent)].argmax())
    if isinstance(maze.action_space, gym.spaces.Discrete):
        return best
    towards = np.array(agent) + DISPLACEMENTS[best] + 0.5 - np.array(maze.scene().position)
    # Towards the centre of the next cell, at full speed unless it is near.
    return np.clip(2 * towards, -1, 1).astype(np.float32)


def _short(space: gym.Space[Any]) -> str:
    return " ".join(str(space).split())


def _as_list(section: re.Match[str]) -> str:
    """Convert `name: text` entries with their continuation lines to list items."""
    items = re.findall(r"^ {4}(\S[^:]*): ((?:.*\n?)(?: {8}.*\n?)*)", section.group(2), flags=re.M)
    lines = [f"* `{name}`: {' '.join(text.split())}" for name, text in items]
    heading = "" if section.group(1) == "Args" else "Errors:\n\n"  # arguments have a heading
    return heading + "\n".join(lines) + "\n\n"
