"""Rollouts with rewards: exact transitions in all autoreset modes, labels, resume, advantages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from dynamaze.distill.core.distributions import Bounds
from dynamaze.distill.data.on_policy import OnPolicy, generalised_advantages
from tests.distill.small_envs import MODES, BoxClock, Counting, Fixed, Gaussian, clocks


def rollout(source: OnPolicy, seed: int = 0, batches: int = 2) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    for _ in range(batches):
        batch = source.batch(rng, 0.0)
    assert batch.extra is not None
    return batch, dict(batch.extra)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first_action", [0, 5])
def test_on_policy_gives_transitions(mode: AutoresetMode, first_action: int) -> None:
    source = OnPolicy(clocks(mode, first_action=first_action), Fixed(0.3, 0.7), steps=40)
    batch, extra = rollout(source)
    step, length = batch.observations.T
    np.testing.assert_array_equal(extra["next_observations"], np.stack([step + 1, length], axis=1))
    np.testing.assert_array_equal(extra["reward"], extra["action"])
    ends = step + 1 == length
    np.testing.assert_array_equal(extra["terminated"], ends & (length % 2 == 0))
    assert extra["last"][ends].all()
    assert (extra["last"] & ~ends).sum() <= 3  # at most one open trajectory of each environment
    follows = ~extra["last"][:-1]
    np.testing.assert_array_equal(
        batch.observations[1:][follows], extra["next_observations"][:-1][follows]
    )
    probabilities = np.array([0.3, 0.7])[extra["action"]]
    np.testing.assert_allclose(extra["log_prob"], np.log(probabilities), rtol=1e-6)
    assert batch.logits is None
    assert extra["terminated"].any()
    assert (ends & ~extra["terminated"]).any()


def test_on_policy_gives_unbounded_samples_and_densities() -> None:
    torch = pytest.importorskip("torch")
    mean, log_std = np.array([0.9, -1.9]), np.array([0.1, -0.5])
    bounds = Bounds([-1, -2], [1, 4])
    source = OnPolicy(
        clocks(AutoresetMode.NEXT_STEP, kind=BoxClock), Gaussian(mean, log_std, bounds)
    )
    _, extra = rollout(source, batches=1)
    sample = extra["action"]
    np.testing.assert_allclose(extra["reward"], bounds.action(sample).sum(axis=1), rtol=1e-5)
    normal = torch.distributions.Normal(torch.tensor(mean), torch.tensor(log_std).exp())
    expected = normal.log_prob(torch.tensor(sample)).sum(dim=1)
    np.testing.assert_allclose(extra["log_prob"], expected, rtol=1e-5)


def test_teacher_labels_full_observations() -> None:
    seen: list[Any] = []

    def teacher(observations: Any) -> Any:
        seen.append(observations)
        return np.stack([observations[:, 0], observations[:, 1]], axis=1)

    source = OnPolicy(
        clocks(AutoresetMode.DISABLED),
        Fixed(0.5, 0.5),
        teacher=teacher,
        observation_fn=lambda full: full[:, :1],
        steps=9,
    )
    batch, extra = rollout(source)
    assert source.observation_shape == (1,)
    assert batch.observations.shape == extra["next_observations"].shape == (27, 1)
    np.testing.assert_array_equal(batch.logits[:, :1], batch.observations)
    assert np.concatenate(seen).shape == (54, 2)


def test_on_policy_continues_identically_after_get_state() -> None:
    def source() -> OnPolicy:
        return OnPolicy(clocks(AutoresetMode.NEXT_STEP), Fixed(0.5, 0.5), steps=7)

    one, other, rng = source(), source(), np.random.default_rng(3)
    one.batch(rng, 0.0)
    state, generator = one.get_state(), rng.bit_generator.state
    expected = [one.batch(rng, 0.0) for _ in range(2)][1]
    other.set_state(state)
    rng.bit_generator.state = generator
    found = [other.batch(rng, 0.0) for _ in range(2)][1]
    np.testing.assert_array_equal(found.observations, expected.observations)
    for name, column in (expected.extra or {}).items():
        np.testing.assert_array_equal((found.extra or {})[name], column)
    assert other.levels == one.levels


def test_on_policy_rejects_recurrent_students_and_no_steps() -> None:
    with pytest.raises(TypeError, match="recurrent"):
        OnPolicy(clocks(AutoresetMode.DISABLED), Counting())
    with pytest.raises(ValueError, match="steps"):
        OnPolicy(clocks(AutoresetMode.DISABLED), Fixed(0.5, 0.5), steps=0)
    with pytest.raises(TypeError, match="gaussian"):
        OnPolicy(clocks(AutoresetMode.DISABLED), Gaussian((0, 0))).batch(
            np.random.default_rng(0), 0.0
        )


# -- advantages ------------------------------------------------------------------------------------

COLUMNS = {
    "reward": np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
    "values": np.array([0.5, 0.25, 1.0, 2.0, 3.0]),
    "next_values": np.array([0.25, 100.0, 2.0, 6.0, 10.0]),
    "terminated": np.array([False, True, False, False, False]),
    "last": np.array([False, True, False, True, True]),  # terminated, truncated, end of the batch
}


def test_advantages_with_lambda_one_are_returns_minus_values() -> None:
    found = generalised_advantages(**COLUMNS, gamma=0.5, gae_lambda=1.0)
    returns = np.array([1 + 0.5 * 2, 2, 4 + 0.5 * (8 + 0.5 * 6), 8 + 0.5 * 6, 16 + 0.5 * 10])
    np.testing.assert_allclose(found, returns - COLUMNS["values"])


def test_advantages_with_lambda_zero_are_one_step_errors() -> None:
    found = generalised_advantages(**COLUMNS, gamma=0.5, gae_lambda=0.0)
    following = np.where(COLUMNS["terminated"], 0, COLUMNS["next_values"])
    np.testing.assert_allclose(found, COLUMNS["reward"] + 0.5 * following - COLUMNS["values"])


def test_advantages_mix_errors_by_lambda() -> None:
    found = generalised_advantages(**COLUMNS, gamma=0.5, gae_lambda=0.8)
    errors = generalised_advantages(**COLUMNS, gamma=0.5, gae_lambda=0.0)
    assert found[2] == pytest.approx(errors[2] + 0.5 * 0.8 * errors[3])
