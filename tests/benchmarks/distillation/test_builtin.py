"""`dynamaze distill builtin` and `distill card`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynamaze.app import cli
from dynamaze.benchmarks.distillation import builtin, learner, student
from dynamaze.distill.export.certify import certify
from dynamaze.distill.files.builtin_students import BUILTIN, PREFIX
from dynamaze.distill.files.students import load_card, load_student, save_student
from dynamaze.distill.students.hardened import hardened
from dynamaze.distill.students.quantise import quantised

from ...distill.exact_map_planner import expert_student
from ...distill.exact_value_iteration import exact_value_iteration


def save_network(path: Path) -> None:
    card = load_card(f"{PREFIX}value_iteration")
    save_student(path, hardened(exact_value_iteration()), card=card)


def save_learners(path: Path) -> None:
    card = load_card(f"{PREFIX}map_value_iteration")
    save_student(path, expert_student(), card=card)
    save_student(builtin.small_form(path), quantised(expert_student()), card=card)


def test_builtin_packs_given_students(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_network(tmp_path / "s.safetensors")
    save_learners(tmp_path / "l.safetensors")
    given = {"student": tmp_path / "s.safetensors", "learner": tmp_path / "l.safetensors"}
    made = tmp_path / "made"
    builtin.main(builtin.BuiltinConfig(output=made, mazes=2, **given))
    assert {path.name for path in made.glob("*.safetensors")} == {
        f"{name}.safetensors" for name in BUILTIN
    }
    assert "113 parameters" in capsys.readouterr().out
    ternary = load_student(made / "value_iteration_ternary.safetensors")
    assert ternary.config["bits"] == "ternary"
    whole, card = (
        load_card(made / f"value_iteration{form}.safetensors") for form in ("", "_ternary")
    )
    for name, each in (("", whole), ("_ternary", card)):
        steps = certify(made / f"value_iteration{name}.safetensors").steps
        assert each.limits == builtin.SEES.format(steps=steps)
        assert steps >= 2**20
        assert [*each.by_distance] == ["perfect 31x31", "perfect 201x201"]
    assert card.normalised_return is not None
    assert card.normalised_return.mazes == 2
    assert load_card(made / "map_value_iteration_int8.safetensors").limits == builtin.LEARNS


def test_builtin_trains_with_default_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[Any] = []

    def train(save: Any) -> Any:
        def main(config: Any) -> None:
            configs.append(config)
            config.output.parent.mkdir(parents=True, exist_ok=True)
            save(config.output)

        return main

    monkeypatch.setattr(student, "main", train(save_network))
    monkeypatch.setattr(learner, "main", train(save_learners))
    builtin.main(builtin.BuiltinConfig(output=tmp_path, mazes=2))
    training = tmp_path / "training"
    assert configs == [
        student.StudentConfig(output=training / "student.safetensors", mazes=2),
        learner.LearnerConfig(output=training / "learner.safetensors"),
    ]
    assert load_student(tmp_path / "map_value_iteration.safetensors").moves == "exact"


def test_builtin_refuses_other_student(tmp_path: Path) -> None:
    save_learners(tmp_path / "l.safetensors")
    config = builtin.BuiltinConfig(output=tmp_path / "made", student=tmp_path / "l.safetensors")
    with pytest.raises(ValueError, match="of type MapValueIteration; expected a ValueIteration"):
        builtin.main(config)
    save_student(tmp_path / "soft.safetensors", exact_value_iteration())
    config = builtin.BuiltinConfig(output=tmp_path / "made", student=tmp_path / "soft.safetensors")
    with pytest.raises(ValueError, match="expected a hardened student, for 1,048,576"):
        builtin.main(config)
    assert not (tmp_path / "made").exists()


def test_card_command_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["distill", "card"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{PREFIX}{name} " in shown for name in BUILTIN)
    assert cli.main(["distill", "card", "builtin:map_value_iteration"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# builtin:map_value_iteration\n")
    assert "`dynamaze distill learner" in shown
    assert "Limits: " in shown
    assert cli.main(["distill", "card", "builtin:map_value"]) == 1
    assert "did you mean 'builtin:map_value_iteration'?" in capsys.readouterr().err
