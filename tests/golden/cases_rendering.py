"""Golden cases of pictures: frames, drawings, texts and films.

Of a drawing (SVG) only tags, numbers and colours are recorded, for classes and titles are words.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.envs.rendering import Animation, FramePainter

from .golden import MissingError, Record, exact, needs

IDS = {
    "static": "DynaMaze-v0",
    "blocking": "DynaMazeBlocking-v0",
    "shortcut": "DynaMazeShortcut-v0",
    "generated": "DynaMazeGenerated-v0",
    "drifting": "DynaMazeDrifting-v0",
    "point": "DynaMazeContinuous-v0",
    "corridor": "DynaMazeLoCA-v0",
    "corridor_point": "DynaMazeLoCAContinuous-v0",
}

SHORTLY_BEFORE = {"DynaMazeBlocking-v0": 970, "DynaMazeShortcut-v0": 2970}

# Compressed bytes depend on the libraries that compress: of others only the frames are compared.
PILLOW, ZLIB = "11.3.0", "1.2.13"


def overlays_of(shape: tuple[int, int]) -> dict[str, dict[str, Any]]:
    """Make arrays for each kind of overlay, each under a neutral word."""
    rows, cols = shape
    rng, states = np.random.default_rng(0), rows * cols
    gaps = rng.random(states)
    gaps[::7] = np.nan
    return {
        "heat": {"values": gaps},
        "range": {"values": gaps, "value_range": (-1.0, 2.0)},
        "triangles": {"q": rng.normal(size=(states, 4))},
        "arrows": {"policy": rng.dirichlet(np.ones(4), states)},
        "counts": {"visits": rng.integers(0, 500, states)},
        "walls": {"belief": rng.random((rows, cols))},
        "updates": {
            "planned": np.stack([rng.integers(states, size=9), rng.integers(4, size=9)], 1)
        },
        "nodes": {"tree": rng.integers(0, 99, states)},
        "plain": {"trail": False, "changed": False},
    }


def walked(name: str, mode: str, steps: int = 60) -> Any:
    """Make an environment in mid-episode, shortly after its first change if it has one."""
    env = gym.make(name, render_mode=mode)
    env.reset(seed=3)
    if name in SHORTLY_BEFORE:
        env.unwrapped.world_step = SHORTLY_BEFORE[name]
    rng = np.random.default_rng(4)
    for _ in range(steps):
        space: Any = env.action_space
        action = (
            int(rng.integers(space.n))
            if isinstance(space, gym.spaces.Discrete)
            else rng.uniform(-1, 1, 2).astype(np.float32)
        )
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return env


def neutral(drawing: str) -> list[Any]:
    """Return the tags, numbers and colours of an SVG document in their order, without words."""
    found: list[Any] = []
    for tag in re.findall(r"<(/?\w+)([^>]*)>", drawing):
        found.append(tag[0])
        attributes = re.sub(r"\b(?:class|id|href|xmlns|aria-\w+|role)=\"[^\"]*\"", "", tag[1])
        found += re.findall(r'\bd="[^"]*"|-?\d*\.?\d+|#[0-9a-fA-F]{3,6}\b', attributes)
    return found


def picture(name: str, mode: str) -> Record:
    """Record a picture of a moment, without overlays and with each of them, and with several."""
    env = walked(name, mode)
    parts = [env.render()]
    shape = (env.unwrapped.layout.rows, env.unwrapped.layout.cols)
    overlays = overlays_of(shape)
    for arrays in overlays.values():
        env.unwrapped.set_overlay(**arrays)
        parts.append(env.render())  # they add up
        env.unwrapped.set_overlay(**dict.fromkeys(set(arrays) - {"trail", "changed"}))
    for word in ("heat", "arrows", "walls", "updates"):
        env.unwrapped.set_overlay(**overlays[word])
    parts.append(env.render())
    env.close()
    return exact([neutral(part) for part in parts] if mode == "svg" else parts)


def sizes() -> Record:
    """Record frames of one moment with cells of several sizes."""
    env = walked("DynaMazeBlocking-v0", "rgb_array")
    env.unwrapped.set_overlay(**overlays_of((6, 9))["triangles"])
    scene = env.unwrapped.scene()
    return exact([FramePainter(6, 9, cell_size=size).paint(scene) for size in (1, 2, 5, 16, 64)])


# -- films -----------------------------------------------------------------------------------------


def film() -> Animation:
    """Make a short film."""
    env = gym.make("DynaMaze-v0", render_mode="rgb_array")
    env.reset(seed=0)
    painter, frames = FramePainter(6, 9, cell_size=12), []
    for action in (1, 1, 2, 2, 1, 0):
        maze: Any = env.unwrapped
        frames.append(painter.paint(maze.scene()))
        env.step(action)
    return Animation(frames, fps=7)


def film_bytes(suffix: str) -> Record:
    """Record the bytes of a film's file."""
    needs("PIL")
    import PIL

    if (PIL.__version__, zlib.ZLIB_RUNTIME_VERSION) != (PILLOW, ZLIB):
        raise MissingError(f"the bytes are those of Pillow {PILLOW} with zlib {ZLIB}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{suffix}"
        film().save(path)
        return exact(path.read_bytes())


def film_frames(suffix: str) -> Record:
    """Record the frames and times of a film's file, as they are read."""
    needs("PIL")
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{suffix}"
        film().save(path)
        with Image.open(path) as opened:
            found: list[Any] = []
            for index in range(opened.n_frames):
                opened.seek(index)
                found += [np.asarray(opened.convert("RGB")), float(opened.info["duration"])]
    return exact(found)


CASES: dict[str, Callable[[], Record]] = {
    **{f"frame.{key}": partial(picture, name, "rgb_array") for key, name in IDS.items()},
    **{f"drawing.{key}": partial(picture, name, "svg") for key, name in IDS.items()},
    **{f"text.{key}": partial(picture, name, "ansi") for key, name in IDS.items()},
    **{f"color.{key}": partial(picture, name, "ansi_color") for key, name in IDS.items()},
    "frame.sizes": sizes,
    "film.gif": partial(film_frames, ".gif"),
    "film.png": partial(film_frames, ".png"),
    "film.gif_bytes": partial(film_bytes, ".gif"),
    "film.png_bytes": partial(film_bytes, ".png"),
}
