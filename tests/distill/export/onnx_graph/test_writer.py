"""ONNX files against their students."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.export.load import check_parity, open_policy
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
from dynamaze.distill.export.onnx_graph.writer import export_onnx
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.registry import make_student

from ...student_cases import CONFIGS, COUNTS, observations, student

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")


def exported(network: Any, observation: Any, folder: Path) -> OnnxPolicy:
    export_onnx(folder / "s.onnx", network, observation, card=Card(made="By hand."))
    return OnnxPolicy(folder / "s.onnx")


@pytest.mark.parametrize("name", [*CONFIGS, "exact"])
def test_onnx_logits_match_student(name: str, tmp_path: Path) -> None:
    queried = observations(name, COUNTS.get(name, 10_000))
    policy = exported(student(name), queried[0], tmp_path)
    parity = check_parity(student(name), policy, queried)
    assert parity.queries == len(queried)
    # Between equal paths, and between actions into walls, rounding decides.
    assert parity.same_actions >= len(queried) - (10 if name == "exact" else 1)
    assert [path.name for path in tmp_path.iterdir()] == ["s.onnx"]
    best = policy.action_logits(queried[:20]).argmax(axis=1)
    assert [policy.act(one) for one in queried[:20]] == best.tolist()
    assert (policy.config, policy.card["made"]) == (student(name).config, "By hand.")


@pytest.mark.parametrize(
    "name",
    [
        "value iteration",
        "value iteration of 8 maps",
        "value iteration of 7 iterations",
        "conv",
        "residual",
        "transformer",
    ],
)
def test_onnx_planes_any_size_many_queries(name: str, tmp_path: Path) -> None:
    network = LARGE[name]() if name in LARGE else student(name)
    policy = exported(network, observations("value iteration", 1)[0], tmp_path)
    assert policy.observation_shape == (3, None, None)
    rng = np.random.default_rng(0)
    for sides in ((1, 7), (6, 9), (8, 2), (21, 21)):
        queried = (rng.random((15, 3, *sides)) < 0.4).astype(np.float32)
        assert check_parity(network, policy, queried).queries == int(queried[:, 1].sum())


LARGE: dict[str, Callable[[], Any]] = {
    "residual": lambda: randomised("residual", channels=4, blocks=2),
    "transformer": lambda: randomised("transformer", layers=1, width=16, heads=2),
}
"""Kinds of networks of any size that torch traces."""


def randomised(kind: str, **arguments: int) -> Any:
    network = make_student(kind, **arguments)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return network


def test_onnx_network_has_fixed_size(tmp_path: Path) -> None:
    name = "conv of a window"
    policy = exported(student(name), observations(name, 1)[0], tmp_path)
    assert policy.observation_shape == (4, 7, 6)
    with pytest.raises(ValueError, match=r"expected \(batch, 4, 7, 6\)"):
        policy.act(observations(name, 1)[0, :, 1:])


def test_onnx_takes_raw_images(tmp_path: Path) -> None:
    shape = (16, 12, 3)
    network = make_student("conv", observation_shape=shape, num_actions=4)
    queried = np.random.default_rng(0).integers(0, 256, (200, *shape), dtype=np.uint8)
    policy = exported(network, queried[0], tmp_path)
    check_parity(network, policy, queried)
    with pytest.raises(ValueError, match="observations of float64; expected uint8"):
        policy.action_logits(queried / 255)


def test_onnx_exports_module_in_eval_mode(tmp_path: Path) -> None:
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 4), torch.nn.Dropout(0.5), torch.nn.ReLU(), torch.nn.Linear(4, 3)
    )
    queried = observations("deep mlp", 100)
    policy = exported(network, queried[0], tmp_path)
    assert all(part.training for part in network.modules())
    with torch.no_grad():
        wanted = network.eval()(torch.as_tensor(queried)).numpy()
    np.testing.assert_allclose(policy.action_logits(queried), wanted, atol=1e-5)
    # Floats of another precision are converted as in training.
    np.testing.assert_array_equal(
        policy.action_logits(queried.astype(np.float64)), policy.action_logits(queried)
    )
    with pytest.raises(ValueError, match="observations of uint8; expected float32"):
        policy.act(np.zeros(5, dtype=np.uint8))


def test_onnx_file_reproducible_and_small(tmp_path: Path) -> None:
    for name, size in (("mlp", 2 * 4988), ("value iteration", 3000)):
        for file in "ab":
            export_onnx(tmp_path / file, student(name), observations(name, 1)[0])
        content = (tmp_path / "a").read_bytes()
        assert content == (tmp_path / "b").read_bytes()
        assert len(content) <= size
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)


def test_onnx_export_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exported(student("mlp"), observations("mlp", 1)[0], tmp_path)
    assert tuple(capfd.readouterr()) == ("", "")


def test_export_onnx_refuses_non_networks(tmp_path: Path) -> None:
    seen = np.zeros(5, dtype=np.float32)
    table = make_student("table", observation_shape=(5,), num_actions=3)
    with pytest.raises(
        TypeError, match="kind 'table'; expected a network without recurrent state, a GRU"
    ):
        export_onnx(tmp_path / "s.onnx", table, seen)
    assert not list(tmp_path.iterdir())


def test_onnx_policy_refuses_bad_files(tmp_path: Path) -> None:
    file = tmp_path / "s.onnx"
    export_onnx(file, student("value iteration"), observations("value iteration", 1)[0])
    content = file.read_bytes()
    model = onnx.load_from_string(content)

    def refused(match: str) -> None:
        with pytest.raises(StudentFileError, match=match) as caught:
            OnnxPolicy(file)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)

    for broken in (b"", content[:100], content[:-1], b"# A page\n" * 100):
        file.write_bytes(broken)
        refused("not a whole ONNX file|not a student's")
    del model.metadata_props[:]
    file.write_bytes(model.SerializeToString())
    refused("a network, but not a student's; expected a file written by export_onnx")
    model.metadata_props.add(key="dynamaze", value='{"format": 9}')
    file.write_bytes(model.SerializeToString())
    refused("has format 9; expected 1")
    file.unlink()
    refused("cannot be read: No such file")


def test_export_onnx_names_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[onnx\]"'):
        export_onnx(tmp_path / "s.onnx", student("mlp"), observations("mlp", 1)[0])
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[onnx\]"'):
        OnnxPolicy(tmp_path / "s.onnx")


def test_onnx_policy_imports_no_torch(tmp_path: Path) -> None:
    exported(student("value iteration"), observations("value iteration", 1)[0], tmp_path)
    code = f"""
