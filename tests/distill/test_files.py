"""Students as files: what is read is what was written, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.data.playing import question_of
from dynamaze.distill.export.policy_file import open_policy
from dynamaze.distill.files.card import Card, Kept
from dynamaze.distill.files.safetensors import StudentFileError, read_weights, write_weights
from dynamaze.distill.files.students import load_card, load_student, save_student
from dynamaze.distill.size import Size
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.distill.students.torch_module import as_student

from .students_to_ship import observations, student

WINDOW = (7, 7, 3)
SMALL = {"kind": "mlp", "observation_shape": WINDOW, "width": 3}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "actor_critic": {"actor": {**SMALL, "num_actions": 7}, "critic": {**SMALL, "num_actions": 1}},
    "gaussian": {"inner": {**SMALL, "num_actions": 4}, "low": [-1, None], "high": [0.1, 2]},
    "conv": {"observation_shape": (3, 11, 11), "num_actions": 4},
    "gru": {"observation_shape": WINDOW, "num_actions": 7},
    "linear": {"observation_shape": WINDOW, "num_actions": 7},
    "mlp": {"observation_shape": WINDOW, "num_actions": 7, "width": 8},
    "recurrent_planner": {"maps": 5},
    "residual": {"channels": 4, "blocks": 2},
    "table": {"observation_shape": WINDOW, "num_actions": 7},
    "tree": {"observation_shape": WINDOW, "num_actions": 7},
}
CARD = Card(
    made="By hand.",
    environment={"id": "DynaMazeGenerated-v0", "size": 11, "observation": "planes"},
    training=(LevelRange(0, 1000),),
    held_out=(LevelRange(5000, 500), LevelRange(9000, 1)),
    return_kept=Kept(0.9987, 0.997, 1.0, 500),
    size=Size(113, 452, 317_988, 14.2),
)


def some(kind: str) -> Any:
    made = make_student(kind, **ARGUMENTS[kind])
    if kind in ("table", "tree"):
        rng = np.random.default_rng(0)
        made.fit(Dataset(make_batch(rng.random((50, *WINDOW)), rng.random((50, 7)))))
    return made


def asked(kind: str) -> Any:
    in_planes = kind in ("conv", "recurrent_planner", "residual")
    return observations("planner" if in_planes else "mlp", 30)


@pytest.mark.parametrize("kind", STUDENTS)
def test_a_student_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    original = some(kind)
    save_student(tmp_path / "s.safetensors", original)
    loaded = load_student(tmp_path / "s.safetensors")
    assert type(loaded) is type(original)
    assert loaded.config == original.config
    np.testing.assert_array_equal(
        question_of(loaded)(asked(kind)), question_of(original)(asked(kind))
    )
    assert [path.name for path in tmp_path.iterdir()] == ["s.safetensors"]
    opened = open_policy(tmp_path / "s.safetensors")
    assert opened.kind == kind
    for forgetful in (original, opened.policy):
        if hasattr(forgetful, "memory"):
            forgetful.reset()
    wanted = original.act(asked(kind)[0])
    np.testing.assert_allclose(opened.policy.act(asked(kind)[0]), wanted, rtol=1e-5)


def test_all_kinds_are_tried() -> None:
    assert set(ARGUMENTS) == set(STUDENTS)


def test_the_same_student_is_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save_student(tmp_path / name, student("planner"), card=CARD)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_any_reader_of_safetensors_finds_weights_and_description(tmp_path: Path) -> None:
    from safetensors import safe_open

    save_student(tmp_path / "s.safetensors", student("planner"), card=CARD)
    with safe_open(tmp_path / "s.safetensors", "np") as file:
        about = json.loads(file.metadata()["dynamaze"])
        assert about["config"]["kind"] == "recurrent_planner"
        assert about["card"]["held_out"] == [[5000, 500], [9000, 1]]
        assert file.get_tensor("move").shape == (4, 9)


# -- the card ----------------------------------------------------------------------------------


def test_the_card_comes_back_and_a_page_lies_beside(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", student("planner"), card=CARD)
    assert load_card(tmp_path / "s.safetensors") == CARD
    page = (tmp_path / "s.md").read_text()
    for part in (
        "# s\n",
        "`recurrent_planner` (maps 4, iterations None)",
        "By hand.",
        "gymnasium.make(\"DynaMazeGenerated-v0\", size=11, observation='planes')",
        "| parameters | 113 |",
        "| bytes of weights | 452 |",
        "| multiply-adds of a decision | 317,988 |",
        "| microseconds of a decision, one thread | 14.2 |",
        "99.87% (95% interval 99.70% to 100.00%, 500 mazes)",
        "Trained on: levels 0 to 999.",
        "Held out: levels 5000 to 5499, levels 9000 to 9000.",
        'load_policy("s.safetensors").act(observation)',
    ):
        assert part in page, part


def test_what_is_not_known_is_not_on_the_page(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", student("mlp"), card=Card())
    assert load_card(tmp_path / "s.safetensors") == Card()
    page = (tmp_path / "s.md").read_text()
    assert not any(word in page for word in ("None", "## Size", "## Return", "Made for"))


def test_the_page_says_how_to_load_it_and_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dynamaze.distill.export.compiled import load_policy

    monkeypatch.chdir(tmp_path)
    save_student("s.safetensors", student("mlp"), card=Card())
    lines = Path("s.md").read_text().splitlines()
    assert lines[lines.index("```python") + 1].split("  #")[0] == (
        "from dynamaze.distill.export.compiled import load_policy"
    )
    seen = asked("mlp")[0]
    assert load_policy("s.safetensors").act(seen) == student("mlp").act(seen)


def test_levels_of_training_are_not_held_out() -> None:
    with pytest.raises(ValueError, match="trained on levels 0 to 9 and held out levels 9 to 9"):
        Card(training=(LevelRange(0, 10),), held_out=(LevelRange(9, 1),))


# -- bad files ---------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_student(tmp_path / "s.safetensors", student("mlp"))
    return tmp_path / "s.safetensors"


def refused(file: Path, match: str) -> None:
    before = file.read_bytes() if file.is_file() else None
    for load in (load_student, load_card, open_policy):
        with pytest.raises(StudentFileError, match=match) as caught:
            load(file)
        assert "\n" not in str(caught.value)
        assert file.name in str(caught.value)
    assert before == (file.read_bytes() if file.is_file() else None)


@pytest.mark.parametrize("kept", [0, 7, 20, 200, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    refused(file, "not a whole safetensors file")


def test_every_damaged_byte_is_found(file: Path) -> None:
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        with pytest.raises(StudentFileError):
            load_student(file)


def test_a_missing_or_foreign_file_is_refused(file: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save

    refused(tmp_path / "no.safetensors", "cannot be read: No such file")
    file.write_text("# A page\n")
    refused(file, "not a whole safetensors file")
    for notes in (None, {"format": "pt"}, {"dynamaze": "what"}, {"dynamaze": "[]"}):
        file.write_bytes(save({"weight": np.ones(3)}, notes))
        refused(file, "nothing tells which student's")
    file.write_bytes(save({}, {"dynamaze": '{"format": 9}'}))
    refused(file, "format 9; expected 1")
    file.write_bytes(save({}, {"dynamaze": '{"format": 1}'}))
    refused(file, "no config and card")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudentFileError, match=r"s\.pt ends in '\.pt'; expected .*\.onnx"):
        open_policy(tmp_path / "s.pt")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"kind": "transformer"}, "do not fit a student of kind 'transformer'"),
        ({"width": 9}, "of kind 'mlp'"),
        ({"num_actions": 4}, "of kind 'mlp'"),
        ({"layers": 2}, "of kind 'mlp'"),
        ({"observation_shape": [7, 7]}, "of kind 'mlp'"),
        ({"observation_shape": "x"}, "of kind 'mlp'"),
        ({"kind": "recurrent_planner"}, "of kind 'recurrent_planner'"),
        ({"kind": "tree"}, "of kind 'tree'"),
        ({"kind": None}, "of kind None"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    file: Path, changed: dict[str, Any], match: str
) -> None:
    stored = read_weights(file)
    write_weights(file, stored.weights, {**stored.config, **changed}, {})
    with pytest.raises(StudentFileError, match=match) as caught:
        load_student(file)
    assert "\n" not in str(caught.value)


def test_a_weight_that_is_missing_or_of_another_shape_is_refused(file: Path) -> None:
    save_student(file, student("planner"))
    stored = read_weights(file)
    for weights in (
        {name: part for name, part in stored.weights.items() if name != "bias"},
        {**stored.weights, "bias": np.zeros((4, 1), np.float32)},
    ):
        write_weights(file, weights, stored.config, {})
        for load in (load_student, open_policy):
            with pytest.raises(StudentFileError, match=r"bias"):
                load(file)


def test_what_cannot_be_made_again_is_not_written(file: Path) -> None:
    import torch

    before = file.read_bytes()
    for thing in (as_student(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 2), object()):
        with pytest.raises(TypeError, match="made again"):
            save_student(file, thing)
    with pytest.raises(TypeError, match="JSON"):
        save_student(file, student("mlp"), card=Card(environment={"id": object()}))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
