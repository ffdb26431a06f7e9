"""How much of its planning a model deserves."""

from __future__ import annotations

from dynamaze.common.compiled import compiled, spliced

from .kernels import trust

TRUSTED = 0.5
"""A pair that deserves a smaller share than this is not planned with by those that plan pair by
pair; its value is learned from real transitions alone."""


@spliced
def shared_steps(planning_steps, share):
    """A share in [0, 1] of the planning steps, to the nearest whole number."""
    return int(share * planning_steps + 0.5)


@compiled
def is_trusted(model, pair):
    """Whether a pair is planned with."""
    return trust(model, pair) >= TRUSTED
