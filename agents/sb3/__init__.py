"""Dyna for Stable-Baselines3: a callback that adds a model's transitions to the replay buffer."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "DynaCallback": ".callback",
        "MixedReplayBuffer": ".buffer",
    },
)
