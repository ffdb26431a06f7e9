"""Session of watched agents: the viewer decides after each step when the next one is taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from rich.console import Console

from dynamaze.common.progress import track

from .recording import VIDEO_FPS
from .runs import Watched
from .window import MOUSE_LINES, OVERLAY_LINES, POLL_SECONDS, SHARED_LINES, ViewerWindow

SNAPSHOT_SPEED = 60
"""Above this speed (steps per second) the end of an episode is invisible and takes no snapshot."""

DRAWING_RATIO = 3
"""At full speed, the agent gets at least this multiple of the time spent on drawing."""

SPEEDS = (0.5, 1, 2, 4, 8, 15, 30, 60, 125, 250, 500, 1000, math.inf)
"""Speeds set by the keys + and -, in steps per second."""

HELP = (
    ("", "agent"),
    ("space", "pause or continue"),
    ("N or right", "one step"),
    ("+ and -", "speed"),
    *SHARED_LINES,
    ("Esc or Q", "end"),
    *MOUSE_LINES,
    *OVERLAY_LINES,
)


SEVERAL_HELP = tuple(line for line in HELP if line not in MOUSE_LINES)
"""Help of several agents, whose mazes the mouse does not edit."""


class ViewerSession:
    """Session that draws the steps of agents and lets the user control them.

    Without a window each step lasts 1 / speed seconds of the video's time.

    Args:
        window: draws, and receives the user's input.
        controls: speed, pause and end.
        watched: run of an agent, or of several, that the window shows.
    """

    def __init__(self, window: ViewerWindow, controls: Controls, watched: Watched) -> None:
        self.window, self.controls, self.watched = window, controls, watched
        self._drawn = self._polled = -math.inf  # times of the last drawing and polling
        self._cost = 0.0  # duration of the last drawing, in seconds
        self._video_time = 0.0

    def run(self, steps: int | None = None, *, progress: bool = False) -> None:
        """Run the agents until the user ends the session, or for a number of steps.

        Args:
            steps: number of steps; None for no limit.
            progress: show the progress of that number of steps on stderr.
        """
        # An agent's loop is a generator: between two steps it waits for the viewer.
        source: Iterator[Any] = islice(self.watched.steps(), steps)
        if progress and steps is not None:
            source = track(source, "recording", steps, Console(stderr=True), transient=True)
        if self.window.display is None:
            for step in source:
                self.watched.add(step)
                self.show_step()
            return
        self.window.show_start(self._fields(), self.watched.note())
        while taken := self._take(source):
            for step in taken:
                self.watched.add(step)
            if not self.show_step():
                break

    def _take(self, source: Iterator[Any]) -> list[Any]:
        """Take the next step, or several at full speed; none if there are no more."""
        at_full_speed = self.controls.speed == math.inf and not self.controls.paused
        seconds = POLL_SECONDS if at_full_speed else 0.0
        return self.window.answer_during(lambda: take_steps(source, seconds), self._poll_busy)

    def _poll_busy(self) -> list[tuple[str, str]]:
        """Process the user's input during a step; return the fields of the strip."""
        self._poll(busy=True)
        if self.controls.ended:
            self.window.hide()  # at once, not when the step ends
        self._write_title()
        return self._fields()

    def show_step(self) -> bool:
        """Show the latest step and wait until the next is due; return False if the user ended."""
        self.watched.show_latest()
        self.window.invalidate()
        if self.window.display is None:
            self._record_frame()
            return True
        while True:
            if self._is_time_to_poll():
                self._poll()
            if self.controls.ended:
                return False
            if self.window.stale and self._is_time_to_draw():
                self._draw()
            if self.controls.is_due():
                return True
            self.controls.sleep()

    def _poll(self, *, busy: bool = False) -> None:
        """Process the user's input."""
        self._polled = self.controls.clock()
        for key in self.window.process_events(busy=busy):
            if self.controls.handle_key(key):
                self.window.invalidate()
        self.controls.ended = self.controls.ended or self.window.closed
        self.watched.keep_snapshots(self.controls.paused or self.controls.speed <= SNAPSHOT_SPEED)

    def _draw(self) -> None:
        began = self.controls.clock()
        self._write_title()
        self.window.refresh(self._fields(), self.watched.note())
        self._drawn = self.controls.clock()
        self._cost = self._drawn - began

    def _write_title(self) -> None:
        if self.window.display is not None:
            self.window.display.title = f"{self.watched.title} ({self.controls.label()})"

    def _record_frame(self) -> None:
        """Draw a frame for the video, if it will be visible there."""
        video = self.window.recorder.video
        if video is not None and video.is_due(self._video_time):
            self.window.refresh(self._fields(), self.watched.note(), self._video_time)
        speed = self.controls.speed
        self._video_time += 1 / (speed if speed < math.inf else VIDEO_FPS)

    def _is_time_to_poll(self) -> bool:
        """Return True if events should be polled: at high speed not after each step."""
        # A poll costs more than a step of a fast agent.
        waits = self.controls.remaining() > 0
        return waits or self.controls.clock() - self._polled >= POLL_SECONDS

    def _is_time_to_draw(self) -> bool:
        """Return True if drawing fits before the next step, or the last drawing is old enough."""
        if self.controls.remaining() > self._cost:
            return True
        # Otherwise at most one frame per poll, and at most 1 / (1 + DRAWING_RATIO) of the time.
        pause = max(POLL_SECONDS, DRAWING_RATIO * self._cost)
        return self.controls.clock() - self._drawn >= pause

    def _fields(self) -> list[tuple[str, str]]:
        fields = self.watched.fields()
        if self.window.display is not None:
            fields.append(("speed", self.controls.label()))
        return fields


