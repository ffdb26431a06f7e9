"""Rendering of mazes: frames, text, SVG, videos and windows.

Importing the package loads none of its modules: each is loaded with its first name.
"""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_exports

__all__ = [
    "OVERLAYS",
    "Animation",
    "FramePainter",
    "Overlays",
    "Recorder",
    "RenderWindow",
    "Scene",
    "pressed_key",
    "require_display",
    "scene_to_color_text",
    "scene_to_svg",
    "scene_to_text",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "OVERLAYS": ".overlays",
        "Animation": ".recorder",
        "FramePainter": ".frame",
        "Overlays": ".overlays",
        "Recorder": ".recorder",
        "RenderWindow": ".window",
        "Scene": ".scene",
        "pressed_key": ".window",
        "require_display": ".window",
        "scene_to_color_text": ".text",
        "scene_to_svg": ".svg",
        "scene_to_text": ".text",
    },
    renamed={"Window": "RenderWindow"},
)
