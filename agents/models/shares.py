"""How much of its planning a model deserves."""

from __future__ import annotations

from dynamaze.compiled import spliced


@spliced
def shared_steps(planning_steps, share):
    """A share in [0, 1] of the planning steps, to the nearest whole number."""
    return int(share * planning_steps + 0.5)
