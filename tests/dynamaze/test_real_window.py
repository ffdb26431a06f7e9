"""`watch` and `play` in real windows: an X server without a screen, and a mouse that is a script.

Needs Xvfb, openbox, xdotool and ImageMagick (Debian: xvfb openbox xdotool imagemagick).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

TOOLS = ("Xvfb", "openbox", "xdotool", "import")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
PATIENCE = 30  # seconds until something that never comes is given up

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

Pixels = npt.NDArray[np.uint8]
CELL = 64


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """Start an X server with a window manager; gives its DISPLAY."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as announced:
        name = f":{announced.readline().strip()}"
    manager = subprocess.Popen(
        ["openbox"], env={**os.environ, "DISPLAY": name}, stderr=subprocess.DEVNULL
    )
    yield name
    for process in (manager, server):
        process.terminate()
        process.wait()


@pytest.fixture
def desk(display: str, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Give a function that runs a command in a window; it is gone after the test in any case."""
    opened: list[Desk] = []

    def run(*arguments: str) -> Desk:
        opened.append(Desk(display, tmp_path, *arguments))
        opened[-1].wait_for_window()
        return opened[-1]

    yield run
    for each in opened:
        each.kill()


class Desk:
    """A command in a window, and a person with a mouse, a keyboard and eyes."""

    def __init__(self, display: str, folder: Path, *arguments: str) -> None:
        hidden = ("SDL_VIDEODRIVER", "WAYLAND_DISPLAY")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self._env = {**kept, "DISPLAY": display}
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dynamaze", *arguments],
            cwd=folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._left = self._top = self.width = self.height = 0

    def wait_for_window(self) -> None:
        self.until(lambda: "DynaMaze" in self.title())
        self._left, self._top, self.width, self.height = self._geometry()
        self.until(lambda: self.look().std() > 1)  # the first frame is there

    def xdotool(self, *arguments: str) -> str:
        run = subprocess.run(
            ["xdotool", *arguments], env=self._env, capture_output=True, text=True, check=False
        )
        return run.stdout.strip()

    def title(self) -> str:
        window = self.xdotool("getactivewindow")
        return self.xdotool("getwindowname", window) if window else ""

    def keys(self, *names: str) -> None:
        self.xdotool("key", *names)

    def click(self, row: int, col: int) -> None:
        x, y = self._left + CELL * col + CELL // 2, self._top + CELL * row + CELL // 2
        self.xdotool("mousemove", str(x), str(y), "click", "1")

    def click_close_button(self) -> None:
        """Click the cross that openbox paints at the right end of the title bar."""
        x, y = self._left + self.width - 11, self._top - 10
        self.xdotool("mousemove", str(x), str(y), "click", "1")

    def look(self) -> Pixels:
        """The window's inside as it is on the screen, (height, width, 3)."""
        path = self._folder / "screen.png"
        box = f"{self.width}x{self.height}+{self._left}+{self._top}"
        shot = ["import", "-window", "root", "-crop", box, "+repage", str(path)]
        subprocess.run(shot, env=self._env, check=True)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    def cell(self, row: int, col: int) -> Pixels:
        return self.look()[CELL * row : CELL * (row + 1), CELL * col : CELL * (col + 1)]

    def strip(self) -> Pixels:
        return self.look()[self.height - 74 :]

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                pytest.fail(f"it never came; {self._process.communicate()}")
            time.sleep(0.05)

    def until_changed(self, see: Callable[[], Pixels], before: Pixels) -> None:
        self.until(lambda: not np.array_equal(see(), before))

    def end(self) -> list[str]:
        """Wait for the end, which must be a good one; gives the lines that were printed."""
        shown, errors = self._process.communicate(timeout=PATIENCE)
        assert (self._process.returncode, errors) == (0, "")
        return shown.splitlines()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _geometry(self) -> tuple[int, int, int, int]:
        """Where the window's inside is on the screen, and how large: left, top, width, height."""
        size = self._told("getactivewindow", "getwindowgeometry", "--shell")
        # xdotool counts the frame of the window twice where it tells the place by itself.
        self.xdotool("getactivewindow", "mousemove", "--window", "%1", "0", "0")
        place = self._told("getmouselocation", "--shell")
        return place["X"], place["Y"], size["WIDTH"], size["HEIGHT"]

    def _told(self, *arguments: str) -> dict[str, int]:
        lines = self.xdotool(*arguments).splitlines()
        return {name: int(number) for name, _, number in (line.partition("=") for line in lines)}


def test_watching_in_a_real_window(desk: Callable[..., Desk], tmp_path: Path) -> None:
    person = desk("watch", "--seed", "1", "--fps", "8")
    assert (person.width, person.height) == (9 * CELL, 6 * CELL + 74)
    person.keys("space")
    person.until(lambda: "(paused)" in person.title())
    free, wall, strip = person.cell(0, 2), person.cell(3, 4), person.strip()

    person.keys("n")
    person.until_changed(person.strip, strip)  # a single step counts

    person.click(0, 2)
    person.until_changed(lambda: person.cell(0, 2), free)
    assert person.cell(0, 2).mean() == pytest.approx(wall.mean(), abs=25)
    person.click(3, 4)
    person.until_changed(lambda: person.cell(3, 4), wall)

    before = person.cell(1, 1)
    person.keys("1")
    person.until_changed(lambda: person.cell(1, 1), before)

    person.keys("p")
    person.until(lambda: list(tmp_path.glob("dynamaze-*.png")))
    (saved,) = tmp_path.glob("dynamaze-*.png")
    with Image.open(saved) as image:
        picture = np.asarray(image.convert("RGB"))
    # What is saved is what is on the screen, up to the strip, which now tells the file's name.
    np.testing.assert_array_equal(picture[: 6 * CELL], person.look()[: 6 * CELL])

    person.keys("alt+F4")
    shown = person.end()
    assert shown[-2].startswith("DynaQPlus in DynaMazeShortcut-v0: ")
    assert shown[-1] == f"saved {saved.name}"


def test_playing_in_a_real_window(desk: Callable[..., Desk]) -> None:
    person = desk("play", "DynaMaze-v0")
    start, below, free = person.cell(2, 0), person.cell(3, 0), person.cell(5, 8)
    person.keys("Down")
    person.until_changed(lambda: person.cell(3, 0), below)
    assert not np.array_equal(person.cell(2, 0), start)

    person.click(5, 8)
    person.until_changed(lambda: person.cell(5, 8), free)

    before = person.look()[: 6 * CELL]
    person.keys("t")
    person.until_changed(lambda: person.look()[: 6 * CELL], before)

    person.click_close_button()
    assert person.end()[-1] == "DynaMaze-v0: 1 step, 0 times at the goal"
