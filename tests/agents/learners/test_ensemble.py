"""The ensemble: its gradients, its two kinds of doubt, and its units."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the ensemble needs torch")


def make(num_inputs: int = 2, num_outputs: int = 2, **arguments: Any) -> Any:
    from dynamaze.agents.learners import ProbabilisticEnsemble

    small: dict[str, Any] = {"members": 3, "hidden": (16, 16), "batch_size": 32}
    return ProbabilisticEnsemble(num_inputs, num_outputs, **{**small, **arguments})


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    y = np.stack([np.sin(3 * x[:, 0]), 10 + 4 * x[:, 1]], axis=1)
    return x, y + np.array([0.1, 0.8]) * rng.standard_normal((n, 2))


def test_members_are_one_network_each() -> None:
    """A loop over members and torch's own layers give the same means, variances and loss."""
    learner = make(bootstrap=True)
    learner.update(*data(100))
    x, y = data(40, seed=1)
    rows = torch.from_numpy((x - learner.input_offset) / learner.input_spread).float()
    values = torch.from_numpy((y - learner.offset) / learner.spread).float()
    weights = torch.from_numpy(learner.memory["weights"][:40].T[..., None]).float()
    tensors, total = learner.parameters.tensors, 0.0
    means, variances = learner.predict_members(x)
    for member in range(3):
        network = _network(tensors, member)
        mean, raw = network(rows).split(2, dim=1)
        low, high = tensors["low"][member], tensors["high"][member]
        softplus = torch.nn.functional.softplus
        log_variance = high - softplus(high - raw)
        log_variance = low + softplus(log_variance - low)
        nll = torch.nn.GaussianNLLLoss(reduction="none", eps=1e-12)
        misfit = (2 * weights[member] * nll(mean, values, log_variance.exp())).mean()
        total += (misfit + 0.01 * (high - low).sum()).item()
        np.testing.assert_allclose(
            means[member], learner.offset + learner.spread * mean.detach().numpy(), rtol=1e-5
        )
        np.testing.assert_allclose(
            variances[member],
            learner.spread**2 * log_variance.exp().detach().numpy(),
            rtol=1e-4,
        )
    assert float(learner.loss(rows, values, weights).detach()) == pytest.approx(total, rel=1e-5)


def _network(tensors: dict[str, Any], member: int) -> Any:
    layers: list[Any] = []
    for layer in range(3):
        weight, bias = tensors[f"weight{layer}"][member], tensors[f"bias{layer}"][member, 0]
        linear = torch.nn.Linear(*weight.shape)
        linear.weight.data, linear.bias.data = weight.detach().T.clone(), bias.detach().clone()
        layers += [linear, torch.nn.SiLU()]
    return torch.nn.Sequential(*layers[:-1])


def test_a_step_is_a_step_of_adam() -> None:
    learner = make(steps_per_row=0)
    learner.update(*data(20))
    reference = learner.parameters.values.clone().requires_grad_()
    adam = torch.optim.Adam([reference], lr=learner.learning_rate)
    for step in range(5):
        rows = torch.randn(8, 2, generator=torch.Generator().manual_seed(step))
        loss = learner.loss(rows, rows.flip(1), torch.ones(3, 8, 1))
        learner.parameters.descend(loss, learner.learning_rate)
        reference.grad = learner.parameters.gradients.clone()
        adam.step()
        assert torch.allclose(learner.parameters.values, reference.detach(), atol=1e-6)


def test_torch_and_numpy_give_the_same() -> None:
    learner = make()
    learner.update(*data(100))
    x = data(70, seed=1)[0]
    for few, many in zip(learner.predict_members(x[:10]), learner.predict_members(x), strict=True):
        np.testing.assert_allclose(few, many[:, :10], rtol=1e-4, atol=1e-5)


def test_the_stated_number_of_steps_is_taken() -> None:
    learner = make(steps_per_row=0.4)
    x, y = data(11)
    for row in range(11):
        learner.update(x[row : row + 1], y[row : row + 1])
        assert learner.parameters.steps == int(0.4 * (row + 1) + 1e-9)


