"""Restricted Boltzmann machines, trained by contrastive divergence (Hinton 2002).

Hidden units are binary; visible units are binary (or probabilities) or Gaussian with variance 1.
Settings follow Hinton 2012, "A practical guide to training restricted Boltzmann machines".
"""

from __future__ import annotations

from typing import NamedTuple

from dynamaze.common.optional_imports import optional_import

optional_import("torch", extra="models", purpose="DeepBelief")
import torch  # noqa: E402  # after the message that says how to get it

BATCH = 50
RATE = {False: 0.1, True: 0.01}  # of binary and of Gaussian visible units
MOMENTUM = (0.5, 0.9)  # in the first tenth of the steps, and afterwards
DECAY = 1e-4  # weight decay


class BoltzmannMachine(NamedTuple):
    """Restricted Boltzmann machine."""

    weight: torch.Tensor  # (visible, hidden)
    visible_bias: torch.Tensor  # (visible,)
    hidden_bias: torch.Tensor  # (hidden,)
    gaussian: bool  # True for Gaussian visible units

    @classmethod
    def begin(
        cls, data: torch.Tensor, hidden: int, generator: torch.Generator, *, gaussian: bool
    ) -> BoltzmannMachine:
        """Return a machine with small weights whose visible units have the data's mean.

        Args:
            data: (batch, visible).
            hidden: number of hidden units.
            generator: random generator of the weights.
            gaussian: True for Gaussian visible units.
        """
        mean = data.mean(dim=0)
        if not gaussian:
            mean = torch.logit(mean, eps=0.01)
        weight = 0.01 * torch.randn(data.shape[1], hidden, generator=generator)
        return cls(weight, mean, torch.zeros(hidden), gaussian)


def hidden_probability(machine: BoltzmannMachine, visible: torch.Tensor) -> torch.Tensor:
    """Return the (batch, hidden) probability that each hidden unit is on."""
    return torch.sigmoid(visible @ machine.weight + machine.hidden_bias)


def visible_mean(machine: BoltzmannMachine, hidden: torch.Tensor) -> torch.Tensor:
    """Return the (batch, visible) mean of each visible unit."""
    total = hidden @ machine.weight.T + machine.visible_bias
    return total if machine.gaussian else torch.sigmoid(total)


def free_energy(machine: BoltzmannMachine, visible: torch.Tensor) -> torch.Tensor:
    """Return the (batch,) free energy: minus each row's log probability, up to a constant."""
    hidden = torch.nn.functional.softplus(visible @ machine.weight + machine.hidden_bias)
    if machine.gaussian:
        own = -0.5 * (visible - machine.visible_bias).square().sum(dim=1)
    else:
        own = visible @ machine.visible_bias
    return -own - hidden.sum(dim=1)


def contrastive_divergence(
    machine: BoltzmannMachine, visible: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the CD-1 updates of weights and biases.

    The hidden units are sampled for the data and are probabilities for the reconstruction.

    Args:
        machine: the machine.
        visible: (batch, visible) data.
        generator: samples the hidden units.
    """
    probability = hidden_probability(machine, visible)
    drawn = torch.bernoulli(probability, generator=generator)
    reconstruction = visible_mean(machine, drawn)
    reconstructed_hidden = hidden_probability(machine, reconstruction)
    number = len(visible)
    # <v h>_data - <v h>_reconstruction (Hinton 2002)
    return (
        (visible.T @ probability - reconstruction.T @ reconstructed_hidden) / number,
        (visible - reconstruction).mean(dim=0),
        (probability - reconstructed_hidden).mean(dim=0),
    )


def train(
    machine: BoltzmannMachine, data: torch.Tensor, steps: int, generator: torch.Generator
) -> BoltzmannMachine:
    """Train by contrastive divergence with momentum on batches of the data.

    Args:
        machine: initial machine, left unchanged.
        data: (batch, visible).
        steps: of `BATCH` rows each.
        generator: samples the batches and the hidden units.
    """
    learned = machine._replace(
        weight=machine.weight.clone(),
        visible_bias=machine.visible_bias.clone(),
        hidden_bias=machine.hidden_bias.clone(),
    )
    rate = RATE[machine.gaussian]
    velocities = [torch.zeros_like(part) for part in learned[:3]]
    for step in range(steps):
        momentum = MOMENTUM[0] if step < steps // 10 else MOMENTUM[1]
        rows = data[torch.randint(len(data), (BATCH,), generator=generator)]
        updates = contrastive_divergence(learned, rows, generator)
        for velocity, update, part in zip(velocities, updates, learned[:3], strict=True):
            velocity.mul_(momentum).add_(update, alpha=rate)
            if part is learned.weight:
                velocity.add_(part, alpha=-rate * DECAY)
            part.add_(velocity)
    return learned


def stack(
    data: torch.Tensor,
    hidden: tuple[int, ...],
    steps: int,
    generator: torch.Generator,
    *,
    gaussian: bool,
) -> list[BoltzmannMachine]:
    """Train a deep belief network: a stack of machines (Hinton, Osindero & Teh 2006).

    Each machine is trained greedily on the hidden units of the one below it.

    Args:
        data: (batch, visible).
        hidden: hidden units of each machine.
        steps: training steps of each machine.
        generator: source of all randomness.
        gaussian: True for Gaussian units in the lowest visible layer.
    """
    machines = []
    for level, units in enumerate(hidden):
        machine = BoltzmannMachine.begin(data, units, generator, gaussian=gaussian and level == 0)
        machines.append(train(machine, data, steps, generator))
        data = hidden_probability(machines[-1], data)
    return machines
