"""Students as ONNX: one file, the same answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.export.load import check_parity
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
from dynamaze.distill.export.onnx_graph.writer import export_onnx
from dynamaze.distill.files.card import Card
from dynamaze.distill.files.safetensors import StudentFileError
from dynamaze.distill.students.registry import make_student

from .students_to_ship import CONFIGS, COUNTS, observations, student

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")


def exported(network: Any, observation: Any, folder: Path) -> OnnxPolicy:
    export_onnx(folder / "s.onnx", network, observation, card=Card(made="By hand."))
    return OnnxPolicy(folder / "s.onnx")


@pytest.mark.parametrize("name", [*CONFIGS, "exact"])
def test_ten_thousand_answers_are_the_students(name: str, tmp_path: Path) -> None:
    asked = observations(name, COUNTS.get(name, 10_000))
    policy = exported(student(name), asked[0], tmp_path)
    parity = check_parity(student(name), policy, asked)
    assert parity.answers == len(asked)
    # Of two ways of the same length, and of actions into walls, the last bits decide.
    assert parity.same_actions >= len(asked) - (50 if name == "exact" else 1)
    assert [path.name for path in tmp_path.iterdir()] == ["s.onnx"]
    best = policy.action_logits(asked[:20]).argmax(axis=1)
    assert [policy.act(one) for one in asked[:20]] == best.tolist()
    assert (policy.config, policy.card["made"]) == (student(name).config, "By hand.")


@pytest.mark.parametrize(
    "name", ["planner", "planner of 8 maps", "planner of 7 iterations", "conv", "residual"]
)
def test_planes_may_be_of_any_size_and_ask_about_many_cells(name: str, tmp_path: Path) -> None:
    network = large() if name == "residual" else student(name)
    policy = exported(network, observations("planner", 1)[0], tmp_path)
    assert policy.observation_shape == (3, None, None)
    rng = np.random.default_rng(0)
    for sides in ((1, 7), (6, 9), (8, 2), (21, 21)):
        asked = (rng.random((15, 3, *sides)) < 0.4).astype(np.float32)
        assert check_parity(network, policy, asked).answers == int(asked[:, 1].sum())


def large() -> Any:
    network = make_student("residual", channels=4, blocks=2)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return network


def test_another_network_takes_the_size_that_it_is_exported_for(tmp_path: Path) -> None:
    name = "conv of a window"
    policy = exported(student(name), observations(name, 1)[0], tmp_path)
    assert policy.observation_shape == (4, 7, 6)
    with pytest.raises(ValueError, match=r"expected \(batch, 4, 7, 6\)"):
        policy.act(observations(name, 1)[0, :, 1:])


def test_pictures_go_in_as_they_are(tmp_path: Path) -> None:
    shape = (16, 12, 3)
    network = make_student("conv", observation_shape=shape, num_actions=4)
    asked = np.random.default_rng(0).integers(0, 256, (200, *shape), dtype=np.uint8)
    policy = exported(network, asked[0], tmp_path)
    check_parity(network, policy, asked)
    with pytest.raises(ValueError, match="observations of float64; expected uint8"):
        policy.action_logits(asked / 255)


def test_a_module_of_your_own_can_be_exported_as_it_is_in_use(tmp_path: Path) -> None:
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 4), torch.nn.Dropout(0.5), torch.nn.ReLU(), torch.nn.Linear(4, 3)
    )
    asked = observations("deep mlp", 100)
    policy = exported(network, asked[0], tmp_path)
    assert all(part.training for part in network.modules())
    with torch.no_grad():
        wanted = network.eval()(torch.as_tensor(asked)).numpy()
    np.testing.assert_allclose(policy.action_logits(asked), wanted, atol=1e-5)
    # Fractions of another precision are taken as they were in training.
    np.testing.assert_array_equal(
        policy.action_logits(asked.astype(np.float64)), policy.action_logits(asked)
    )
    with pytest.raises(ValueError, match="observations of uint8; expected float32"):
        policy.act(np.zeros(5, dtype=np.uint8))


def test_the_file_is_whole_small_and_the_same_again(tmp_path: Path) -> None:
    for name, size in (("mlp", 2 * 4988), ("planner", 3000)):
        for file in "ab":
            export_onnx(tmp_path / file, student(name), observations(name, 1)[0])
        content = (tmp_path / "a").read_bytes()
        assert content == (tmp_path / "b").read_bytes()
        assert len(content) <= size
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)


def test_nothing_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exported(student("mlp"), observations("mlp", 1)[0], tmp_path)
    assert tuple(capfd.readouterr()) == ("", "")


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    seen = np.zeros(5, dtype=np.float32)
    table = make_student("table", observation_shape=(5,), num_actions=3)
    with pytest.raises(TypeError, match="kind 'table'; expected a network without a memory, a GRU"):
        export_onnx(tmp_path / "s.onnx", table, seen)
    assert not list(tmp_path.iterdir())


def test_bad_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.onnx"
    export_onnx(file, student("planner"), observations("planner", 1)[0])
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


def test_without_the_extra_its_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[onnx\]"'):
        export_onnx(tmp_path / "s.onnx", student("mlp"), observations("mlp", 1)[0])
    with pytest.raises(ImportError, match=r'pip install "dynamaze\[onnx\]"'):
        OnnxPolicy(tmp_path / "s.onnx")


def test_running_one_needs_no_torch(tmp_path: Path) -> None:
    exported(student("planner"), observations("planner", 1)[0], tmp_path)
    code = f"""
import sys
import numpy as np
from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
OnnxPolicy({str(tmp_path / "s.onnx")!r}).act(np.ones((3, 5, 5), np.float32))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
