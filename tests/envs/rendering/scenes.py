"""Scenes of a small maze with overlays, for the tests of SVG documents and colored text."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.envs.rendering import Overlays, Scene

SHAPE = (3, 4)


def scene(**arrays: Any) -> Scene:
    """Return a scene of a maze with two walls, an agent, and overlays."""
    walls = np.zeros(SHAPE, dtype=np.bool_)
    walls[1, 1:3] = True
    overlays = Overlays().replace(SHAPE, **arrays)
    return Scene(walls, starts=((0, 0),), goals=((0, 3),), agent=(2, 2), overlays=overlays)


def everything() -> dict[str, Any]:
    """Return an array of each overlay that has one."""
    rng = np.random.default_rng(0)
    return {
        "values": rng.random(SHAPE),
        "q": rng.random((*SHAPE, 4)),
        "policy": np.full((*SHAPE, 4), 0.25),
        "visits": rng.integers(1, 100, SHAPE),
        "belief": rng.random(SHAPE),
        "planned": [[2, 1], [9, 0]],
        "tree": rng.integers(1, 100, SHAPE),
    }