def test_it_learns_the_function_and_its_noise() -> None:
    learner = make(steps_per_row=4, learning_rate=3e-3)
    learner.update(*data(400))
    x = np.random.default_rng(1).uniform(-0.9, 0.9, (500, 2))
    mean, epistemic, noise = learner.predict(x)
    truth = np.stack([np.sin(3 * x[:, 0]), 10 + 4 * x[:, 1]], axis=1)
    assert np.sqrt(((mean - truth) ** 2).mean(axis=0)) == pytest.approx([0, 0], abs=0.25)
    assert np.median(np.sqrt(noise), axis=0) == pytest.approx([0.1, 0.8], rel=0.35)
    # 90% of the truth, within 1000 targets' 4 sigma (0.04) and what training leaves.
    rng = np.random.default_rng(2)
    target = truth + np.array([0.1, 0.8]) * rng.standard_normal(truth.shape)
    inside = (np.abs(target - mean) < 1.645 * np.sqrt(epistemic + noise)).mean()
    assert 0.82 < inside < 0.97


def test_it_doubts_what_it_has_not_seen() -> None:
    learner = make(members=5, steps_per_row=3)
    learner.update(*data(200))
    inside, outside = learner.predict([[0.0, 0.0]]), learner.predict([[6.0, -6.0]])
    assert (outside.epistemic > 20 * inside.epistemic).all()


def test_epistemic_and_noise_are_the_members_mixture_and_draws_are_theirs() -> None:
    learner = make()
    learner.update(*data(60))
    query = np.tile([[0.5, 3.0]], (20_000, 1))
    means, variances = learner.predict_members(query[:1])
    estimate = learner.predict(query[:1])
    np.testing.assert_allclose(estimate.mean, means.mean(axis=0))
    np.testing.assert_allclose(estimate.epistemic, means.var(axis=0))
    np.testing.assert_allclose(estimate.noise, variances.mean(axis=0))
    drawn = learner.draw(query, np.random.default_rng(0))
    total = (estimate.epistemic + estimate.noise)[0]
    # 5 sigma of 4 numbers: a false alarm in a million.
    assert (np.abs(drawn.mean(axis=0) - estimate.mean[0]) < 5 * np.sqrt(total / 20_000)).all()
    assert (np.abs(drawn.var(axis=0) / total - 1) < 5 * np.sqrt(2 / 20_000)).all()


def test_new_units_leave_the_function_as_it_was() -> None:
    learner = make(steps_per_row=0.5)
    learner.update(*data(64))
    x = data(30, seed=1)[0]
    before = learner.predict_members(x)
    moved_x, moved_y = data(64, seed=3)
    learner.steps_per_row = 0
    learner.update(moved_x * 3 + 1, moved_y * 2 - 5)
    assert not np.allclose(learner.spread, 1)
    for left, right in zip(before, learner.predict_members(x), strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-4, atol=2e-4)


def test_the_bootstrap_counts_rows_differently_and_can_be_left_out() -> None:
    x, y = data(300)
    learner, plain = make(steps_per_row=0), make(steps_per_row=0, bootstrap=False)
    learner.update(x, y)
    plain.update(x, y)
    weights = learner.memory["weights"]
    # Poisson(1): mean and variance 1, 900 numbers, within 5 sigma.
    assert abs(weights.mean() - 1) < 5 / 30
    assert abs(weights.var() - 1) < 5 * np.sqrt(3) / 30
    assert np.abs(np.corrcoef(weights.T) - np.eye(3)).max() < 5 / np.sqrt(300)
    assert np.all(plain.memory["weights"] == 1)


def test_the_oldest_rows_give_way() -> None:
    learner = make(capacity=50, steps_per_row=0)
    x, y = data(180)
    for first in (0, 20, 60, 65, 170):
        last = {0: 20, 20: 60, 60: 65, 65: 170, 170: 180}[first]
        learner.update(x[first:last], y[first:last])
        kept = learner.memory["inputs"]
        assert {tuple(row) for row in kept} == {tuple(row) for row in x[max(0, last - 50) : last]}


def test_a_seed_settles_everything_and_another_gives_others() -> None:
    one, same, other = make(seed=1), make(seed=1), make(seed=2)
    for learner in (one, same, other):
        learner.update(*data(40))
    x = data(5, seed=1)[0]
    assert np.array_equal(one.predict(x).mean, same.predict(x).mean)
    assert not np.array_equal(one.predict(x).mean, other.predict(x).mean)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"members": 0}, "members=0"),
        ({"hidden": (4, 0)}, "hidden=0"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"steps_per_row": -1.0}, "steps_per_row=-1.0"),
        ({"capacity": 0}, "capacity=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(**arguments)


def test_a_step_without_data_is_refused() -> None:
    learner = make()
    before = copy.deepcopy(learner.get_state())
    with pytest.raises(RuntimeError, match="expected an update first"):
        learner.gradient_step()
    for name, value in learner.get_state().items():
        assert np.array_equal(value, before[name])
