"""What is told of a change: nothing, that there was one, or which cells it changed."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.validation import did_you_mean

from .observations.basic import keys_of

NOTICES = ("none", "change", "cells")
PLACES = ("info", "observation")


class Notice:
    """The keys `changed` and `changed_cells`, in the information or in the observation.

    Args:
        notice: "none", "change" (that the maze has changed since the last observation) or "cells"
            (that, and which cells).
        place: "info" or "observation", which then is a dictionary.
        shape: (rows, cols).

    Raises:
        ValueError: for another name.
    """

    def __init__(self, notice: str, place: str, shape: tuple[int, int]) -> None:
        for name, value, known in (("notice", notice, NOTICES), ("notice_in", place, PLACES)):
            if value not in known:
                raise ValueError(
                    f"{name}={value!r}; expected one of {', '.join(known)}"
                    f"{did_you_mean(value, known)}"
                )
        self.silent = notice == "none"
        self.cells = notice == "cells"
        self.in_info = notice != "none" and place == "info"
        self.in_observation = notice != "none" and place == "observation"
        self._shape = shape

    def space(self, observed: spaces.Space[Any]) -> spaces.Space[Any]:
        """The space of observations with the notice."""
        if not self.in_observation:
            return observed
        keys = keys_of(observed)
        keys["changed"] = spaces.Discrete(2)
        if self.cells:
            keys["changed_cells"] = spaces.MultiBinary(self._shape)
        return spaces.Dict(keys)

    def observation(self, observed: Any, changed: int | IntArray, cells: BoolArray) -> Any:
        """One observation, or the observations of several, with the notice."""
        if not self.in_observation:
            return observed
        keys = keys_of(observed)
        keys["changed"] = changed
        if self.cells:
            keys["changed_cells"] = cells.astype("int8")
        return keys

    def info(self, changed: bool | BoolArray, cells: BoolArray) -> dict[str, Any]:
        """What the information holds of it."""
        if not self.in_info:
            return {}
        return {"changed": changed, "changed_cells": cells} if self.cells else {"changed": changed}
