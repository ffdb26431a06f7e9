"""Restricted Boltzmann machines by enumeration, and the deep belief network."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the deep belief network needs torch")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def rbm() -> Any:
    from dynamaze.agents.learners import rbm as rbm_module

    return rbm_module


def generator(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def small_machine(rbm: Any, seed: int = 0) -> Any:
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


def test_conditionals_equal_enumeration(rbm: Any) -> None:
    machine, v, h = small_machine(rbm), states(3), states(2)
    table = joint(machine)
    hidden = (table / table.sum(1, keepdim=True)) @ h
    visible = (table / table.sum(0)).T @ v
    assert torch.allclose(rbm.hidden_probability(machine, v), hidden)
    assert torch.allclose(rbm.visible_mean(machine, h), visible)


def test_free_energy_equals_enumeration(rbm: Any) -> None:
    machine = small_machine(rbm)
    energy = rbm.free_energy(machine, states(3))
    assert torch.allclose(torch.softmax(-energy, 0), joint(machine).sum(1))


def test_gaussian_free_energy_is_mixture(rbm: Any) -> None:
    machine, h = small_machine(rbm)._replace(gaussian=True), states(2)
    v = torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    # p(v, h) ~ exp(-|v - b|^2 / 2 + v W h + c h): a sum over the four hidden states.
    exponent = -0.5 * (v - machine.visible_bias).square().sum(1)[:, None]
    exponent = exponent + v @ machine.weight @ h.T + h @ machine.hidden_bias
    assert torch.allclose(rbm.free_energy(machine, v), -torch.logsumexp(exponent, 1))
    means = machine.visible_bias + h @ machine.weight.T
    assert torch.allclose(rbm.visible_mean(machine, h), means)


def test_cd_increases_likelihood(rbm: Any) -> None:
    # The exact gradient of the log likelihood by enumeration; CD-1's mean over many draws must
    # point the same way: an inner product above 0 in 20 machines.
    for seed in range(20):
        machine, v, h = small_machine(rbm, seed), states(3), states(2)
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


def test_cd_vanishes_at_optimum(rbm: Any) -> None:
    machine, v = small_machine(rbm), states(3)
    p = joint(machine).sum(1).numpy()
    data = v[torch.from_numpy(np.random.default_rng(0).choice(8, 200_000, p=p))]
    # The reconstruction of the machine's own distribution is that distribution, but for its visible
    # probabilities instead of draws, which leave out what hidden units do with the chance in them.
    _, visible, _ = rbm.contrastive_divergence(machine, data, generator())
    assert visible.abs().max() < 6 * 0.5 / np.sqrt(200_000) * np.sqrt(2)


def striped(n: int, seed: int = 0) -> np.ndarray:
    """Images of 16 pixels with one of four patterns and a tenth of the pixels flipped."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(2, size=(4, 16))
    picture = patterns[rng.integers(4, size=n)]
    turned: np.ndarray = np.abs(picture - (rng.random((n, 16)) < 0.1)).astype(np.float64)
    return turned


def test_training_matches_scikit_learn(rbm: Any) -> None:
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
    errors = [_reconstruction(rbm, m, rows) for m in (first, ours, oracle)]
    assert errors[1] < 0.8 * errors[0]
    assert errors[1] < 1.15 * errors[2]


def _log_likelihood(machine: Any, rows: Any) -> float:
    hidden = torch.tensor(list(product([0.0, 1.0], repeat=len(machine.hidden_bias))))
    total = torch.nn.functional.softplus(hidden @ machine.weight.T + machine.visible_bias)
    constant = torch.logsumexp(hidden @ machine.hidden_bias + total.sum(1), 0)
    inner = torch.nn.functional.softplus(rows @ machine.weight + machine.hidden_bias)
    return float((rows @ machine.visible_bias + inner.sum(1)).mean() - constant)


def _reconstruction(rbm: Any, machine: Any, rows: Any) -> float:
    reconstruction = rbm.visible_mean(machine, rbm.hidden_probability(machine, rows))
    return float((rows - reconstruction).square().mean())


def test_stack_trains_greedily(rbm: Any) -> None:
    rows = torch.from_numpy(striped(200)).float()
    machines = rbm.stack(rows, (8, 4), 100, generator(), gaussian=False)
    assert [tuple(machine.weight.shape) for machine in machines] == [(16, 8), (8, 4)]
    alone = rbm.stack(rows, (8,), 100, generator(), gaussian=False)
    assert torch.equal(alone[0].weight, machines[0].weight)
    again = rbm.stack(rows, (8, 4), 100, generator(), gaussian=False)
    assert torch.equal(again[1].weight, machines[1].weight)


def make(**arguments: Any) -> Any:
    from dynamaze.agents.learners import DeepBelief

    return DeepBelief(
        16, 2, **{"hidden": (16,), "visible": "binary", "tuning_steps": 100, **arguments}
    )


def targets(x: np.ndarray) -> np.ndarray:
    return np.stack([x @ np.linspace(-1, 1, 16), 3 + x[:, 0] * x[:, 1]], axis=1)


