"""Quantisation: rounding, round trips and bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.packing import (
    MAX_INTEGER,
    dequantise,
    pack_integers,
    pack_scales,
    unpack_integers,
)
from dynamaze.distill.core.size import num_bytes
from dynamaze.distill.data.playing import output_fn
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.export.compiled import build_policy, load_policy
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
from dynamaze.distill.export.onnx_graph.writer import export_onnx
from dynamaze.distill.files.students import load_student, save_student, to_stored
from dynamaze.distill.files.weights import StudentFileError, read_weights, write_weights
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.parametrised import plain, plain_weights
from dynamaze.distill.students.quantise import (
    quantise_tensor,
    quantised,
    quantised_weights,
    size_in_bytes,
)
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells, steps_to_goal

from ..composite_students import COMPOSITES
from ..exact_value_iteration import exact_value_iteration

KINDS = list(MAX_INTEGER)
SHAPE = {"observation_shape": (3, 5, 7), "num_actions": 4}
MADE: dict[str, dict[str, Any]] = {
    "experience_gru": {"width": 5},
    "map_value_iteration": {},
    "value_iteration": {"maps": 5},
    "residual": {"channels": 4, "blocks": 1},
    "transformer": {"layers": 1, "width": 8, "heads": 1},
    **COMPOSITES,
}
NETWORKS = sorted(set(STUDENTS) - {"table", "tree"})


def some(kind: str, seed: int = 0) -> Any:
    """Make a student of a kind with non-zero biases."""
    seeded = {} if kind in COMPOSITES else {"seed": seed}
    student = make_student(kind, **MADE.get(kind, SHAPE), **seeded)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=draw))
    return student


def seen() -> np.ndarray[Any, Any]:
    return query_all_cells(MazeGenerator((5, 7)), range(3))


def outputs(student: Any, kind: str) -> Any:
    """Return a student's outputs in planes, or for cells in a maze of as many."""
    if kind not in ("experience_gru", "map_value_iteration"):
        return output_fn(student)(seen())
    student.grid = (5, 7)
    return output_fn(student)(np.column_stack([np.arange(6), np.zeros((6, 2))]))


# -- the rule, by hand -------------------------------------------------------------------------


def values(weight: list[float], bits: Any) -> tuple[list[float], float]:
    integers, scales = quantise_tensor(torch.tensor(weight), bits, "tensor")
    return integers.ravel().tolist(), float(scales)


def test_integers_round_half_to_even() -> None:
    assert values([127.0, -127.0, 0.5, 1.5, -2.5, 0.51, 0.0], 8) == ([127, -127, 0, 2, -2, 1, 0], 1)
    assert values([3.5, -1.0, 0.2, 0.25, 0.75], 4) == ([7, -2, 0, 0, 2], 0.5)


def test_ternary_scale_is_mean_of_large_weights() -> None:
    # The mean magnitude is 2.5, so the threshold is 1.75, which is excluded.
    assert values([3.25, -5.0, 1.75, 0.0], "ternary") == ([1, -1, 0, 0], 4.125)


def test_scales_bfloat16_keep_largest_integer() -> None:
    draw = np.random.default_rng(0)
    for bits in (8, 4):
        for _ in range(200):
            weight = torch.from_numpy(draw.normal(size=9) * 10.0 ** draw.integers(-20, 20)).float()
            integers, scales = quantise_tensor(weight, bits, "tensor")
            assert integers.abs().max() == MAX_INTEGER[bits]
            assert torch.equal(scales.to(torch.bfloat16).float(), scales)
            error = (integers * scales - weight).abs().max() / scales
            assert error <= 0.5 + MAX_INTEGER[bits] / 256


@pytest.mark.parametrize("bits", KINDS)
def test_zero_weights_stay_positive_zero(bits: Any) -> None:
    for weight in ([0.0, -0.0], [1e-42, -1e-42]):
        integers, scale = values(weight, bits)
        assert integers == [0, 0] or scale == 0
        assert not np.signbit(np.array(integers) * scale).any()
    integers, _ = values([-1e-3, 5.0], 8)
    assert not np.signbit(integers).any()


