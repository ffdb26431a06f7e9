"""Pruning: the selected weights, their number, and that they stay zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.files.students import load_student, save_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.parametrised import plain, plain_weights
from dynamaze.distill.students.quantise import quantised, quantised_weights
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller, TrainingStep
from dynamaze.distill.training.prune import GradualPruning, Zeros, masks_of, prune_to, pruned, zeros

from ..composite_students import COMPOSITES

NETWORKS = sorted(set(STUDENTS) - {"table", "tree"})
SHAPE = {"observation_shape": (3, 5, 7), "num_actions": 4}
MADE: dict[str, dict[str, Any]] = {
    "experience_gru": {"width": 5},
    "map_value_iteration": {},
    "value_iteration": {"maps": 5},
    "residual": {"channels": 4, "blocks": 1},
    "transformer": {"layers": 1, "width": 8, "heads": 1},
    **COMPOSITES,
}


def by_hand() -> MLP:
    """MLP of two inputs, two hidden units and one action, with fixed weights."""
    student = MLP((2,), 1, 2)
    with torch.no_grad():
        student.layers[0].weight.copy_(torch.tensor([[0.1, -8.0], [2.0, -0.3]]))
        student.layers[0].bias.fill_(0.01)
        student.layers[1].weight.copy_(torch.tensor([[9.0, -5.0]]))
        student.layers[1].bias.fill_(0.01)
    return student


def weights(student: Any) -> list[list[list[float]]]:
    return [layer.weight.tolist() for layer in student.layers]


def rows(count: int = 40) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(make_batch(rng.random((count, 2)), rng.random((count, 2))), batch_size=8)


def test_pruned_smallest_per_tensor_or_student() -> None:
    eight, third = pytest.approx(-8.0), pytest.approx(-0.3)
    assert weights(pruned(by_hand(), 0.5)) == [[[0, eight], [2, 0]], [[9, 0]]]
    assert weights(pruned(by_hand(), 0.5, "student")) == [[[0, eight], [0, 0]], [[9, -5]]]
    assert weights(pruned(by_hand(), 0)) == weights(by_hand())
    assert zeros(pruned(by_hand(), 1)) == Zeros(6, 9)  # biases stay
    only = pruned(by_hand(), 0.5, tensors=["layers.1.weight"])
    assert weights(only) == [[[pytest.approx(0.1), eight], [2, third]], [[9, 0]]]
    biased = pruned(by_hand(), 1.0, tensors=["layers.0.bias"])
    assert plain_weights(biased)["layers.0.bias"].tolist() == [0, 0]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.85, 1.0])
def test_pruned_share_is_exact(kind: str, share: float) -> None:
    student = make_student(kind, **MADE.get(kind, SHAPE))
    one, together = pruned(student, share), pruned(student, share, "student")
    sizes = [weight.numel() for weight in student.parameters() if weight.ndim > 1]
    for cut, wanted in (
        (one, sum(round(share * n) for n in sizes)),
        (together, round(share * sum(sizes))),
    ):
        masks = masks_of(cut)
        assert sum(int((~mask.kept).sum()) for mask, _ in masks) == wanted
        assert [mask.kept.numel() for mask, _ in masks] == sizes
        assert cut.num_parameters == student.num_parameters
        np.testing.assert_array_equal(
            [weight.numel() for weight in plain(cut).parameters()],
            [weight.numel() for weight in cut.parameters()],
        )


def test_pruned_equal_weights_in_order() -> None:
    student = MLP((5,), 1, layers=0)
    with torch.no_grad():
        student.layers[0].weight.fill_(1.0)
    cut = pruned(student, 0.4)
    assert weights(cut) == [[[0, 0, 1, 1, 1]]]
    prune_to(cut, 0.6)
    assert weights(cut) == [[[0, 0, 0, 1, 1]]]


def test_pruned_zeros_stay_in_training() -> None:
    cut = pruned(MLP((2,), 2, 2), 0.5)
    before = plain_weights(cut)
    Distiller(cut, rows(), total_steps=30, loss="mse", learning_rate=0.1, device="cpu").distil()
    after = plain_weights(cut)
    for name in ("layers.0.weight", "layers.1.weight"):
        assert torch.equal(before[name] == 0, after[name] == 0)
        assert (before[name] != after[name]).sum() == 2
    cut = pruned(by_hand(), 0.5)
    cut(torch.ones(1, 2)).sum().backward()
    gradient = cut.layers[1].parametrizations.weight.original.grad
    assert gradient[0, 1] == 0
    assert gradient[0, 0] != 0


def test_prune_to_smaller_share_changes_nothing() -> None:
    cut = pruned(by_hand(), 0.5)
    before = weights(cut)
    prune_to(cut, 0.1)
    assert weights(cut) == before
    with torch.no_grad():  # masked numbers may be large and stay masked
        cut.layers[0].parametrizations.weight.original[0, 0] = 1000.0
    prune_to(cut, 0.75)
    assert weights(cut)[0] == [[0, pytest.approx(-8.0)], [0, 0]]


def test_gradual_schedule_matches_equation() -> None:
    schedule = GradualPruning(0.8, first=0.2, last=0.6)
    shares = [schedule.share_at(progress) for progress in (0, 0.2, 0.3, 0.4, 0.6, 1.0)]
    np.testing.assert_allclose(shares, [0, 0, 0.8 * (1 - 0.75**3), 0.8 * 0.875, 0.8, 0.8])
    assert GradualPruning(0.5, first=1.0, last=1.0).share_at(1.0) == 0.5


def test_gradual_pruning_reaches_share_and_resumes(tmp_path: Path) -> None:
    def fresh() -> Distiller:
        student = pruned(MLP((2,), 2, 20, seed=1), 0.0)
        return Distiller(
            {"small": student, "whole": MLP((2,), 2, 20)},
            rows(),
            total_steps=40,
            loss="mse",
            device="cpu",
        )

    pruning = GradualPruning(0.75, every=5, students=["small"])
    seen: list[int] = []

    def watch(step: TrainingStep) -> None:
        seen.append(zeros(step.distiller.students["small"]).zero)

    whole = fresh().distil(callback=[pruning, watch])
    assert seen == sorted(seen)
    assert len(set(seen)) > 4
    assert seen[-1] == 30 + 30  # of 40 and of 40
    assert zeros(whole.students["whole"]).zero == 0
    fresh().distil(17, callback=pruning).save(tmp_path / "c")
    again = fresh().resume(tmp_path / "c").distil(callback=pruning)
    for name, student in whole.students.items():
        for key, weight in student.state_dict().items():
            assert torch.equal(weight, again.students[name].state_dict()[key]), key


@pytest.mark.parametrize("bits", [8, 4, "ternary"])
def test_pruned_and_quantised_keeps_zeros(bits: Any) -> None:
    cut = pruned(by_hand(), 0.5)
    small = quantised(cut, bits)
    assert cut.config == by_hand().config
    assert [len(cut.layers[0].parametrizations.weight), len(masks_of(cut))] == [1, 2]
    for name, weight in quantised_weights(small).items():
        if name.endswith("weight"):
            assert not weight.integers[(plain_weights(cut)[name] == 0).numpy()].any()
        assert weight.dequantise().tobytes() == plain_weights(small)[name].numpy().tobytes()
    prune_to(small, 0.75)
    assert zeros(small).zero >= 3 + 2
    assert zeros(cut).zero == 2 + 1


def test_pruned_leaves_original_unchanged() -> None:
    student = by_hand()
    cut = pruned(student, 0.5)
    assert type(student) is MLP
    assert zeros(student).zero == 0
    bare = plain(cut)
    assert type(bare) is MLP
    assert type(bare.layers[0]) is torch.nn.Linear
    assert weights(bare) == weights(cut)
    assert len(masks_of(cut)) == 2


def test_pruned_file_holds_zeros(tmp_path: Path) -> None:
    cut = pruned(ValueIterationNetwork(4), 0.8, tensors=["reward"])
    save_student(tmp_path / "s", cut)
    loaded = load_student(tmp_path / "s")
    assert zeros(loaded) == zeros(cut) == Zeros(58, 113)
    again = pruned(loaded, 0.8, tensors=["reward"])
    for (mask, _), (other, _) in zip(masks_of(cut), masks_of(again), strict=True):
        assert torch.equal(mask.kept, other.kept)


def test_zeros_counts_and_prints() -> None:
    assert str(zeros(pruned(by_hand(), 0.5))) == "3 of 9 parameters are zero (33.3%)"


def test_pruned_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match=r"share=1\.5"):
        pruned(by_hand(), 1.5)
    with pytest.raises(ValueError, match="did you mean 'tensor'"):
        pruned(by_hand(), 0.5, "tensors")
    with pytest.raises(ValueError, match=r"did you mean 'layers\.0\.weight'"):
        pruned(by_hand(), 0.5, tensors=["layers.0.weigh"])
    with pytest.raises(ValueError, match="pruned already"):
        pruned(pruned(by_hand(), 0.5), 0.7)
    with pytest.raises(ValueError, match="pruned first"):
        pruned(quantised(by_hand()), 0.5)
    with pytest.raises(ValueError, match="without masks"):
        prune_to(by_hand(), 0.5)
    with pytest.raises(TypeError, match="type Linear; expected a network"):
        pruned(torch.nn.Linear(1, 1), 0.5)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="last"):
        GradualPruning(0.5, first=0.5, last=0.4)
