"""Deep belief network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .patterns import striped

torch = pytest.importorskip("torch", reason="the deep belief network needs torch")
pytestmark = pytest.mark.filterwarnings("error")


def make(**arguments: Any) -> Any:
    from dynamaze.agents.learners import DeepBelief

    return DeepBelief(
        16, 2, **{"hidden": (16,), "visible": "binary", "tuning_steps": 100, **arguments}
    )


def targets(x: np.ndarray) -> np.ndarray:
    return np.stack([x @ np.linspace(-1, 1, 16), 3 + x[:, 0] * x[:, 1]], axis=1)


def test_layers_start_from_machines() -> None:
    from dynamaze.agents.learners import rbm

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


def test_default_seed_is_zero() -> None:
    np.testing.assert_equal(make().get_state(), make(seed=0).get_state())


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
    tables = deep_belief.run(config)
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
