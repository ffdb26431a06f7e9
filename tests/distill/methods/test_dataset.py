"""Dataset distillation: synthetic states, labels and step sizes."""

from functools import partial

import numpy as np
import pytest
import torch

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.losses import kl
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.dataset import DatasetDistillation, SyntheticStates
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.mlp import MLP, Linear
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method

OBSERVATIONS = np.random.default_rng(0).normal(size=(128, 2)).astype("f4")
LABELS = 2 * OBSERVATIONS @ np.array([[2.0, -2.0, 0.0], [0.0, 2.0, -2.0]])
DATA = Dataset(make_batch(OBSERVATIONS, LABELS), batch_size=128)


def _distiller(students=None, steps=6, **config):
    method = make_method("dataset", **{"states": 3, "inner_steps": 4, **config})
    return Distiller(students or MLP((2,), 3, 8), DATA, method, total_steps=steps)


def test_trained_weights_equal_gradient_descent():
    torch.manual_seed(0)
    student, synthetic = MLP((2,), 3, 4), SyntheticStates((2,), 3, 5, 3, 0.5)
    synthetic.log_step_sizes.data += torch.tensor([0.0, 0.3, -0.2])
    start = dict(student.named_parameters())
    found = synthetic.trained_weights(student, start, kl())
    other = MLP((2,), 3, 4)
    for size in synthetic.log_step_sizes.exp().tolist():
        optimizer = torch.optim.SGD(other.parameters(), size)
        optimizer.zero_grad()
        logits = synthetic.labels.detach().log_softmax(1)
        rows = logits.exp() * (logits - other(synthetic.observations.detach()).log_softmax(1))
        rows.sum(dim=1).mean().backward()
        optimizer.step()
    for name, weight in other.named_parameters():
        torch.testing.assert_close(found[name].detach(), weight.detach())
    with_graph = synthetic.trained_weights(student, start, kl(), graph=True)
    for name, weight in found.items():
        torch.testing.assert_close(with_graph[name].detach(), weight.detach())


def test_gradient_of_step_size_is_exact():
    # One weight w, one state x with label y, one step of size a on (w x - y)^2, then the loss at
    # x = 1 with the label t: d/da (w' - t)^2 = 2 (w' - t) * (-2 (w x - y) x).
    student = Linear((1,), 1)
    synthetic = SyntheticStates((1,), 1, 1, 1, 0.1)
    x, y, w, t = 2.0, 3.0, 0.5, 1.0
    synthetic.observations.data.fill_(x)
    synthetic.labels.data.fill_(y)
    start = {"layers.0.weight": torch.tensor([[w]]), "layers.0.bias": torch.zeros(1)}

    def squared(logits, targets):
        return (logits - targets.logits).square().mean()

    weights = synthetic.trained_weights(student, start, squared, graph=True)
    (weights["layers.0.weight"] - t).square().sum().backward()
    slope = 2 * (w * x - y) * x
    after = w - 0.1 * slope
    expected = 2 * (after - t) * -slope * 0.1  # times d a / d log a
    torch.testing.assert_close(synthetic.log_step_sizes.grad, torch.tensor([expected]))


@pytest.mark.parametrize("initial", ["fixed", "random"])
def test_learns_states_that_teach(initial):
    distiller = _distiller(steps=100, initial=initial, learning_rate=0.1)
    losses = []
    distiller.distil(callback=lambda step: losses.append(step.terms["student.states/real"]))
    assert np.mean(losses[-10:]) < 0.5 * losses[0]
    best = LABELS.argmax(axis=1)
    agreement = (distiller.student.action_logits(OBSERVATIONS).argmax(axis=1) == best).mean()
    assert agreement > 0.8  # of the network that is trained on three states alone


@pytest.mark.parametrize("initial", ["fixed", "random"])
def test_promises_of_methods(initial):
    check_method(partial(DatasetDistillation, 3, 4, initial))


def test_fixed_initial_weights_are_kept():
    distiller = _distiller().distil(2)
    start, fresh = distiller.parts["student.start"].module, MLP((2,), 3, 8)
    for key, weight in fresh.state_dict().items():
        assert torch.equal(start.state_dict()[key], weight)


@pytest.mark.parametrize(
    ("config", "student", "error", "message"),
    [
        ({"states": 0}, None, ValueError, "states"),
        ({"inner_steps": 0}, None, ValueError, "inner_steps"),
        ({"initial": "none"}, None, ValueError, "fixed"),
        ({"step_size": 0}, None, ValueError, "step_size"),
        ({}, Convolution((3, 5, 5), 4), TypeError, "single observations"),
        ({}, GaussianStudent(MLP((2,), 2), [-1], [1]), TypeError, "continuous"),
    ],
)
def test_refusals(config, student, error, message):
    source = FunctionSource(None, lambda rng, progress: OBSERVATIONS)
    with pytest.raises(error, match=message):
        Distiller(student or MLP((2,), 3), source, make_method("dataset", **config), total_steps=1)
