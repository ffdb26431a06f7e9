"""Certificates of networks whose moves are not exact, as they are after training."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core.certificate import NotCertifiedError
from dynamaze.distill.export.certify import certify
from dynamaze.distill.export.compiled import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.quantise import quantised

from ..certified import count_cells, random_network, wrong_cells
from ..exact_value_iteration import exact_value_iteration, trained_value_iteration
from ..students.test_hardened import detour


@pytest.mark.parametrize(("scale", "spread"), [(9, 0.0), (10, 0.01), (14, 0.03), (25, 0.0)])
def test_random_networks_are_right_below_bound(scale: float, spread: float) -> None:
    draw = np.random.default_rng(scale)
    checked = beyond = networks = 0
    while networks < 10:
        network = random_network(draw, spread=spread, scale=scale)
        with suppress(NotCertifiedError):
            cells, failed = count_cells(network, certify(network), draw)
            checked, beyond, networks = checked + cells, beyond + failed, networks + 1
    assert checked > 2500
    assert beyond > 3


def test_leaking_moves_shorten_proof() -> None:
    """The other cells' values count: the bound falls as moves take more of them."""
    trained, steps = trained_value_iteration(), []
    with torch.no_grad():
        trained.bias.fill_(trained.bias.mean())
        trained.reward[trained.reward.abs() < 0.01] = 0.0
        for scale in (1.5, 2.0, 3.0):
            trained.scale.fill_(scale)
            steps.append(certify(trained).steps)
    assert 0 < steps[0] < steps[1] < steps[2]


@pytest.mark.parametrize("bits", ["ternary", 8])
def test_trained_student_is_right_below_bound(bits: Any) -> None:
    """Without hardening, too; far beyond the bound it goes into the wall."""
    student = quantised(trained_value_iteration(), bits, "tensor")
    found = certify(student)
    assert found.one_goal >= found.steps > 100
    policy = build_policy(to_stored(student))
    distance, wrong = wrong_cells(policy, detour(found.steps // 2))
    assert distance.max() >= found.steps - 1
    assert not wrong[distance <= found.steps].any()
    distance, wrong = wrong_cells(policy, detour(1500))
    assert not wrong[distance <= found.one_goal].any()
    assert wrong.any()


def test_hardening_extends_proof() -> None:
    trained = trained_value_iteration()
    assert certify(trained).one_goal < 100 < 2**20 < certify(hardened(trained)).steps
    assert certify(exact_value_iteration()).steps > 500  # its moves take 3e-43 of other cells


def test_soft_certificate_refuses() -> None:
    network = random_network(np.random.default_rng(0), spread=0.0, scale=5)
    with pytest.raises(NotCertifiedError, match=r"expected at most 0\.02, or exact moves"):
        certify(network)
    network = random_network(np.random.default_rng(0), spread=0.0, scale=7)
    with torch.no_grad():
        network.bias.fill_(-1e-3)
    with pytest.raises(NotCertifiedError, match="expected a step that costs more"):
        certify(network)
    network = random_network(np.random.default_rng(0), spread=0.0, scale=20)
    with torch.no_grad():
        network.reward[:, 1] = 0
    with pytest.raises(NotCertifiedError, match="a goal whose reward is only"):
        certify(network)
