"""Parts of network learners."""

from __future__ import annotations

import numpy as np
import pytest

from dynamaze.agents.learners.networks import Parameters, TrainingSettings


def test_step_equals_adam() -> None:
    torch = pytest.importorskip("torch", reason="the oracle")
    parameters = Parameters({"a": (4, 3), "b": (5,)})
    rng = np.random.default_rng(0)
    parameters.values[:] = rng.standard_normal(17)
    reference = torch.from_numpy(parameters.values.copy()).requires_grad_()
    adam = torch.optim.Adam([reference], lr=3e-3)
    for _ in range(20):
        parameters.gradients[:] = rng.standard_normal(17)
        reference.grad = torch.from_numpy(parameters.gradients.copy())
        parameters.adam_step(3e-3)
        adam.step()
        np.testing.assert_allclose(parameters.values, reference.detach(), atol=1e-6)
    assert np.array_equal(parameters.arrays["b"], parameters.values[12:])
    assert np.shares_memory(parameters.slopes["a"], parameters.gradients)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("learning_rate", 0.0), ("batch_size", 0), ("capacity", 0.5), ("min_spread", -1.0)],
)
def test_training_settings_reject_number(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{setting}={value}"):
        TrainingSettings(**{setting: value})
