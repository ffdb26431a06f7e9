"""Warning about resets that restart the clock, so that a change never comes."""

from __future__ import annotations

from gymnasium import logger

from .timing.times import NEVER

CHECKERS_STEPS = 20
"""Environment checkers seed every reset, too, but after fewer steps than this."""


class RestartWarning:
    """Warning, given once, that every reset is seeded and nothing ever changes.

    Args:
        first_change: the world step of the first known change; `NEVER` without one.
    """

    def __init__(self, first_change: int) -> None:
        self._first_change = first_change
        self._unchanged_steps = 0  # of all restarts that were seeded before the first change came
        self._is_on = first_change < NEVER

    def turn_off(self) -> None:
        """Give no warning: the clock was set."""
        self._is_on = False

    def restart(self, world_step: int, phase: int) -> None:
        """Note a seeded reset at a world step, after `phase` changes; perhaps warn."""
        if not self._is_on:
            return
        first = self._first_change
        self._unchanged_steps += world_step
        waits = phase == 0 and self._unchanged_steps < max(first, CHECKERS_STEPS)
        if phase == 0 and not waits:
            logger.warn(
                f"this environment took {self._unchanged_steps} steps and never reached its first "
                f"change at world step {first}, because reset(seed=...) restarts its clock; "
                "seed the first reset only, or set the clock by reset(options={'world_step': k})"
            )
        self._is_on = waits