def test_layers_start_from_machines(rbm: Any) -> None:
    x = striped(64)
    learner = make(hidden=(8, 4), tuning_steps=0, pretraining_steps=50)
    learner.add_unlabelled(x)
    learner.update(x[:20], targets(x[:20]))
    x, lowest = torch.from_numpy(x).float(), torch.from_numpy(learner.parameters.arrays["weight0"])
    assert lowest.abs().max() < 3
    machine = rbm.BoltzmannMachine(
        lowest,
        torch.zeros(16),
        torch.from_numpy(learner.parameters.arrays["bias0"]),
        gaussian=False,
    )
    other = machine._replace(
        weight=torch.from_numpy(learner.parameters.arrays["weight1"]),
        hidden_bias=torch.from_numpy(learner.parameters.arrays["bias1"]),
    )
    expected = rbm.hidden_probability(other, rbm.hidden_probability(machine, x))
    features = learner.features(x.numpy().astype(np.float64))
    np.testing.assert_allclose(features[:, :-1], expected, atol=1e-5)
    assert np.all(features[:, -1] == 1)


def test_unlabelled_inputs_need_pretraining() -> None:
    x = striped(300)
    for pretrain in (True, False):
        predictions = []
        for more in (0, 200):
            learner = make(pretrain=pretrain, pretraining_steps=100)
            learner.add_unlabelled(x[100 : 100 + more])
            learner.update(x[:50], targets(x[:50]))
            predictions.append(learner.predict(x[50:100]).mean)
        # The range of binary inputs is [0, 1] with and without.
        assert np.array_equal(*predictions) == (not pretrain)


def test_pretraining_reduces_error() -> None:
    from dynamaze.benchmarks.studies import deep_belief

    config = deep_belief.DeepBeliefConfig(
        runs=2, labelled=(50,), held_out=200, hidden=(64,), pretraining_steps=800
    )
    done: list[int] = []
    tables = deep_belief.run(config, lambda: done.append(1))
    assert len(done) == config.total_runs == 4
    table = tables["deep_belief"]
    assert len(table["arm"]) == 6
    pictures = (table["observation"] == "picture") & (table["arm"] == "unlabelled")
    one_hot = (table["observation"] == "one_hot") & (table["arm"] == "unlabelled")
    assert table["gain_mean"][pictures] > 0.05 > table["gain_mean"][one_hot]
    assert len(deep_belief.summary(tables, config)) == 3
    deep_belief.plot(tables, config).draw_without_rendering()


def test_back_propagation_learns_function() -> None:
    x = striped(600, seed=1)
    learner = make(hidden=(32,), tuning_steps=1000, pretraining_steps=100)
    learner.update(x[:500], targets(x[:500]))
    error = (learner.predict(x[500:]).mean - targets(x[500:])) / targets(x).std(axis=0)
    assert np.sqrt((error**2).mean()) < 0.35


def test_last_layer_learns_exactly() -> None:
    x = striped(90)
    learner = make(tuning_steps=20, pretraining_steps=20)
    learner.update(x[:50], targets(x[:50]))
    features = learner.features(x)
    for row in range(50, 80):
        learner.update(x[row : row + 1], targets(x[row : row + 1]))
    assert np.array_equal(features, learner.features(x))
    # Ridge regression on the features, in the targets' units.
    y = (targets(x[:80]) - learner.units.offset) / learner.units.spread
    gram = features[:80].T @ features[:80] + learner.last_layer.precision * np.eye(17)
    weights = np.linalg.solve(gram, features[:80].T @ y)
    expected = learner.units.offset + learner.units.spread * (features @ weights)
    # Updates row by row lose digits where features are nearly alike, as they are on some machines.
    np.testing.assert_allclose(learner.predict(x).mean, expected, atol=1e-5)
    variance = np.einsum("ij,jk,ik->i", features, np.linalg.inv(gram), features)
    misfit = ((y - features[:80] @ weights) ** 2).sum(axis=0)
    misfit += learner.last_layer.precision * (weights**2).sum(axis=0)
    noise = learner.units.spread**2 * (misfit + 1) / 81
    np.testing.assert_allclose(learner.predict(x).noise[0], noise, rtol=1e-4)
    np.testing.assert_allclose(learner.predict(x).epistemic, variance[:, None] * noise, rtol=1e-4)


def test_last_layer_is_calibrated() -> None:
    # Linear targets, weights and noise of the prior's kind; 200 problems of 20 targets. The shares'
    # standard error is below 0.01: a false alarm is a matter of 4 sigma.
    from dynamaze.agents.learners.deep_belief import LastLayer

    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        features = np.concatenate([rng.random((60, 5)), np.ones((60, 1))], axis=1)
        y = features @ rng.standard_normal((6, 1)) + 0.5 * rng.standard_normal((60, 1))
        layer = LastLayer(6, 1)
        layer.update(features[:40], y[:40])
        layer.choose_precision()
        mean, epistemic, noise = layer.predict(features[40:])
        inside.append((np.abs(y[40:] - mean) < 1.645 * np.sqrt(epistemic + noise)).mean())
    assert np.std(inside) / np.sqrt(200) < 0.01
    assert abs(np.mean(inside) - 0.9) < 0.04


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"visible": "gausian"}, "did you mean 'gaussian'"),
        ({"hidden": ()}, "at least one layer"),
        ({"hidden": (4, 0)}, "hidden=0"),
        ({"tuning_steps": -1}, "tuning_steps=-1"),
    ],
)
def test_invalid_arguments_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_training_without_data_rejected() -> None:
    with pytest.raises(RuntimeError, match="expected an update first"):
        make().train()
