"""Rendering of an environment, the same for every kind of maze.

The modules of `rendering` are imported where something is drawn: an environment that is only
stepped never loads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from gymnasium import logger

from .change_info import differing_cells
from .changing_maze import ChangingMaze
from .options import check_render_mode


class RenderModes(list[str]):
    """Names of render modes; what is no text counts as one of them.

    `gym.make` takes any value that is not in the list for text and fails with an AttributeError;
    so it leaves the value to the constructor, which has an error of its own for it.
    """

    def __contains__(self, mode: object) -> bool:
        return not isinstance(mode, str) or super().__contains__(mode)


METADATA: dict[str, Any] = {
    "render_modes": RenderModes(["human", "rgb_array", "ansi", "ansi_color", "svg"]),
    "render_fps": 30,
}

TEXT_MODES = ("ansi", "ansi_color", "svg")

HIGHLIGHT_STEPS = 100
"""Changed cells are highlighted for this many world steps."""


class EnvRenderer:
    """Draws scenes in the form that the render mode selects.

    Attributes:
        render_mode: one of `METADATA["render_modes"]`, or None.
        window: the window of mode "human"; None while it is closed.
    """

    def __init__(self, render_mode: str | None, known: list[str]) -> None:
        self.render_mode = check_render_mode(render_mode, known)
        self.window: Any = None
        self._painter: Any = None

    def render(self, scene: Any, metadata: Mapping[str, Any], name: str = "DynaMaze") -> Any:
        """Draw a `dynamaze.envs.rendering.Scene`.

        Args:
            scene: the scene.
            metadata: of the environment.
            name: of the environment; the title of a window is this and a number.

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
        if self.render_mode in TEXT_MODES:
            return _to_text(self.render_mode, scene)
        from .rendering.frame import FramePainter

        if self.render_mode == "rgb_array":
            if self._painter is None:
                self._painter = FramePainter(*scene.walls.shape)
            return self._painter.paint(scene)
        from .rendering.window import RenderWindow, cell_size_on_screen, numbered_title

        if self.window is None:
            self.window = RenderWindow(numbered_title(name), fps=metadata["render_fps"])
        if self.window.closed_by_user:
            return None
        rows, cols = scene.walls.shape
        size = cell_size_on_screen(rows, cols, self.window.resized_to)
        if self._painter is None or self._painter.cell_size != size:
            self._painter = FramePainter(rows, cols, cell_size=size)
        self.window.show(self._painter.paint(scene))
        return None

    def close(self) -> None:
        """Close the window if it is open; a later `render` opens it again."""
        if self.window is not None:
            self.window.close()
            self.window = None

    def __getstate__(self) -> dict[str, Any]:
        # A window belongs to one environment; a copy opens its own.
        return {**self.__dict__, "window": None}


def _to_text(mode: str, scene: Any) -> str:
    from .rendering.svg import scene_to_svg
    from .rendering.text import scene_to_color_text, scene_to_text

    if mode == "svg":
        return scene_to_svg(scene)
    return scene_to_color_text(scene) if mode == "ansi_color" else scene_to_text(scene)


def maze_scene(maze: ChangingMaze, world_step: int) -> Any:
    """Return the `Scene` of a changing maze without its agent: the maze and its last change."""
    scene = _scene_module().layout_scene(maze.layout)
    age = world_step - maze.changed_at
    if maze.before_change is None or age >= HIGHLIGHT_STEPS:
        return scene
    # The highlight fades by tenths: a painter reuses what is equal from frame to frame.
    return scene._replace(
        changed=differing_cells(maze.before_change, maze.layout),
        changed_strength=1.0 - (10 * age // HIGHLIGHT_STEPS) / 10,
    )


@cache
def _scene_module() -> Any:
    # An import statement would take a microsecond in each frame.
    from .rendering import scene

    return scene
