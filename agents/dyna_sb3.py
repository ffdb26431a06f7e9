"""Module of version 0.1; its names are in `dynamaze.agents.sb3` now."""

from __future__ import annotations

from dynamaze.common.deprecation import moved_names

PLACES = {
    "DynaCallback": "dynamaze.agents.sb3.DynaCallback",
}
"""Old name -> present name."""

__getattr__ = moved_names(__name__, PLACES)
