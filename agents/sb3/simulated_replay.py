"""A replay buffer of Stable-Baselines3 whose batches are partly simulated experience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamaze.common.optional_imports import optional_import

optional_import("stable_baselines3", extra="distill", purpose="simulated replay")
import torch  # noqa: E402  # after the message that says how to get it
from stable_baselines3.common.buffers import ReplayBuffer  # noqa: E402
from stable_baselines3.common.type_aliases import ReplayBufferSamples  # noqa: E402

OWN = frozenset({"real", "simulated", "on_add", "share", "num_drawn", "num_simulated"})
"""The attributes that are not those of the real buffer."""


class MixedReplay:
    """Stands where an algorithm's replay buffer stood, and mixes simulated rows into its batches.

    New transitions go into the real buffer, and `on_add` is told. The simulated share is given for
    one phase of training: whoever renews it sets `share`, and the next real transition makes it 0.
    So an algorithm that goes on without its callback, say after it was interrupted, learns from
    real experience alone.

    Everything else is the real buffer's, its class and its pickle too.

    Args:
        real: the algorithm's own buffer.
        simulated: one of the same spaces.
        on_add: called with what `ReplayBuffer.add` is called with.

    Attributes:
        share: of each batch that is simulated, in [0, 1].
        num_drawn: rows of all batches so far.
        num_simulated: those that were simulated.
    """

    def __init__(
        self, real: ReplayBuffer, simulated: ReplayBuffer, on_add: Callable[..., None]
    ) -> None:
        self.real, self.simulated, self.on_add = real, simulated, on_add
        self.share = 0.0
        self.num_drawn = self.num_simulated = 0

    def add(self, *transition: Any, **more: Any) -> None:
        """Put a real transition of each environment into the real buffer."""
        self.real.add(*transition, **more)
        self.share = 0.0
        self.on_add(*transition, **more)

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """A batch: first its real rows, then the simulated ones, to the nearest whole number."""
        simulated = int(self.share * batch_size + 0.5) if self.simulated.size() else 0
        self.num_drawn += batch_size
        self.num_simulated += simulated
        if not simulated:
            return self.real.sample(batch_size, env)
        imagined = self.simulated.sample(simulated, env)
        if simulated == batch_size:
            return imagined
        return _joined(self.real.sample(batch_size - simulated, env), imagined)

    def __getattr__(self, name: str) -> Any:
        if name in OWN:  # not made yet
            raise AttributeError(name)
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)

    @property  # type: ignore[misc]  # so that it is an instance of the real buffer's class
    def __class__(self) -> Any:
        return type(self.real)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.real.__reduce_ex__(protocol)


def _joined(one: ReplayBufferSamples, other: ReplayBufferSamples) -> ReplayBufferSamples:
    pairs = zip(one, other, strict=True)  # the last is of discounts, of which there are none
    joined: Any = [torch.cat((a, b)) for a, b in pairs if a is not None and b is not None]
    return ReplayBufferSamples(*joined)
