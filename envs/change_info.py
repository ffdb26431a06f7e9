"""Reports of the changes of a maze, in the information or the observation."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from dynamaze.common.arrays import BoolArray, IntArray
from dynamaze.common.validation import checked_choice

from .mazes.layout import Layout
from .observations import as_entries


def differing_cells(before: Layout, after: Layout) -> BoolArray:
    """Return (rows, cols) bool, True where two layouts differ in walls, starts or goals."""
    differ: BoolArray = before.walls != after.walls
    for cells, others in ((before.starts, after.starts), (before.goals, after.goals)):
        for cell in set(cells) ^ set(others):
            differ[cell] = True
    return differ


class ChangeInfo:
    """The keys `changed` and `changed_cells`, in the information or in the observation.

    Args:
        change_info: "none", "change" (True if the maze has changed since the last observation) or
            "cells" (the changed cells, too).
        place: "info" or "observation", which then is a dictionary.
        shape: (rows, cols).

    Raises:
        ValueError: for another name.
    """

    def __init__(self, change_info: str, place: str, shape: tuple[int, int]) -> None:
        checked_choice("change_info", change_info, ("none", "change", "cells"))
        checked_choice("change_info_in", place, ("info", "observation"))
        self.is_off = change_info == "none"
        self.with_cells = change_info == "cells"
        self.in_info = change_info != "none" and place == "info"
        self.in_observation = change_info != "none" and place == "observation"
        self._shape = shape

    def extend_space(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        """Return the observation space with the report."""
        if not self.in_observation:
            return space
        entries = as_entries(space)
        entries["changed"] = spaces.Discrete(2)
        if self.with_cells:
            entries["changed_cells"] = spaces.MultiBinary(self._shape)
        return spaces.Dict(entries)

    def extend_observation(
        self, observation: Any, changed: int | IntArray, cells: BoolArray
    ) -> Any:
        """Return one observation, or a batch of them, with the report."""
        if not self.in_observation:
            return observation
        entries = as_entries(observation)
        entries["changed"] = changed
        if self.with_cells:
            entries["changed_cells"] = cells.astype("int8")
        return entries

    def info(self, changed: bool | BoolArray, cells: BoolArray) -> dict[str, Any]:
        """Return the entries of the information."""
        if not self.in_info:
            return {}
        if self.with_cells:
            return {"changed": changed, "changed_cells": cells}
        return {"changed": changed}
