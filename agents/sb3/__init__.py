"""Dyna for Stable-Baselines3: a callback that adds a model's transitions to the replay buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_package

if TYPE_CHECKING:  # type checkers do not see what is imported on first use
    from .buffer import MixedReplayBuffer as MixedReplayBuffer
    from .callback import DynaCallback as DynaCallback

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "DynaCallback": ".callback",
        "MixedReplayBuffer": ".buffer",
    },
)
