"""When an agent that is watched may take its next step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

SPEEDS = (0.5, 1, 2, 4, 8, 15, 30, 60, 125, 250, 500, 1000, math.inf)
"""Where + and - go, in steps a second."""

NAP = 1 / 60
"""Seconds between two looks at the window, while nothing else is to be done."""


class Controls:
    """What the person at the window wants: a pause, a step, another speed, the end.

    Attributes:
        speed: steps a second, infinite for as fast as possible.
        paused: whether only single steps are taken.
        ended: whether the person has had enough.
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
        self._single_steps = 0  # asked for and not taken yet
        self.clock, self._sleep = clock, sleep
        self._began = clock()  # when the present step began

    def press(self, key: str) -> bool:
        """Do what a key says; False if it has no meaning here."""
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
        """Whether the next step may be taken; if so it begins now."""
        if self._single_steps:
            self._single_steps -= 1
        elif self.remaining() > 0:
            return False
        self._began = self.clock()
        return True

    def remaining(self) -> float:
        """Seconds until the next step is due; infinite in a pause."""
        if self._single_steps:
            return 0.0
        return math.inf if self.paused else max(0.0, self._began + 1 / self.speed - self.clock())

    def nap(self) -> None:
        """Sleep, but not so long that a key would be heard late."""
        self._sleep(min(NAP, self.remaining()))

    def label(self) -> str:
        """The speed, or that it is paused."""
        if self.paused:
            return "paused"
        return "max" if self.speed == math.inf else f"{self.speed:g}/s"
