"""Student files: round trips, and refusal of damaged or foreign files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.distances import DistanceRange
from dynamaze.distill.core.levels import LevelRange, check_disjoint
from dynamaze.distill.core.size import ObjectCode, Size
from dynamaze.distill.data.playing import output_fn
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.files.card import Card, ReturnEstimate
from dynamaze.distill.files.students import file_bytes, load_card, load_student, save_student
from dynamaze.distill.files.weights import StudentFileError, read_weights, write_weights
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import STUDENTS, make_student
from dynamaze.distill.students.shapes import SHAPES

from ..student_cases import observations, student

WINDOW = (7, 7, 3)
SMALL = {"kind": "mlp", "observation_shape": WINDOW, "width": 3}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "actor_critic": {"actor": {**SMALL, "num_actions": 7}, "critic": {**SMALL, "num_actions": 1}},
    "gaussian": {"inner": {**SMALL, "num_actions": 4}, "low": [-1, None], "high": [0.1, 2]},
    "conv": {"observation_shape": (3, 11, 11), "num_actions": 4},
    "gru": {"observation_shape": WINDOW, "num_actions": 7},
    "linear": {"observation_shape": WINDOW, "num_actions": 7},
    "experience_gru": {"width": 5},
    "map_value_iteration": {},
    "mlp": {"observation_shape": WINDOW, "num_actions": 7, "width": 8},
    "value_iteration": {"maps": 5},
    "residual": {"channels": 4, "blocks": 2},
    "table": {"observation_shape": WINDOW, "num_actions": 7},
    "transformer": {"layers": 2, "width": 8, "heads": 2},
    "tree": {"observation_shape": WINDOW, "num_actions": 7},
}
ON_CELLS = ("experience_gru", "map_value_iteration")
"""Kinds that observe cells."""
CARD = Card(
    made="By hand.",
    privileged="training used a map",
    environment={"id": "DynaMazeGenerated-v0", "size": 11, "observation": "planes"},
    training=(LevelRange(0, 1000),),
    held_out=(LevelRange(5000, 500), LevelRange(9000, 1)),
    normalised_return=ReturnEstimate(0.9987, 0.997, 1.0, 500),
    by_distance={"perfect 31x31": (DistanceRange(61, 100, 0.2, 0.04, 0.9975, 0.97, 1.0, 99),)},
    size=Size(113, 452, 317_988, object_code=ObjectCode(1600, "gcc 12 -Os, x86_64")),
)


def some(kind: str) -> Any:
    made = make_student(kind, **ARGUMENTS[kind])
    if kind in ("table", "tree"):
        rng = np.random.default_rng(0)
        made.fit(Dataset(make_batch(rng.random((50, *WINDOW)), rng.random((50, 7)))))
    return made


def queried(kind: str) -> Any:
    if kind in ON_CELLS:
        return np.column_stack([np.arange(30), np.full((30, 2), 0.0)])
    in_planes = kind in ("conv", "value_iteration", "residual", "transformer")
    return observations("value iteration" if in_planes else "mlp", 30)


@pytest.mark.parametrize("kind", STUDENTS)
def test_student_round_trip(kind: str, tmp_path: Path) -> None:
    original = some(kind)
    save_student(tmp_path / "s.safetensors", original)
    loaded = load_student(tmp_path / "s.safetensors")
    opened = open_policy(tmp_path / "s.safetensors")
    for policy in (original, loaded, opened.policy):
        if kind in ON_CELLS:
            policy.grid = (5, 6)
    assert type(loaded) is type(original)
    assert loaded.config == original.config
    np.testing.assert_array_equal(
        output_fn(loaded)(queried(kind)), output_fn(original)(queried(kind))
    )
    assert [path.name for path in tmp_path.iterdir()] == ["s.safetensors"]
    assert opened.kind == kind
    for policy in (original, opened.policy):
        if hasattr(policy, "memory"):
            policy.memory = None
    wanted = original.act(queried(kind)[0])
    np.testing.assert_allclose(opened.policy.act(queried(kind)[0]), wanted, rtol=1e-5)


def test_students_cases_cover_all_kinds() -> None:
    assert set(ARGUMENTS) == set(STUDENTS) == set(SHAPES)


def test_save_student_is_reproducible(tmp_path: Path) -> None:
    for name in "ab":
        save_student(tmp_path / name, student("value iteration"), card=CARD)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_file_readable_by_plain_safetensors(tmp_path: Path) -> None:
    from safetensors import safe_open

    save_student(tmp_path / "s.safetensors", student("value iteration"), card=CARD)
    with safe_open(tmp_path / "s.safetensors", "np") as file:
        about = json.loads(file.metadata()["dynamaze"])
        assert about["config"]["kind"] == "value_iteration"
        assert about["card"]["held_out"] == [[5000, 500], [9000, 1]]
        assert file.get_tensor("move").shape == (4, 9)


# -- the card ----------------------------------------------------------------------------------


def test_card_round_trip_and_page(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", student("value iteration"), card=CARD)
    assert load_card(tmp_path / "s.safetensors") == CARD
    page = (tmp_path / "s.md").read_text()
    stored = (tmp_path / "s.safetensors").stat().st_size
    for part in (
        "# s\n",
        "`value_iteration` (maps 4, iterations None)",
        "By hand.",
        "Privileged information: training used a map.",
        "gymnasium.make(\"DynaMazeGenerated-v0\", size=11, observation='planes')",
        "| parameters | 113 |",
        "| bytes of weights | 452 |",
        f"| bytes of the file | {stored:,} |",
        "| bytes of object code (gcc 12 -Os, x86_64) | 1,600 |",
        "| multiply-adds per decision | 317,988 |",
        "99.87% (95% interval 99.70% to 100.00%, 500 mazes)",
        "Success rate by distance to the goal (perfect 31x31, held out):",
        "| steps to the goal | share of cells | weight in return | success rate |\n",
        "| 61-100 | 20.0% | 4.0% | 99.75% [97.00, 100.00] |",
        "Trained on: levels 0 to 999.",
        "Held out: levels 5000 to 5499, levels 9000 to 9000.",
        'load_policy("s.safetensors").act(observation)',
    ):
        assert part in page, part


@pytest.mark.parametrize("bits", [None, "ternary"])
def test_file_bytes_are_those_of_the_file(bits: Any, tmp_path: Path) -> None:
    made = make_student("value_iteration")
    made = made if bits is None else quantised(made, bits, "tensor")
    save_student(tmp_path / "s.safetensors", made)
    assert file_bytes(made) == (tmp_path / "s.safetensors").stat().st_size


def test_page_omits_unknown_entries(tmp_path: Path) -> None:
    save_student(tmp_path / "s.safetensors", student("mlp"), card=Card())
    assert load_card(tmp_path / "s.safetensors") == Card()
    page = (tmp_path / "s.md").read_text()
    assert not any(word in page for word in ("None", "## Size", "## Return", "Made for"))


def test_page_loading_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamaze.distill.export.compiled import load_policy

    monkeypatch.chdir(tmp_path)
    save_student("s.safetensors", student("mlp"), card=Card())
    lines = Path("s.md").read_text().splitlines()
    assert lines[lines.index("```python") + 1].split("  #")[0] == (
        "from dynamaze.distill import load_policy"
    )
    seen = queried("mlp")[0]
    assert load_policy("s.safetensors").act(seen) == student("mlp").act(seen)


def test_card_refuses_overlapping_levels() -> None:
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
def test_load_refuses_truncated_file(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    refused(file, "not a whole safetensors file")


def test_load_detects_every_damaged_byte(file: Path) -> None:
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        with pytest.raises(StudentFileError):
            load_student(file)


def test_load_refuses_missing_or_foreign_file(file: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save

    refused(tmp_path / "no.safetensors", "cannot be read: No such file")
    file.write_text("# A page\n")
    refused(file, "not a whole safetensors file")
    for metadata in (None, {"format": "pt"}, {"dynamaze": "what"}, {"dynamaze": "[]"}):
        file.write_bytes(save({"weight": np.ones(3)}, metadata))
        refused(file, "no description of a student")
    file.write_bytes(save({}, {"dynamaze": '{"format": 9}'}))
    refused(file, "format 9; expected 1")
    file.write_bytes(save({}, {"dynamaze": '{"format": 1}'}))
    refused(file, "no config and card")


def test_open_policy_refuses_other_ending(tmp_path: Path) -> None:
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
        ({"kind": "value_iteration"}, "of kind 'value_iteration'"),
        ({"kind": "tree"}, "of kind 'tree'"),
        ({"kind": None}, "of kind None"),
    ],
)
def test_load_refuses_misfit_weights(file: Path, changed: dict[str, Any], match: str) -> None:
    stored = read_weights(file)
    write_weights(file, stored.weights, {**stored.config, **changed}, {})
    with pytest.raises(StudentFileError, match=match) as caught:
        load_student(file)
    assert "\n" not in str(caught.value)


def test_load_refuses_missing_or_misshaped_weight(file: Path) -> None:
    save_student(file, student("value iteration"))
    stored = read_weights(file)
    for weights in (
        {name: part for name, part in stored.weights.items() if name != "bias"},
        {**stored.weights, "bias": np.zeros((4, 1), np.float32)},
    ):
        write_weights(file, weights, stored.config, {})
        for load in (load_student, open_policy):
            with pytest.raises(StudentFileError, match=r"bias"):
                load(file)


def test_save_refuses_unmakeable_student(file: Path) -> None:
    import torch

    before = file.read_bytes()
    for unmakeable in (as_student(torch.nn.Linear(2, 2)), torch.nn.Linear(2, 2), object()):
        with pytest.raises(TypeError, match="loaded from a file"):
            save_student(file, unmakeable)
    with pytest.raises(TypeError, match="JSON"):
        save_student(file, student("mlp"), card=Card(environment={"id": object()}))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


# -- forged files ------------------------------------------------------------------------------


FORGED: list[tuple[dict[str, Any], str]] = [
    ({"width": 10**6}, r"layers.0.weight \(8, 147\); expected \(1000000, 147\)"),
    ({"width": 10**8}, "width=100000000"),
    ({"layers": 1000}, "layers.1"),
    ({"layers": 10**8}, "layers=100000000"),
    ({"num_actions": 2**70}, "expected"),
    ({"observation_shape": [2**40, 2**40]}, "expected"),
    ({"width": True}, "width=True"),
    ({"width": 8.5}, "width=8.5"),
    ({"layers": -1}, "layers=-1"),
    ({"kind": "gru", "width": 10**6}, "cell.weight_ih_l0"),
    ({"kind": "conv", "per_cell": False, "channels": 10**6, "layers": 10**9}, "layers=1000000000"),
    ({"kind": "conv", "per_cell": False, "channels": 3, "layers": 2}, "layers.0.weight"),
    ({"kind": "residual", "channels": 10**6, "blocks": 1000}, "first.weight"),
    (
        {"kind": "transformer", "layers": 1000, "width": 10**6, "heads": 1, "mlp_ratio": 4},
        "embedding.weight",
    ),
    ({"kind": "value_iteration", "maps": 10**6}, "scale"),
    (
        {"kind": "value_iteration", "maps": 4, "iterations": 10**18},
        "iterations=1000000000000000000",
    ),
    ({"kind": "table", "num_actions": 10**6}, "keys"),
    ({"kind": "tree", "num_actions": 10**6}, "feature"),
    ({"kind": ["mlp"]}, "of kind"),
    ({"kind": {}}, "of kind"),
    ({"kind": "actor_critic", "actor": {"kind": "actor_critic"}}, "critic|actor"),
    ({"kind": "gaussian", "inner": None, "low": [-1], "high": [1]}, "of kind 'gaussian'"),
    ({"kind": "gaussian", "inner": 5, "low": [-1], "high": [1]}, "of kind 'gaussian'"),
]


@pytest.mark.parametrize(("changed", "match"), FORGED)
def test_load_refuses_declared_sizes(file: Path, changed: dict[str, Any], match: str) -> None:
    stored = read_weights(file)
    write_weights(file, stored.weights, {**stored.config, **changed}, {})
    for load in (load_student, open_policy):
        with pytest.raises(StudentFileError, match=match) as caught:
            load(file)
        assert file.name in str(caught.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_must_be_finite(file: Path, number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamaze.distill.files import weights as module

    stored, before = read_weights(file), file.read_bytes()
    stored.weights["layers.1.bias"] = np.full(7, number, np.float32)
    with pytest.raises(ValueError, match=r"layers.1.bias has .*; expected finite numbers"):
        write_weights(file, stored.weights, stored.config, {})
    assert file.read_bytes() == before
    with monkeypatch.context() as patch:
        patch.setattr(module, "_check_finite", lambda weights: None)
        write_weights(file, stored.weights, stored.config, {})
    refused(file, "layers.1.bias has")


@pytest.mark.parametrize(
    "card",
    [
        {"size": [1]},
        {"size": [1, 2, -3]},
        {"size": [1, 2, float("nan")]},
        {"size": [1, 2, 3, None, [1]]},
        {"size": [1, 2, 3, None, [-1, "gcc"]]},
        {"size": [1, 2, 3, None, [1, 5]]},
        {"size": "abc"},
        {"normalised_return": [1]},
        {"normalised_return": [float("nan"), 0, 1, 5]},
        {"by_distance": [1]},
        {"by_distance": {"a": [[1, 10, 0.5]]}},
        {"by_distance": {"a": [[1, 10, 0.5, 0.5, 1.5, 0, 1, 9]]}},
        {"by_distance": {"a": [[1, 10, 0.5, 0.5, 1, 0, 1, 0.5]]}},
        {"training": [[0]]},
        {"training": 5},
        {"held_out": [["a", 1]]},
        {"training": [[0, 10]], "held_out": [[9, 1]]},
        {"made": 5},
        {"privileged": 5},
        {"environment": [1]},
        {"unknown": 1},
    ],
)
def test_load_card_refuses_forged_card(file: Path, card: dict[str, Any]) -> None:
    stored = read_weights(file)
    write_weights(file, stored.weights, stored.config, card)
    for load in (load_card, open_policy):
        with pytest.raises(StudentFileError, match=r"s\.safetensors has an invalid card: "):
            load(file)
    load_student(file)  # needs no card


def test_overlapping_levels_found_among_many() -> None:
    many = [LevelRange(10 * number, 5) for number in range(20_000)]
    others = [LevelRange(10 * number + 5, 5) for number in range(20_000)]
    check_disjoint(many, others)
    with pytest.raises(ValueError, match="trained on levels 70 to 74 and held out levels 74 to 79"):
        check_disjoint(many, [*others, LevelRange(74, 6)])
    with pytest.raises(ValueError, match="expected disjoint"):
        check_disjoint([LevelRange(0, 1000), LevelRange(1, 1)], [LevelRange(500, 1)])


def test_load_refuses_header_of_declared_size(file: Path) -> None:
    content = file.read_bytes()
    for length in (2**63, 10**8, len(content)):
        file.write_bytes(length.to_bytes(8, "little") + content[8:])
        refused(file, "not a whole safetensors file")
    deep = b'{"__metadata__":' + b'{"a":' * 10**5
    file.write_bytes(len(deep).to_bytes(8, "little") + deep)
    refused(file, "not a whole safetensors file")


def test_load_refuses_huge_file(file: Path) -> None:
    with file.open("ab") as content:
        content.truncate(2**40)  # sparse
    for load in (load_student, load_card, open_policy):
        with pytest.raises(StudentFileError, match="expected at most 1,073,741,824"):
            load(file)


# -- the file and its page ---------------------------------------------------------------------


def test_page_never_outlives_its_card(tmp_path: Path) -> None:
    file, page = tmp_path / "s.safetensors", tmp_path / "s.md"
    save_student(file, student("mlp"), card=CARD)
    assert page.exists()
    save_student(file, student("mlp"))
    assert not page.exists()
    page.write_text("# My own notes\n")
    save_student(file, student("mlp"))
    assert page.read_text() == "# My own notes\n"
    with pytest.raises(ValueError, match="expected another ending"):
        save_student(page, student("mlp"), card=CARD)


def test_card_drops_measured_time(tmp_path: Path) -> None:
    for name, time in (("a", 1.5), ("b", 2.5)):
        card = Card(size=Size(1, 2, 3, time))
        save_student(tmp_path / f"{name}.safetensors", student("mlp"), card=card)
    pages = [(tmp_path / f"{name}.md").read_text().replace(f"{name}.", "s.") for name in "ab"]
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert pages[0].splitlines()[1:] == pages[1].splitlines()[1:]
    assert load_card(tmp_path / "a.safetensors").size == Size(1, 2, 3)
