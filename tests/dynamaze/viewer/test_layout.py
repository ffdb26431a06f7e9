"""Layout of a window: the picture, the strip and the help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.viewer import layout as module
from dynamaze.viewer.layout import (
    PLAIN,
    STRIP,
    STRIP_HEIGHT,
    Status,
    TextSurface,
    WindowLayout,
    paint_strip,
    text_width,
    truncated,
)
from dynamaze.viewer.session import HELP
from dynamaze.viewer.walk import HELP as WALK_HELP

FIELDS = [(name, "1,234,567") for name in ("episode", "world step", "return", "regret")]


@pytest.mark.parametrize("size", [(64, 192), (385, 577), (20, 20)])
def test_layout_centres_picture(size: tuple[int, int]) -> None:
    layout = WindowLayout((560, 320))
    picture = np.full((*size, 3), 200, dtype=np.uint8)
    frame = layout.compose(picture, Status(FIELDS))
    height, width = frame.shape[:2]
    assert (height % 2, width % 2) == (0, 0)
    assert width == max(560, size[1] + size[1] % 2)
    assert height == max(320, size[0] + size[0] % 2) + STRIP_HEIGHT
    x, y = layout.origin
    np.testing.assert_array_equal(frame[y : y + size[0], x : x + size[1]], picture)
    assert frame[height - 1, 0].tolist() == list(STRIP)


def test_strip_shows_status() -> None:
    plain = paint_strip(560, Status(FIELDS))
    assert not np.array_equal(plain, paint_strip(560, Status(FIELDS, "a note")))
    assert not np.array_equal(plain, paint_strip(560, Status(FIELDS, "", "H: keys")))
    recording = paint_strip(560, Status(FIELDS, recording=True))
    red = (recording == module.RECORDING).all(axis=2)
    assert red.sum() > 20
    assert not (plain == module.RECORDING).all(axis=2).any()


def test_truncated_long_line() -> None:
    text = "a long note " * 20
    shown = truncated(text, (PLAIN, 12), 200)
    assert shown.endswith("...")
    assert text_width(shown, (PLAIN, 12)) <= 200
    assert truncated("short", (PLAIN, 12), 200) == "short"


@pytest.mark.parametrize("lines", [HELP, WALK_HELP])
def test_help_fits_smallest_window(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, int, int]] = []
    write = TextSurface.write

    def record(self: TextSurface, text: str, at: tuple[int, int], font: Any, color: Any) -> int:
        end = write(self, text, at, font, color)
        written.append((text, end, at[1]))
        return end

    monkeypatch.setattr(TextSurface, "write", record)
    module.paint_help(np.zeros((320, 560, 3), dtype=np.uint8), lines)
    assert len(written) > len(lines)
    for text, end, y in written:
        assert not text.endswith("..."), text
        assert (end <= 560, y <= 300) == (True, True), text


def test_font_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module._load.cache_clear()
    assert text_width("regret", (PLAIN, 12)) > 20
    module._load.cache_clear()


def test_font_after_pygame_quit() -> None:
    import pygame

    before = paint_strip(560, Status(FIELDS))
    pygame.quit()
    np.testing.assert_array_equal(paint_strip(560, Status(FIELDS)), before)
