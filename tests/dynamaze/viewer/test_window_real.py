"""`watch` and `play` in real windows: a virtual X server with scripted mouse and keys.

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

from dynamaze.viewer.layout import STRIP_HEIGHT

TOOLS = ("Xvfb", "openbox", "xdotool", "import")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
TIMEOUT = 60  # seconds: the first steps compile

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

Pixels = npt.NDArray[np.uint8]
CELL = 64


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """Start an X server with a window manager; yield its DISPLAY."""
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
def open_command(display: str, tmp_path: Path) -> Iterator[Callable[..., WindowedCommand]]:
    """Return a function that runs a command in a window, which is killed after the test."""
    opened: list[WindowedCommand] = []

    def run(*arguments: str) -> WindowedCommand:
        opened.append(WindowedCommand(display, tmp_path, *arguments))
        opened[-1].wait_for_window()
        return opened[-1]

    yield run
    for each in opened:
        each.kill()


class WindowedCommand:
    """Command in a window, with scripted mouse and keys, and screenshots."""

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
        self.until(lambda: self.screenshot().std() > 1)  # the first frame is there

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
        """Click the close button of openbox, at the right end of the title bar."""
        x, y = self._left + self.width - 11, self._top - 10
        self.xdotool("mousemove", str(x), str(y), "click", "1")

    def screenshot(self) -> Pixels:
        """Return a screenshot of the window's content, (height, width, 3)."""
        path = self._folder / "screen.png"
        box = f"{self.width}x{self.height}+{self._left}+{self._top}"
        shot = ["import", "-window", "root", "-crop", box, "+repage", str(path)]
        subprocess.run(shot, env=self._env, check=True)
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    def cell(self, row: int, col: int) -> Pixels:
        return self.screenshot()[CELL * row : CELL * (row + 1), CELL * col : CELL * (col + 1)]

    def strip(self) -> Pixels:
        return self.screenshot()[self.height - STRIP_HEIGHT :]

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + TIMEOUT
        while not condition():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                pytest.fail(f"timeout; {self._process.communicate()}")
            time.sleep(0.05)

    def until_changed(self, see: Callable[[], Pixels], before: Pixels) -> None:
        self.until(lambda: not np.array_equal(see(), before))

    def end(self) -> list[str]:
        """Wait for the end, check that it is successful, and return the printed lines."""
        shown, errors = self._process.communicate(timeout=TIMEOUT)
        assert (self._process.returncode, errors) == (0, "")
        return shown.splitlines()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _geometry(self) -> tuple[int, int, int, int]:
        """Return left, top, width and height of the window's content on the screen."""
        size = self._values("getactivewindow", "getwindowgeometry", "--shell")
        # xdotool's own geometry counts the window's frame twice: ask for the mouse's position.
        self.xdotool("getactivewindow", "mousemove", "--window", "%1", "0", "0")
        place = self._values("getmouselocation", "--shell")
        return place["X"], place["Y"], size["WIDTH"], size["HEIGHT"]

    def _values(self, *arguments: str) -> dict[str, int]:
        lines = self.xdotool(*arguments).splitlines()
        return {name: int(number) for name, _, number in (line.partition("=") for line in lines)}


def test_watch_in_x11_window(open_command: Callable[..., WindowedCommand], tmp_path: Path) -> None:
    user = open_command("watch", "--seed", "1", "--fps", "8")
    assert (user.width, user.height) == (9 * CELL, 6 * CELL + STRIP_HEIGHT)
    user.keys("space")
    user.until(lambda: "(paused)" in user.title())
    # Cells at the sides: "compiling" may stand in the middle.
    free, wall, strip = user.cell(0, 2), user.cell(3, 8), user.strip()

    user.keys("n")
    user.until_changed(user.strip, strip)  # a single step counts

    user.click(0, 2)
    user.until_changed(lambda: user.cell(0, 2), free)
    assert user.cell(0, 2).mean() == pytest.approx(wall.mean(), abs=25)
    user.click(3, 8)
    user.until_changed(lambda: user.cell(3, 8), wall)

    before = user.cell(5, 3)  # of the start: there are values only where the agent was
    user.keys("1")
    user.until_changed(lambda: user.cell(5, 3), before)

    user.keys("p")
    user.until(lambda: list(tmp_path.glob("dynamaze-*.png")))
    (saved,) = tmp_path.glob("dynamaze-*.png")
    with Image.open(saved) as image:
        picture = np.asarray(image.convert("RGB"))
    # The saved picture equals the screen except for the strip, which now shows the file's name.
    np.testing.assert_array_equal(picture[: 6 * CELL], user.screenshot()[: 6 * CELL])

    user.keys("alt+F4")
    shown = user.end()
    assert shown[-2].startswith("DynaQPlus in DynaMazeShortcut-v0: ")
    assert shown[-1] == f"saved {saved.name}"


def test_play_in_x11_window(open_command: Callable[..., WindowedCommand]) -> None:
    user = open_command("play", "DynaMaze-v0")
    start, below, free = user.cell(2, 0), user.cell(3, 0), user.cell(5, 8)
    user.keys("Down")
    user.until_changed(lambda: user.cell(3, 0), below)
    assert not np.array_equal(user.cell(2, 0), start)

    user.click(5, 8)
    user.until_changed(lambda: user.cell(5, 8), free)

    before = user.screenshot()[: 6 * CELL]
    user.keys("t")
    user.until_changed(lambda: user.screenshot()[: 6 * CELL], before)

    user.click_close_button()
    assert user.end()[-1] == "DynaMaze-v0: 1 step, 0 times at the goal"