import sys
import numpy as np
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
OnnxPolicy({str(tmp_path / "s.onnx")!r}).act(np.ones((3, 5, 5), np.float32))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def nested(number: int, content: bytes) -> bytes:
    """Return a message's field of less than 2**28 bytes."""
    size, text = len(content), bytearray([number << 3 | 2])
    while size >= 128:
        text.append(size & 127 | 128)
        size >>= 7
    return bytes(text) + bytes([size]) + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nested(7, nested(1, b"") * 30_000), "more than 20,000 nodes"),
        (nested(7, nested(5, b"\x08" + b"\xff" * 8 + b"\x7f")), r"a tensor of \[\d+\] in 10 bytes"),
        (nested(7, nested(1, nested(5, nested(5, b"\x08\x90\x4e")))), r"\[10000\] in 3 bytes"),
        (nested(7, nested(5, nested(13, b"x"))), "in another file"),
        (nested(7, nested(5, b"\x70\x01")), "in another file|not a whole"),
        (nested(7, nested(15, b"")), "sparse"),
        (nested(7, nested(5, b"\x10\x01" + nested(9, b"\x00\x00\xc0\x7f"))), "NaN"),
        (b"\x3a\xff\xff\xff\x7f", "a field of"),
        (b"\x3a\xff", "cut short"),
        (b"\x3b", "wire type 3"),
    ],
)
def test_open_policy_refuses_forged_graph(tmp_path: Any, content: bytes, message: str) -> None:
    (tmp_path / "s.onnx").write_bytes(content)
    with pytest.raises(StudentFileError, match=rf"s\.onnx is not a whole ONNX file .*{message}"):
        open_policy(tmp_path / "s.onnx")