def test_channel_scales_and_single_bias_scale() -> None:
    weight = torch.tensor([[127.0, 1.0], [1.27, 0.01]])
    integers, scales = quantise_tensor(weight, 8, "channel")
    assert integers.tolist() == [[127, 1], [127, 1]]
    assert scales.shape == (2, 1)
    together, one = quantise_tensor(weight, 8, "tensor")
    assert together.tolist() == [[127, 1, 1, 0]]
    assert one.shape == (1, 1)
    assert quantise_tensor(weight[0], 8, "channel")[1].shape == (1, 1)


def test_gradient_passes_straight_through() -> None:
    student = quantised(MLP((2,), 1, layers=0), 4)
    with torch.no_grad():
        student.layers[0].parametrizations.weight.original.copy_(torch.tensor([[7.0, 2.4]]))
        student.layers[0].parametrizations.bias.original.fill_(0.3)
    observations = torch.tensor([[1.0, 10.0]])
    logits = student(observations)
    bias = student.layers[0].bias.detach()
    assert logits.item() == pytest.approx(7.0 + 2 * 10 + bias.item(), abs=1e-6)
    logits.backward()
    assert student.layers[0].parametrizations.weight.original.grad.tolist() == [[1.0, 10.0]]
    assert student.layers[0].parametrizations.bias.original.grad.tolist() == [1.0]


# -- students ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("bits", KINDS)
@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_quantised_weights_equal_forward_weights(kind: str, bits: Any, granularity: str) -> None:
    original = some(kind)
    before = {name: weight.clone() for name, weight in original.state_dict().items()}
    student = quantised(original, bits, granularity)
    stored = quantised_weights(student)
    assert set(stored) == set(dict(original.named_parameters()))
    for name, weight in stored.items():
        used = plain_weights(student)[name].numpy()
        assert weight.dequantise().dtype == np.float32
        assert weight.dequantise().tobytes() == used.tobytes()
        assert abs(weight.integers.astype(int)).max() <= MAX_INTEGER[bits]
        rows = len(used) if granularity == "channel" and used.ndim > 1 else 1
        assert weight.scales.shape == (rows,)
    bare = plain(student)
    assert bare.config == original.config
    assert set(bare.state_dict()) == set(before)
    with torch.no_grad():
        for name, weight in bare.named_parameters():
            assert weight.numpy().tobytes() == stored[name].dequantise().tobytes()
    np.testing.assert_array_equal(outputs(student, kind), outputs(bare, kind))
    assert student.num_parameters == original.num_parameters
    for name, weight in original.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize("bits", KINDS)
def test_rounding_is_idempotent(bits: Any) -> None:
    for seed in range(20):
        once = plain(quantised(some("mlp", seed), bits))
        twice = plain(quantised(once, bits))
        for name, weight in once.state_dict().items():
            assert torch.equal(weight, twice.state_dict()[name])


def test_training_moves_integers_not_original() -> None:
    original = ValueIterationNetwork(4)
    student = quantised(original, 4)
    before = quantised_weights(student)
    Distiller(student, queried(), total_steps=20, learning_rate=0.05, device="cpu").distil()
    after = quantised_weights(student)
    assert any((before[name].integers != after[name].integers).any() for name in before)
    assert torch.equal(original.move, ValueIterationNetwork(4).move)
    assert float(student.scale) != 1.0


def queried() -> FunctionSource:
    generator = MazeGenerator(5)
    return FunctionSource(
        ShortestPathPolicy(),
        lambda rng, progress: query_all_cells(generator, rng.integers(100, size=4).tolist()),
    )


