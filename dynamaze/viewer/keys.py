"""The keys that all commands share, and what the help says of them."""

from __future__ import annotations

from dynamaze.envs.rendering import OVERLAYS

NUMBER_KEYS = {str(number): name for number, name in enumerate(OVERLAYS, 1)}
"""What each number lays over the maze."""

HELP_KEYS = ("h", "f1", "?")
PICTURE_KEYS = ("p", "f12")

SHARED_LINES = (("V", "film on or off"), ("P or F12", "save a picture"), ("H or F1", "this help"))
MOUSE_LINES = (
    ("", "mouse"),
    ("click, drag", "build or open walls"),
    ("right click", "move the goal"),
    ("shift+click", "move the start"),
)


def short(name: str) -> str:
    """What an overlay shows, in a few words."""
    return OVERLAYS[name].partition(":")[0]


OVERLAY_LINES = (
    ("", "overlays"),
    *((key, short(name)) for key, name in NUMBER_KEYS.items()),
    ("0", "none"),
)
