"""Module of version 0.1; its names are in `dynamaze.envs.generation.planes` now."""

from __future__ import annotations

from dynamaze.common.deprecation import moved_names

PLACES = {
    "BestActions": "dynamaze.envs.generation.planes.ShortestPathPolicy",
    "ask_everywhere": "dynamaze.envs.generation.planes.query_all_cells",
    "distances_to_goal": "dynamaze.envs.generation.planes.distances_to_goal",
    "one_by_one": "dynamaze.envs.generation.planes.split_queries",
    "steps_to_goal": "dynamaze.envs.generation.planes.steps_to_goal",
}
"""Old name -> present name."""

__getattr__ = moved_names(__name__, PLACES)
