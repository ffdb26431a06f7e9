"""An agent that is watched: after each of its steps the viewer decides when the next one comes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from dynamaze.agents import Step

from .controls import NAP, Controls
from .keys import MOUSE_LINES, OVERLAY_LINES, SHARED_LINES
from .recording import FILM_FPS
from .statistics import Diary
from .window import Screen
from .witness import Witness

FASTEST_SEEN = 60
"""At more steps a second nobody sees the end of an episode, and no picture of it is kept."""

DRAWING_SHARE = 3
"""At full speed the agent has at least so many times the time that drawing takes."""

HELP = (
    ("", "agent"),
    ("space", "pause or go on"),
    ("N or right", "one step"),
    ("+ and -", "speed"),
    *SHARED_LINES,
    ("Esc or Q", "end"),
    *MOUSE_LINES,
    *OVERLAY_LINES,
)


class Learner(Protocol):
    """Who can be watched."""

    def steps(self) -> Iterator[Step]:
        """Live for ever, a step at a time."""


class Show:
    """Draws an agent's life and lets the person at the window control it.

    Where the screen has no window, each step lasts as long as the speed says, in the film's time.

    Args:
        screen: draws.
        controls: say when the next step is due.
        diary: is told every step.
        witness: wrapped round the agent's environment.
    """

    def __init__(self, screen: Screen, controls: Controls, diary: Diary, witness: Witness) -> None:
        self.screen, self.controls, self.diary = screen, controls, diary
        self._witness = witness
        self._drawn = self._attended = -math.inf  # when last, by the clock
        self._cost = 0.0  # seconds that drawing took last
        self._film_time = 0.0

    def run(self, agent: Learner, steps: int | None = None) -> None:
        """Let an agent live until the person, or the number of steps, says that it is the end."""
        for step in islice(agent.steps(), steps):
            self.diary.add(step)
            if not self.follow(step):
                break

    def follow(self, step: Step) -> bool:
        """Show a step, and wait until the next is due; False when it is the end."""
        self.screen.moment = self._witness.arrival
        self.screen.touch()
        if self.screen.window is None:
            self._film()
            return True
        while True:
            if self._is_time_to_attend():
                self._attend()
            if self.controls.ended:
                return False
            if self.screen.stale and self._is_time_to_draw():
                self._draw()
            if self.controls.is_due():
                return True
            self.controls.nap()

    @property
    def regret(self) -> float | None:
        """Of all actions so far; None where the truth is not known."""
        return None if self._witness.regret is None else self._witness.regret.total

    def _attend(self) -> None:
        """Do what the person asks."""
        self._attended = self.controls.clock()
        for key in self.screen.hear():
            if self.controls.press(key):
                self.screen.touch()
        self.controls.ended = self.controls.ended or self.screen.closed
        self._witness.keeps_arrivals = self.controls.paused or self.controls.speed <= FASTEST_SEEN

    def _draw(self) -> None:
        began = self.controls.clock()
        assert self.screen.window is not None
        self.screen.window.title = f"{self.diary.title} ({self.controls.label()})"
        self.screen.draw(self._fields(), self._note())
        self._drawn = self.controls.clock()
        self._cost = self._drawn - began

    def _film(self) -> None:
        """Draw for the film, if the step is seen in it."""
        film = self.screen.studio.film
        if film is not None and film.is_due(self._film_time):
            self.screen.draw(self._fields(), self._note(), self._film_time)
        speed = self.controls.speed
        self._film_time += 1 / (speed if speed < math.inf else FILM_FPS)

    def _is_time_to_attend(self) -> bool:
        """Whether to look at the window: not after each of thousands of steps a second."""
        waits = self.controls.remaining() > 0
        return waits or self.controls.clock() - self._attended >= NAP

    def _is_time_to_draw(self) -> bool:
        """Whether there is time for it before the next step, or it is time again in any case."""
        if self.controls.remaining() > self._cost:
            return True
        pause = max(NAP, DRAWING_SHARE * self._cost)
        return self.controls.clock() - self._drawn >= pause

    def _fields(self) -> list[tuple[str, str]]:
        fields = self.diary.fields(self.regret)
        if self.screen.window is not None:
            fields.append(("speed", self.controls.label()))
        return fields

    def _note(self) -> str:
        shown = [name for name in sorted(self.screen.shown) if name not in ("trail", "changed")]
        return " · ".join([self.diary.note(), *([", ".join(shown)] if shown else [])])
