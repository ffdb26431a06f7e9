"""Pictures of mazes: as frames, as text, as SVG, as films, and in a window."""

from .animation import Animation
from .frame import FramePainter
from .overlays import OVERLAYS, Overlays
from .recorder import Recorder
from .scene import Scene
from .svg import scene_to_svg
from .text import scene_to_color_text, scene_to_text
from .window import Window, pressed_key, require_display

__all__ = [
    "OVERLAYS",
    "Animation",
    "FramePainter",
    "Overlays",
    "Recorder",
    "Scene",
    "Window",
    "pressed_key",
    "require_display",
    "scene_to_color_text",
    "scene_to_svg",
    "scene_to_text",
]
