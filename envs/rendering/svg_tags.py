"""The few words of SVG that pictures of mazes need. One unit is the side of a cell."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from .palette import Color

PREFIX = "dynamaze-"  # of all ids: several pictures may stand on one page


def number(value: float) -> str:
    """Write a number as briefly as a thousandth of a cell allows."""
    return f"{round(float(value), 3):g}"


def hex_color(color: Color) -> str:
    """Write a color as #rrggbb."""
    return "#" + bytes(color).hex()


def tag(name: str, content: str = "", /, **attributes: object) -> str:
    """Write an element.

    Args:
        name: of the element.
        content: what stands in it, itself written by this module.
        **attributes: an underscore in a name stands for a hyphen, one at its end for nothing; a
            float is written briefly, a color as #rrggbb.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_text(value))}"
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def use(symbol: str, x: float, y: float, **attributes: object) -> str:
    """Draw a symbol with its cell's top left corner at a point."""
    return tag("use", href=f"#{PREFIX}{symbol}", x=float(x), y=float(y), **attributes)


def group(name: str, elements: Iterable[str], **attributes: object) -> str:
    """Put elements into a group of a class; nothing where there are none."""
    content = "".join(elements)
    return tag("g", content, class_=name, **attributes) if content else ""


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return hex_color(value)
    return number(value) if isinstance(value, float) else str(value)
