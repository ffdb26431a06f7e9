"""Scenes of layouts: the data that the renderers draw."""

from __future__ import annotations

from ..rendering.scene import Scene
from .layout import Layout


def layout_scene(layout: Layout) -> Scene:
    """Return the scene of an empty maze."""
    return Scene(layout.walls, layout.starts, layout.goals, agent=None)
