"""Losses against manual examples and brute force."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from dynamaze.distill.core import losses
from dynamaze.distill.core.distributions import GAUSSIAN
from dynamaze.distill.core.losses import Targets, kl, make_loss, student_driven

STUDENT = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.5]], dtype=torch.float64)
TEACHER = torch.tensor([[3.0, 1.0, 0.0], [1.0, 0.0, 4.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 3.0], dtype=torch.float64)
TARGETS = Targets(TEACHER, WEIGHTS)


def _softmax(logits):
    unnormalised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)


def _mean(rows):
    return (rows * WEIGHTS.numpy()).sum() / WEIGHTS.sum().item()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_kl_matches_formula(temperature):
    p, q = (_softmax(x.numpy() / temperature) for x in (TEACHER, STUDENT))
    expected = temperature**2 * _mean((p * np.log(p / q)).sum(axis=1))
    assert kl(temperature)(STUDENT, TARGETS).item() == pytest.approx(expected, rel=1e-12)


def test_kl_mixes_hard_labels_linearly():
    soft, hard = kl(2.0)(STUDENT, TARGETS), losses.nll(STUDENT, TARGETS)
    mixed = kl(2.0, hard=0.25)(STUDENT, TARGETS)
    assert mixed.item() == pytest.approx((0.75 * soft + 0.25 * hard).item(), rel=1e-12)


@pytest.mark.parametrize("hard", [-0.5, 1.5, float("nan")])
def test_kl_checks_share_of_hard_labels(hard):
    with pytest.raises(ValueError, match=r"hard=.*; expected a number in \[0, 1\]"):
        kl(hard=hard)


def test_nll_uses_best_action():
    log_policy = np.log(_softmax(STUDENT.numpy()))
    assert losses.nll(STUDENT, TARGETS).item() == pytest.approx(
        _mean([-log_policy[0, 0], -log_policy[1, 2]])
    )


def test_set_nll_sums_best_actions():
    logits = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], requires_grad=True)
    targets = Targets(torch.tensor([[0.0, 0.0, -9.0], [-1.0, -1.0, 0.0]]), torch.tensor([1.0, 3.0]))
    share = np.exp([1.0, 2.0]).sum() / np.exp([1.0, 2.0, 3.0]).sum()
    loss = losses.set_nll(logits, targets)
    assert float(loss.detach()) == pytest.approx((-np.log(share) + 3 * np.log(3)) / 4)
    loss.backward()
    assert torch.isfinite(logits.grad).all()


def test_mse_ignores_row_constant():
    shifted = STUDENT + torch.tensor([[5.0], [-7.0]])
    expected = losses.mse(STUDENT, TARGETS).item()
    assert losses.mse(shifted, TARGETS).item() == pytest.approx(expected)
    gap = (STUDENT - TEACHER).numpy()
    centred = gap - gap.mean(axis=1, keepdims=True)
    assert expected == pytest.approx(_mean((centred**2).mean(axis=1)))


@pytest.mark.parametrize("scale", [1e-3, 0.2, 50.0])
def test_weighted_mean_ignores_scale_of_weights(scale):
    rows = torch.tensor([4.0, 8.0], dtype=torch.float64)
    assert losses.weighted_mean(rows, scale * WEIGHTS).item() == pytest.approx(7.0, rel=1e-12)
    assert losses.weighted_mean(rows, 0 * WEIGHTS).item() == 0.0


def test_reverse_kl_swaps_arguments():
    swapped = kl()(TEACHER, Targets(STUDENT, WEIGHTS))
    assert losses.reverse_kl(STUDENT, TARGETS).item() == pytest.approx(swapped.item())


def test_kl_gradient_independent_of_temperature():
    """At a high temperature the gradient tends to that of half the centred squared error / A."""
    logits = STUDENT.clone().requires_grad_()
    kl(1e4)(logits, TARGETS).backward()
    gap = STUDENT - TEACHER
    gap = (gap - gap.mean(dim=1, keepdim=True)) / 3 * (WEIGHTS / WEIGHTS.sum())[:, None]
    torch.testing.assert_close(logits.grad, gap, rtol=1e-3, atol=1e-6)


def test_weighted_by_criticality_and_margin():
    np.testing.assert_allclose(losses.criticality(TEACHER).numpy(), [3.0, 4.0])
    p = np.sort(_softmax(TEACHER.numpy()), axis=1)
    np.testing.assert_allclose(losses.margin(TEACHER).numpy(), p[:, -1] - p[:, -2])
    weighted = losses.weighted("nll", losses.criticality)(STUDENT, TARGETS)
    expected = losses.nll(STUDENT, Targets(TEACHER, WEIGHTS * torch.tensor([3.0, 4.0])))
    assert weighted.item() == pytest.approx(expected.item())


def test_gaussian_divergence_matches_torch():
    rng = torch.Generator().manual_seed(0)
    mean, log_std, teacher_mean, teacher_log_std = torch.randn(4, 5, 2, generator=rng)
    student = torch.distributions.Normal(mean, log_std.exp())
    teacher = torch.distributions.Normal(teacher_mean, teacher_log_std.exp())
    expected = torch.distributions.kl_divergence(teacher, student).sum(dim=1)
    found = losses.gaussian_divergence(mean, log_std, teacher_mean, teacher_log_std)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.arange(5.0)
    labels = torch.cat([teacher_mean, teacher_log_std], dim=1)
    targets = Targets(labels, weights, distribution=GAUSSIAN)
    loss = losses.gaussian_kl(torch.cat([mean, log_std], dim=1), targets)
    torch.testing.assert_close(loss, weights @ expected / 10, rtol=1e-5, atol=1e-5)


def test_value_mse_requires_values():
    with pytest.raises(ValueError, match="without the teacher's values"):
        losses.value_mse(torch.zeros(2), TARGETS)
    found = losses.value_mse(torch.tensor([1.0, 2.0]), TARGETS._replace(values=torch.zeros(2)))
    assert found.item() == pytest.approx((1 + 3 * 4) / 4)


def test_make_loss_refuses_unknown_name():
    with pytest.raises(ValueError, match=r"loss='kll'; expected one of .*; did you mean 'kl'"):
        make_loss("kll")
    with pytest.raises(ValueError, match="temperature"):
        kl(0.0)


def _expected_gradient(logits, teacher, moves, horizon, with_return):
    """Gradient over all trajectories of a tiny MDP, weighted by their probabilities."""
    actions = logits.shape[1]
    grad = torch.zeros_like(logits)
    for trajectory in itertools.product(range(actions), repeat=horizon):
        variable = logits.clone().requires_grad_()
        state, visited = 0, []
        for action in trajectory:
            visited.append(state)
            state = moves[state][action]
        log_policy = functional.log_softmax(variable, dim=1)
        taken = [log_policy[s, a] for s, a in zip(visited, trajectory, strict=True)]
        probability = torch.stack(taken).sum().exp()
        rows = torch.tensor(visited)
        loss = student_driven(
            variable[rows][:, None],
            teacher[rows][:, None],
            torch.tensor(trajectory)[:, None],
            torch.ones(horizon, 1, dtype=torch.float64),
            with_return=with_return,
        )
        grad += probability.detach() * torch.autograd.grad(loss, variable)[0]
    return grad


def _true_gradient(logits, teacher, moves, horizon):
    """Gradient of the expected divergence along trajectories, by automatic differentiation."""
    variable = logits.clone().requires_grad_()
    log_policy = functional.log_softmax(variable, dim=1)
    log_teacher = functional.log_softmax(teacher, dim=1)
    rows = (log_teacher.exp() * (log_teacher - log_policy)).sum(dim=1)
    occupancy = [torch.zeros((), dtype=torch.float64) for _ in range(len(logits))]
    occupancy[0] = torch.ones((), dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for _ in range(horizon):
        total = total + sum(p * r for p, r in zip(occupancy, rows, strict=True))
        after = [torch.zeros((), dtype=torch.float64) for _ in occupancy]
        for state, p in enumerate(occupancy):
            for action, to in enumerate(moves[state]):
                after[to] = after[to] + p * log_policy[state, action].exp()
        occupancy = after
    return torch.autograd.grad(total, variable)[0]


def test_student_driven_gradient_needs_return():
    rng = torch.Generator().manual_seed(1)
    logits, teacher = torch.randn(2, 3, 2, generator=rng, dtype=torch.float64)
    moves = [[1, 2], [0, 2], [1, 0]]
    truth = _true_gradient(logits, teacher, moves, 4)
    found = _expected_gradient(logits, teacher, moves, 4, with_return=True)
    torch.testing.assert_close(found, truth, rtol=1e-10, atol=1e-12)
    without = _expected_gradient(logits, teacher, moves, 4, with_return=False)
    assert (without - truth).abs().max() > 0.05
