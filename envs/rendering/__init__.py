"""Pictures of mazes: as frames, as text, and in a window."""

from .frame import FramePainter
from .scene import Scene
from .text import scene_to_text
from .window import Window, pressed_key, require_display

__all__ = ["FramePainter", "Scene", "Window", "pressed_key", "require_display", "scene_to_text"]