@pytest.mark.parametrize("kind", ["gru", "mlp", "value_iteration"])
def test_quantised_resume_bit_identical(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source: Any = Dataset(make_batch(rng.random((40, 3, 5, 7)), rng.random((40, 4))))
    source = queried() if kind == "value_iteration" else source

    def fresh(bits: Any = "ternary") -> Distiller:
        student = quantised(some(kind), bits)
        return Distiller(student, source, total_steps=8, learning_rate=0.05, device="cpu")

    whole = fresh().distil()
    fresh().distil(3).save(tmp_path / "c")
    again = fresh().resume(tmp_path / "c").distil()
    for name, weight in whole.student.state_dict().items():
        assert torch.equal(weight, again.student.state_dict()[name]), name
    with pytest.raises(CheckpointError, match="ternary"):
        fresh(4).resume(tmp_path / "c")
    with pytest.raises(CheckpointError):
        Distiller(some(kind), source, total_steps=8, device="cpu").resume(tmp_path / "c")


def test_exact_value_iteration_stays_exact() -> None:
    planes = query_all_cells(MazeGenerator(11), range(10))
    for bits in KINDS:
        student = quantised(exact_value_iteration(), bits)
        assert (steps_to_goal(planes, student.action_logits(planes).argmax(axis=1)) > 0).all()


# -- files and bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("bits", KINDS)
def test_quantised_file_bit_identical(kind: str, bits: Any, tmp_path: Path) -> None:
    student = quantised(some(kind), bits, "tensor" if kind == "mlp" else "channel")
    save_student(tmp_path / "one", student)
    loaded = load_student(tmp_path / "one")
    assert loaded.config == student.config
    assert size_in_bytes(loaded) == size_in_bytes(student)
    for name, weight in quantised_weights(student).items():
        assert weight.integers.tobytes() == quantised_weights(loaded)[name].integers.tobytes()
        assert weight.scales.tobytes() == quantised_weights(loaded)[name].scales.tobytes()
    save_student(tmp_path / "two", loaded)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    np.testing.assert_array_equal(outputs(loaded, kind), outputs(student, kind))
    for name, array in read_weights(tmp_path / "one").weights.items():
        assert array.tobytes() == plain_weights(student)[name].numpy().tobytes()


@pytest.mark.parametrize("kind", ["mlp", "linear", "value_iteration"])
def test_quantised_runs_without_torch(kind: str, tmp_path: Path) -> None:
    student = quantised(some(kind), 4)
    save_student(tmp_path / "s", student)
    wanted = student.action_logits(seen())
    for policy in (load_policy(tmp_path / "s"), build_policy(to_stored(student))):
        np.testing.assert_allclose(policy.action_logits(seen()), wanted, rtol=1e-3, atol=1e-4)
        bare = build_policy(to_stored(plain(student))).action_logits(seen())
        np.testing.assert_array_equal(policy.action_logits(seen()), bare)


@pytest.mark.parametrize("kind", ["mlp", "value_iteration"])
def test_quantised_c_export_equals_plain(kind: str, tmp_path: Path) -> None:
    student = quantised(some(kind), "ternary")
    for name, one in (("rounded", student), ("plain", plain(student))):
        export_c(tmp_path / name, one, seen()[0])
    assert (tmp_path / "rounded").read_bytes() == (tmp_path / "plain").read_bytes()


@pytest.mark.parametrize("kind", ["conv", "value_iteration"])
def test_quantised_exports_to_onnx(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    student = quantised(some(kind), 4)
    export_onnx(tmp_path / "s.onnx", student, seen()[0])
    parity = check_parity(student, OnnxPolicy(tmp_path / "s.onnx"), seen())
    assert parity.same_actions == parity.queries


def test_quantised_bytes_of_value_iteration() -> None:
    network = ValueIterationNetwork(4)
    assert size_in_bytes(network) == (452, 0)
    # 72 rewards, 36 moves, 4 biases and the top.
    assert size_in_bytes(quantised(network, 8, "tensor")) == (113, 8)
    assert size_in_bytes(quantised(network, 8)) == (113, 2 * (4 + 4 + 1 + 1))
    assert size_in_bytes(quantised(network, 4, "tensor")) == (36 + 18 + 2 + 1, 8)
    assert size_in_bytes(quantised(network, "ternary", "tensor")) == (15 + 8 + 1 + 1, 8)
    assert num_bytes(quantised(network, 8)) == 133
    assert num_bytes(plain(quantised(network, 8))) == 452


def test_file_size_grows_by_declared_bytes(tmp_path: Path) -> None:
    sizes = {}
    for width in (64, 128):
        student = quantised(MLP((64,), 4, width), 4, "tensor")
        save_student(tmp_path / "s", student)
        sizes[width] = ((tmp_path / "s").stat().st_size, size_in_bytes(student).total)
    (small, small_bytes), (large, large_bytes) = sizes[64], sizes[128]
    # Offsets in the header of the larger file have more digits.
    assert abs((large - small) - (large_bytes - small_bytes)) < 64


def test_packing_matches_manual_example() -> None:
    four = pack_integers(np.array([-7, 7, 0, 1, -1], dtype=np.int8), 4)
    assert four.tolist() == [0 + 16 * 14, 7 + 16 * 8, 6 + 16 * 7]
    three = pack_integers(np.array([1, 0, -1, 1, 1, -1], dtype=np.int8), "ternary")
    assert three.tolist() == [2 + 3 + 0 + 2 * 27 + 2 * 81, 0 + 3 + 9 + 27 + 81]
    assert pack_scales(np.array([1.0, -2.0], dtype=np.float32)).tolist() == [0x3F80, 0xC000]
    with pytest.raises(ValueError, match="bfloat16"):
        pack_scales(np.array([0.1], dtype=np.float32))


@pytest.mark.parametrize("bits", KINDS)
def test_packing_round_trip(bits: Any) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1,), (2, 5), (3, 2, 3, 3), (4, 9), (11,)):
        integers = rng.integers(-MAX_INTEGER[bits], MAX_INTEGER[bits] + 1, size=shape).astype(
            np.int8
        )
        np.testing.assert_array_equal(
            unpack_integers(pack_integers(integers, bits), bits, shape), integers
        )
        with pytest.raises(ValueError, match="expected"):
            unpack_integers(pack_integers(integers, bits), bits, (*shape, 40))


