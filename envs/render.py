"""What an environment shows of itself: the common part of every maze's `render`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gymnasium import logger

from .changing_maze import World, differing_cells
from .mazes.layout import Layout
from .options import check_render_mode
from .rendering.frame import FramePainter
from .rendering.scene import Scene
from .rendering.svg import scene_to_svg
from .rendering.text import scene_to_color_text, scene_to_text
from .rendering.window import RenderWindow

METADATA: dict[str, Any] = {
    "render_modes": ["human", "rgb_array", "ansi", "ansi_color", "svg"],
    "render_fps": 30,
}

TEXTS: dict[str, Callable[[Scene], str]] = {
    "ansi": scene_to_text,
    "ansi_color": scene_to_color_text,
    "svg": scene_to_svg,
}

HIGHLIGHT_STEPS = 100
"""For so many world steps after a change the picture shows what changed."""


class Picture:
    """Draws scenes in the form that the render mode says.

    Attributes:
        render_mode: one of `METADATA["render_modes"]`, or None.
        window: the window of mode "human"; None while there is none.
    """

    def __init__(self, render_mode: str | None, known: list[str]) -> None:
        self.render_mode = check_render_mode(render_mode, known)
        self.window: RenderWindow | None = None
        self._painter: FramePainter | None = None

    def render(self, scene: Scene, metadata: Mapping[str, Any]) -> Any:
        """Draw a scene.

        Returns:
            "rgb_array": uint8 (height, width, 3). "ansi", "ansi_color", "svg": text. "human":
            None, the window is drawn.
        """
        if self.render_mode is None:
            logger.warn(
                "render() was called without a render mode; "
                'pass one to make, for example gym.make("DynaMaze-v0", render_mode="rgb_array")'
            )
            return None
        if self.render_mode in TEXTS:
            return TEXTS[self.render_mode](scene)
        if self._painter is None:
            self._painter = FramePainter(*scene.walls.shape)
        frame = self._painter.paint(scene)
        if self.render_mode == "rgb_array":
            return frame
        if self.window is None:
            self.window = RenderWindow("DynaMaze", fps=metadata["render_fps"])
        self.window.show(frame)
        return None

    def close(self) -> None:
        """Close the window, if there is one; a later `render` opens it again."""
        if self.window is not None:
            self.window.close()
            self.window = None

    def __getstate__(self) -> dict[str, Any]:
        # A window belongs to one environment; a copy opens its own.
        return {**self.__dict__, "window": None}


def scene_of(layout: Layout) -> Scene:
    """What a picture of an empty maze shows, as data."""
    return Scene(layout.walls, layout.starts, layout.goals, agent=None)


def world_scene(world: World, world_step: int) -> Scene:
    """What a picture of a world without its agent shows: the maze, and what just changed in it."""
    scene = scene_of(world.layout)
    age = world_step - world.changed_at
    if world.before_change is None or age >= HIGHLIGHT_STEPS:
        return scene
    # It fades by tenths: a painter keeps what stands still from frame to frame.
    return scene._replace(
        changed=differing_cells(world.before_change, world.layout),
        changed_strength=1.0 - (10 * age // HIGHLIGHT_STEPS) / 10,
    )
