"""Restricted Boltzmann machines, learned by contrastive divergence (Hinton 2002).

Binary hidden units; visible units that are binary (or probabilities) or Gaussian of variance 1.
Settings follow Hinton 2012, "A practical guide to training restricted Boltzmann machines".
"""

from __future__ import annotations

from typing import NamedTuple

from dynamaze.common.optional_imports import optional_import

optional_import("torch", extra="models", purpose="DeepBelief")
import torch  # noqa: E402  # after the message that says how to get it

BATCH = 50
RATE = {False: 0.1, True: 0.01}  # for binary and for Gaussian visible units
MOMENTUM = (0.5, 0.9)  # in the first tenth of the steps and then
DECAY = 1e-4  # of the weights


class Machine(NamedTuple):
    """A restricted Boltzmann machine."""

    weight: torch.Tensor  # (visible, hidden)
    visible_bias: torch.Tensor  # (visible,)
    hidden_bias: torch.Tensor  # (hidden,)
    gaussian: bool  # whether the visible units are

    @classmethod
    def begin(
        cls, data: torch.Tensor, hidden: int, generator: torch.Generator, *, gaussian: bool
    ) -> Machine:
        """Small weights, and biases by which the visible units have the data's mean.

        Args:
            data: (batch, visible).
            hidden: units.
            generator: settles the weights.
            gaussian: whether the visible units are.
        """
        mean = data.mean(dim=0)
        if not gaussian:
            mean = torch.logit(mean, eps=0.01)
        weight = 0.01 * torch.randn(data.shape[1], hidden, generator=generator)
        return cls(weight, mean, torch.zeros(hidden), gaussian)


def hidden_probability(machine: Machine, visible: torch.Tensor) -> torch.Tensor:
    """(batch, hidden) the probability that each hidden unit is on."""
    return torch.sigmoid(visible @ machine.weight + machine.hidden_bias)


def visible_mean(machine: Machine, hidden: torch.Tensor) -> torch.Tensor:
    """(batch, visible) the mean of each visible unit."""
    total = hidden @ machine.weight.T + machine.visible_bias
    return total if machine.gaussian else torch.sigmoid(total)


def free_energy(machine: Machine, visible: torch.Tensor) -> torch.Tensor:
    """(batch,) minus the logarithm of each row's probability, but for a constant."""
    hidden = torch.nn.functional.softplus(visible @ machine.weight + machine.hidden_bias)
    if machine.gaussian:
        own = -0.5 * (visible - machine.visible_bias).square().sum(dim=1)
    else:
        own = visible @ machine.visible_bias
    return -own - hidden.sum(dim=1)


def contrastive_divergence(
    machine: Machine, visible: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """CD-1: which way weights and biases should go, the data's correlations less the echo's.

    The hidden units are drawn when the data drives them and are probabilities otherwise.

    Args:
        machine: the machine.
        visible: (batch, visible) data.
        generator: draws the hidden units.
    """
    probability = hidden_probability(machine, visible)
    drawn = torch.bernoulli(probability, generator=generator)
    echo = visible_mean(machine, drawn)
    echoed = hidden_probability(machine, echo)
    number = len(visible)
    return (
        (visible.T @ probability - echo.T @ echoed) / number,
        (visible - echo).mean(dim=0),
        (probability - echoed).mean(dim=0),
    )


def train(machine: Machine, data: torch.Tensor, steps: int, generator: torch.Generator) -> Machine:
    """Take steps of contrastive divergence with momentum on batches of the data.

    Args:
        machine: stays as it is.
        data: (batch, visible).
        steps: of `BATCH` rows each.
        generator: draws the batches and the hidden units.
    """
    learned = machine._replace(
        weight=machine.weight.clone(),
        visible_bias=machine.visible_bias.clone(),
        hidden_bias=machine.hidden_bias.clone(),
    )
    rate = RATE[machine.gaussian]
    speeds = [torch.zeros_like(part) for part in learned[:3]]
    for step in range(steps):
        momentum = MOMENTUM[0] if step < steps // 10 else MOMENTUM[1]
        rows = data[torch.randint(len(data), (BATCH,), generator=generator)]
        ways = contrastive_divergence(learned, rows, generator)
        for speed, way, part in zip(speeds, ways, learned[:3], strict=True):
            speed.mul_(momentum).add_(way, alpha=rate)
            if part is learned.weight:
                speed.add_(part, alpha=-rate * DECAY)
            part.add_(speed)
    return learned


def stack(
    data: torch.Tensor,
    hidden: tuple[int, ...],
    steps: int,
    generator: torch.Generator,
    *,
    gaussian: bool,
) -> list[Machine]:
    """A deep belief network: machines one upon the other (Hinton, Osindero & Teh 2006).

    Each learns, greedily, what the hidden units of the one below it do.

    Args:
        data: (batch, visible).
        hidden: units of each machine.
        steps: of each machine's training.
        generator: all chance comes from it.
        gaussian: whether the lowest visible units are.
    """
    machines = []
    for level, units in enumerate(hidden):
        machine = Machine.begin(data, units, generator, gaussian=gaussian and level == 0)
        machines.append(train(machine, data, steps, generator))
        data = hidden_probability(machines[-1], data)
    return machines
