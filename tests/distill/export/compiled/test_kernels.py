"""The compiled convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.export.compiled.kernels import _tanh
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.registry import make_student

from ...student_cases import observations, student

MADE: dict[str, dict[str, Any]] = {
    "one channel, one layer": {"observation_shape": (3, 6, 5), "channels": 1, "layers": 1},
    "field larger than the maze": {"observation_shape": (3, 6, 5), "channels": 5, "layers": 8},
    "three planes, not per cell": {"observation_shape": (3, 6, 5), "per_cell": False},
    "halved to one cell": {"observation_shape": (2, 6, 5), "layers": 5},
    "image of three rows": {"observation_shape": (3, 5, 3), "layers": 2},
    "planes three wide": {"observation_shape": (3, 5, 3), "per_cell": True},
}


def without_torch(network: Any) -> Any:
    return build_policy(to_stored(network))


@pytest.mark.parametrize("name", MADE)
def test_conv_kinds_match_student(name: str) -> None:
    network = make_student("conv", **MADE[name], num_actions=4, seed=1)
    rng, shape = np.random.default_rng(0), MADE[name]["observation_shape"]
    policy = without_torch(network)
    queried = (rng.random((200, *shape)) < 0.5).astype(np.float32)
    queried[:, 1, 0, 1] = 1.0
    check_parity(network, policy, queried)
    assert [policy.act(one) for one in queried] == [network.act(one) for one in queried]
    assert policy.num_parameters == network.num_parameters
    assert policy.multiply_adds(shape) == network.multiply_adds(shape)


@pytest.mark.parametrize("name", ["conv", "conv of an image", "conv of a window"])
@pytest.mark.parametrize("kind", ["u1", "f4", "f8", "i8", "?", "f2"])
def test_conv_observation_types_match_student(name: str, kind: str) -> None:
    queried = np.round(observations(name, 20)).astype(kind)
    network, policy = student(name), without_torch(student(name))
    wanted = network.action_logits(queried)
    np.testing.assert_allclose(policy.action_logits(queried), wanted, atol=1e-4)
    wide = np.repeat(queried, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(policy.action_logits(wide), policy.action_logits(queried))


def test_conv_computes_only_queried_cells() -> None:
    policy = without_torch(student("conv"))  # two layers: a field of 5x5 cells
    queried = observations("conv", 1)
    queried[0, 1] = 0.0
    queried[0, 1, 5, 5] = 1.0
    before = policy.action_logits(queried)
    far, near = queried.copy(), queried.copy()
    far[0, ::2] = 1.0 - far[0, ::2]
    far[0, ::2, 3:8, 3:8] = queried[0, ::2, 3:8, 3:8]
    near[0, 0, 3, 7] = 1.0 - near[0, 0, 3, 7]
    np.testing.assert_array_equal(policy.action_logits(far), before)
    assert np.abs(policy.action_logits(near) - before).max() > 1e-6


def test_conv_tanh_accuracy() -> None:
    numbers = np.concatenate([np.linspace(-12, 12, 20_001), np.logspace(-30, 0, 100), [-9e9, 9e9]])
    found = np.array([_tanh(x) for x in numbers.astype(np.float32)])
    np.testing.assert_allclose(found, np.tanh(numbers.astype(np.float32)), rtol=4e-7)
    assert np.isnan(_tanh(np.float32(np.nan)))


@pytest.mark.parametrize(
    ("weight", "change", "message"),
    [
        ("layers.0.weight", lambda w: w[:, :1], r"layers.0.weight \(8, 1, 3, 3\); expected \(8, 2"),
        ("layers.1.bias", lambda w: w[:5], r"layers.1.bias \(5,\); expected \(8,\)"),
        ("last.weight", lambda w: w[:, :3], r"last.weight \(4, 3\); expected \(4, 8\)"),
        ("last.bias", lambda w: w[:3], r"last.bias \(3,\); expected \(4,\)"),
    ],
)
def test_conv_refuses_misfit_weights(weight: str, change: Any, message: str) -> None:
    stored = to_stored(student("conv"))
    weights = {**stored.weights, weight: change(stored.weights[weight])}
    with pytest.raises(StudentFileError, match=message):
        build_policy(stored._replace(weights=weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_actions": 5}, r"last.weight \(4, 8\); expected \(5, 8\)"),
        ({"layers": 1}, r"weights \['last.bias', .* expected \['last.bias'"),
        ({"channels": 7}, r"layers.0.weight \(8, 2, 3, 3\); expected \(7, 2"),
    ],
)
def test_conv_refuses_misfit_config(change: dict[str, Any], message: str) -> None:
    stored = to_stored(student("conv"))
    with pytest.raises(StudentFileError, match=message):
        build_policy(stored._replace(config={**stored.config, **change}))


@pytest.mark.parametrize("lost", ["per_cell", "layers", "observation_shape"])
def test_conv_names_missing_entry(lost: str) -> None:
    stored = to_stored(student("conv"))
    config = {name: stored.config[name] for name in stored.config if name != lost}
    with pytest.raises(StudentFileError, match=f"'{lost}' is missing"):
        build_policy(stored._replace(config=config))
    weights = {name: stored.weights[name] for name in stored.weights if name != "last.bias"}
    with pytest.raises(StudentFileError, match=r"'last\.bias' is missing"):
        build_policy(stored._replace(weights=weights))
