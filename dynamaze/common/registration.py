"""Registry of the environments' ids. It holds strings only, so that registering loads nothing."""

from __future__ import annotations

from typing import NamedTuple

from gymnasium.envs.registration import register, registry


class Entry(NamedTuple):
    """Arguments of a registered id."""

    name: str  # of the class in `dynamaze.envs`, without "Env" or "VectorEnv"
    kwargs: dict[str, object]
    max_episode_steps: int = 10_000


ENVIRONMENTS = {
    "DynaMaze-v0": Entry("DynaMaze", {"layout": "dyna"}),
    "DynaMazeBlocking-v0": Entry("DynaMaze", {"layout": "blocking"}),
    "DynaMazeShortcut-v0": Entry("DynaMaze", {"layout": "shortcut"}),
    "DynaMazeGenerated-v0": Entry("DynaMazeGenerated", {}),
    "DynaMazeAdaptation-v0": Entry("DynaMazeAdaptation", {}, 400),
    "DynaMazeDrifting-v0": Entry("DynaMazeDrifting", {}),
    "DynaMazeContinuous-v0": Entry("DynaMazeContinuous", {"layout": "dyna"}, 500),
    "DynaMazeLoCA-v0": Entry("DynaMazeLoCA", {}, 100),
    "DynaMazeLoCAContinuous-v0": Entry("DynaMazeLoCAContinuous", {}, 100),
}


def register_environments() -> None:
    """Register every environment that is not registered yet."""
    for env_id, entry in ENVIRONMENTS.items():
        if env_id not in registry:
            register(
                id=env_id,
                entry_point=f"dynamaze.envs:{entry.name}Env",
                vector_entry_point=f"dynamaze.envs:{entry.name}VectorEnv",
                max_episode_steps=entry.max_episode_steps,
                kwargs=dict(entry.kwargs),
            )
