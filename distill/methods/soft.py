"""Soft targets (Hinton et al. 2015, "Distilling the knowledge in a neural network")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynamaze.common.validation import checked_number

from ..core.losses import kl
from ..training.loop import Loop
from ..training.method import Method, Update


@dataclass
class Soft(Method):
    """Each student follows its teacher's soft targets, by the loop's loss.

    Args:
        temperature: divides the logits of both in the loss "kl" (`losses.kl`); 1 for any loss.
    """

    temperature: float = 1.0

    def setup(self, loop: Loop) -> None:
        """Set the temperature.

        Raises:
            ValueError: for a temperature that is not above 0, or one of another loss than "kl".
        """
        temperature = checked_number("temperature", self.temperature, 0, above=True)
        if temperature != 1:
            if loop.loss_name != "kl":
                raise ValueError(
                    f"temperature={temperature:g} of the loss {loop.loss_name!r}; expected "
                    'loss="kl", or a temperature of 1'
                )
            loop.loss = kl(temperature)

    def step(self, loop: Loop) -> Iterator[Update]:
        """Draw a batch, and update each student."""
        return super().step(loop)