def test_dequantised_products_are_exact() -> None:
    scales = torch.rand(500).to(torch.bfloat16).float().numpy()
    integers = np.arange(-127, 128).repeat(500).reshape(255, 500).T.astype(np.int8)
    product = dequantise(integers, scales)
    np.testing.assert_array_equal(product, integers.astype(float) * scales[:, None].astype(float))


def test_load_refuses_misfit_packed_weights(tmp_path: Path) -> None:
    student = quantised(ValueIterationNetwork(4), 4)
    save_student(tmp_path / "s", student)
    stored = to_stored(student)
    good = {"move": pack_integers(quantised_weights(student)["move"].integers, 4)}
    scales = {"move.scales": pack_scales(quantised_weights(student)["move"].scales)}
    for arrays, shapes in (
        (good, {"move": (4, 9)}),
        (good | scales, {"move": (4, 11)}),
        (good | {"move.scales": scales["move.scales"][:3]}, {"move": (4, 9)}),
        (good | scales, {"move": "four"}),
    ):
        write_weights(tmp_path / "w", stored.weights | arrays, stored.config, {}, shapes=shapes)
        with pytest.raises(StudentFileError, match="do not fit"):
            read_weights(tmp_path / "w")


# -- what is refused ---------------------------------------------------------------------------


def test_quantised_refuses_bad_input() -> None:
    student = ValueIterationNetwork(4)
    with pytest.raises(ValueError, match="bits=3; expected one of"):
        quantised(student, 3)
    with pytest.raises(ValueError, match="did you mean 'channel'"):
        quantised(student, 8, "chanel")
    with pytest.raises(ValueError, match="quantised already"):
        quantised(quantised(student))
    with pytest.raises(TypeError, match="type Linear; expected a network"):
        quantised(torch.nn.Linear(1, 1))  # type: ignore[type-var]
    with pytest.raises(TypeError, match="type TableStudent"):
        make_student("table", **SHAPE, bits=8)
    with pytest.raises(ValueError, match="not quantised"):
        quantised_weights(student)
    with torch.no_grad():
        student.move[0, 0] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        quantised(student)


def test_quantised_custom_module() -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))

        def forward(self, observations: Tensor) -> Tensor:
            result: Tensor = self.inner(observations)
            return result

    student = quantised(as_student(Own()), "ternary", "tensor")
    assert {
        len(np.unique(weight.dequantise())) <= 3 for weight in quantised_weights(student).values()
    } == {True}
    assert student.action_logits(np.ones((3, 4))).shape == (3, 2)
