"""The environments' ids. Only strings stand here, so that registering loads nothing."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

ENVIRONMENTS: dict[str, dict[str, object]] = {
    "DynaMaze-v0": {"layout": "dyna"},
    "DynaMazeBlocking-v0": {"layout": "blocking"},
    "DynaMazeShortcut-v0": {"layout": "shortcut"},
}
"""Id -> the keyword arguments of `dynamaze.envs.DynaMazeEnv`."""

MAX_EPISODE_STEPS = 10_000


def register_environments() -> None:
    """Register every environment that is not registered yet."""
    for name, kwargs in ENVIRONMENTS.items():
        if name not in registry:
            register(
                id=name,
                entry_point="dynamaze.envs:DynaMazeEnv",
                vector_entry_point="dynamaze.envs:DynaMazeVectorEnv",
                max_episode_steps=MAX_EPISODE_STEPS,
                kwargs=dict(kwargs),
            )
