"""Restricted Boltzmann machines by enumeration and against scikit-learn."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest

from .patterns import striped

torch = pytest.importorskip("torch", reason="the machines need torch")
rbm: Any = import_module("dynamaze.agents.learners.rbm")

pytestmark = pytest.mark.filterwarnings("error")


def generator(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def small_machine(seed: int = 0) -> Any:
    """Three visible and two hidden units, float64."""
    rng = np.random.default_rng(seed)
    parts = (rng.normal(0, 1, (3, 2)), rng.normal(0, 1, 3), rng.normal(0, 1, 2))
    return rbm.BoltzmannMachine(*(torch.from_numpy(part) for part in parts), gaussian=False)


def states(n: int) -> Any:
    return torch.tensor(list(product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def joint(machine: Any) -> Any:
    """(2^visible, 2^hidden) probabilities, by the energy of each state and their sum."""
    v, h = states(3), states(2)
    minus_energy = v @ machine.weight @ h.T + (v @ machine.visible_bias)[:, None]
    minus_energy = minus_energy + h @ machine.hidden_bias
    return torch.softmax(minus_energy.flatten(), 0).view(8, 4)


def test_conditionals_equal_enumeration() -> None:
    machine, v, h = small_machine(), states(3), states(2)
    table = joint(machine)
    hidden = (table / table.sum(1, keepdim=True)) @ h
    visible = (table / table.sum(0)).T @ v
    assert torch.allclose(rbm.hidden_probability(machine, v), hidden)
    assert torch.allclose(rbm.visible_mean(machine, h), visible)


def test_free_energy_equals_enumeration() -> None:
    machine = small_machine()
    energy = rbm.free_energy(machine, states(3))
    assert torch.allclose(torch.softmax(-energy, 0), joint(machine).sum(1))


def test_gaussian_free_energy_is_mixture() -> None:
    machine, h = small_machine()._replace(gaussian=True), states(2)
    v = torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    # p(v, h) ~ exp(-|v - b|^2 / 2 + v W h + c h): a sum over the four hidden states.
    exponent = -0.5 * (v - machine.visible_bias).square().sum(1)[:, None]
    exponent = exponent + v @ machine.weight @ h.T + h @ machine.hidden_bias
    assert torch.allclose(rbm.free_energy(machine, v), -torch.logsumexp(exponent, 1))
    means = machine.visible_bias + h @ machine.weight.T
    assert torch.allclose(rbm.visible_mean(machine, h), means)


def test_cd_increases_likelihood() -> None:
    # The exact gradient of the log likelihood by enumeration; CD-1's mean over many draws must
    # point the same way: an inner product above 0 in 20 machines.
    for seed in range(20):
        machine, v, h = small_machine(seed), states(3), states(2)
        rng = np.random.default_rng(seed)
        data = v[torch.from_numpy(rng.choice(8, 4000, p=rng.dirichlet(np.full(8, 0.3))))]
        table = joint(machine)
        exact = (
            data.T @ rbm.hidden_probability(machine, data) / len(data) - v.T @ table @ h,
            data.mean(0) - table.sum(1) @ v,
            rbm.hidden_probability(machine, data).mean(0) - table.sum(0) @ h,
        )
        updates = rbm.contrastive_divergence(machine, data, generator(seed))
        assert sum(float((a * b).sum()) for a, b in zip(exact, updates, strict=True)) > 0
        for a, b in zip(exact, updates, strict=True):
            clear = (a.abs() > 0.15) & (b.abs() > 0.05)
            assert torch.equal(torch.sign(a)[clear], torch.sign(b)[clear])


def test_cd_vanishes_at_optimum() -> None:
    machine, v = small_machine(), states(3)
    p = joint(machine).sum(1).numpy()
    data = v[torch.from_numpy(np.random.default_rng(0).choice(8, 200_000, p=p))]
    # The reconstruction of the machine's own distribution is that distribution, but for its visible
    # probabilities instead of draws, which leave out what hidden units do with the chance in them.
    _, visible, _ = rbm.contrastive_divergence(machine, data, generator())
    assert visible.abs().max() < 6 * 0.5 / np.sqrt(200_000) * np.sqrt(2)


def test_momentum_rises_after_first_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = small_machine()
    ones = [torch.ones_like(part) for part in machine[:3]]
    monkeypatch.setattr(rbm, "contrastive_divergence", lambda *_: ones)
    learned = rbm.train(machine, states(3), 27, generator())
    velocity = total = 0.0
    for step in range(27):
        velocity = (0.5 if step < 2 else 0.9) * velocity + 0.1
        total += velocity
    assert torch.allclose(learned.hidden_bias, machine.hidden_bias + total)


def test_training_matches_scikit_learn() -> None:
    neural = pytest.importorskip("sklearn.neural_network", reason="the cross-check")
    data = striped(500)
    rows = torch.from_numpy(data).float()
    first = rbm.BoltzmannMachine.begin(rows, 8, generator(), gaussian=False)
    ours = rbm.train(first, rows, 1500, generator())
    theirs = neural.BernoulliRBM(8, learning_rate=0.05, batch_size=50, n_iter=150, random_state=0)
    theirs.fit(data)
    oracle = rbm.BoltzmannMachine(
        torch.from_numpy(theirs.components_.T).float(),
        torch.from_numpy(theirs.intercept_visible_).float(),
        torch.from_numpy(theirs.intercept_hidden_).float(),
        gaussian=False,
    )
    # 16 visible and 8 hidden units: the exact likelihood by summing over the hidden states.
    before, after, reference = (_log_likelihood(m, rows) for m in (first, ours, oracle))
    assert after > before + 1.5
    assert after > reference - 0.5
    errors = [_reconstruction(m, rows) for m in (first, ours, oracle)]
    assert errors[1] < 0.8 * errors[0]
    assert errors[1] < 1.15 * errors[2]


def _log_likelihood(machine: Any, rows: Any) -> float:
    hidden = torch.tensor(list(product([0.0, 1.0], repeat=len(machine.hidden_bias))))
    total = torch.nn.functional.softplus(hidden @ machine.weight.T + machine.visible_bias)
    constant = torch.logsumexp(hidden @ machine.hidden_bias + total.sum(1), 0)
    inner = torch.nn.functional.softplus(rows @ machine.weight + machine.hidden_bias)
    return float((rows @ machine.visible_bias + inner.sum(1)).mean() - constant)


def _reconstruction(machine: Any, rows: Any) -> float:
    reconstruction = rbm.visible_mean(machine, rbm.hidden_probability(machine, rows))
    return float((rows - reconstruction).square().mean())


def test_stack_trains_greedily() -> None:
    rows = torch.from_numpy(striped(200)).float()
    machines = rbm.stack(rows, (8, 4), 100, generator(), gaussian=False)
    assert [tuple(machine.weight.shape) for machine in machines] == [(16, 8), (8, 4)]
    alone = rbm.stack(rows, (8,), 100, generator(), gaussian=False)
    assert torch.equal(alone[0].weight, machines[0].weight)
    again = rbm.stack(rows, (8, 4), 100, generator(), gaussian=False)
    assert torch.equal(again[1].weight, machines[1].weight)