def take_steps(source: Iterator[Any], seconds: float) -> list[Any]:
    """Take steps for a time, at least one; none only where there are no more."""
    end = time.perf_counter() + seconds
    taken = []
    for step in source:
        taken.append(step)
        if time.perf_counter() >= end:
            break
    return taken


class Controls:
    """Speed, pause, single steps and end, as set by the user's keys.

    Attributes:
        speed: steps per second; infinity for unlimited.
        paused: only single steps are taken.
        ended: the user has ended the session.
    """

    def __init__(
        self,
        fps: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.speed = fps if fps > 0 else math.inf
        self.paused = False
        self.ended = False
        self._single_steps = 0  # requested and not taken yet
        self.clock, self._sleep = clock, sleep
        self._began = clock()  # start of the present step

    def handle_key(self, key: str) -> bool:
        """Handle a key; return False if it has no function here."""
        if key == "space":
            self.paused, self._single_steps = not self.paused, 0
        elif key in ("right", "n"):
            self.paused, self._single_steps = True, self._single_steps + 1
        elif key in ("+", "="):
            self.speed = min((speed for speed in SPEEDS if speed > self.speed), default=self.speed)
        elif key == "-":
            self.speed = max((speed for speed in SPEEDS if speed < self.speed), default=self.speed)
        elif key in ("escape", "q"):
            self.ended = True
        else:
            return False
        return True

    def is_due(self) -> bool:
        """Return True if the next step may be taken; it begins then."""
        if self._single_steps:
            self._single_steps -= 1
        elif self.remaining() > 0:
            return False
        self._began = self.clock()
        return True

    def remaining(self) -> float:
        """Return the seconds until the next step is due; infinity during a pause."""
        if self._single_steps:
            return 0.0
        return math.inf if self.paused else max(0.0, self._began + 1 / self.speed - self.clock())

    def sleep(self) -> None:
        """Sleep until the next step or the next poll of events, whichever is earlier."""
        self._sleep(min(POLL_SECONDS, self.remaining()))

    def label(self) -> str:
        """Return the speed as text, or "paused"."""
        if self.paused:
            return "paused"
        return "max" if self.speed == math.inf else f"{self.speed:g}/s"
