"""Students that come with the package: their files, their cards, and that they are right."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.benchmarks.distillation.mazes import HeldOut, evaluate_policy, held_out_generators
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.export.compiled import load_policy
from dynamaze.distill.export.load import check_parity, open_policy
from dynamaze.distill.files.builtin_students import BUILTIN, PREFIX, is_builtin, student_path
from dynamaze.distill.files.students import load_card, load_student
from dynamaze.distill.files.weights import read_weights

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "distill" / "files" / "builtin"

COMMANDS = {
    "value_iteration": "`dynamaze distill student --maps 4 --steps 3000 --seed 0 --method soft ",
    "value_iteration_ternary": "`dynamaze distill builtin`",
    "map_value_iteration": "`dynamaze distill learner --steps 4000 --seed 0`",
    "map_value_iteration_int8": "`dynamaze distill learner --steps 4000 --seed 0`",
}
"""Name -> the command that its card names."""

NEVER_USED = LevelRange(50_000_000, 1000)


def test_builtin_students_are_small_package_data() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert {*files} == {f"{name}.safetensors" for name in BUILTIN}
    assert sum(files.values()) < 10_000
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["setuptools"]["package-data"]["dynamaze.distill.files"]
    assert {path for pattern in data for path in FOLDER.parent.glob(pattern)} == {*FOLDER.iterdir()}


@pytest.mark.parametrize("name", BUILTIN)
def test_card_tells_command_results_and_limits(name: str) -> None:
    card = load_card(PREFIX + name)
    assert COMMANDS[name] in card.made
    assert card.normalised_return is not None
    assert card.normalised_return.low > 0.95
    assert card.normalised_return.mazes >= 300
    assert card.limits
    assert card.size is not None
    assert card.size.parameters == load_student(PREFIX + name).num_parameters
    assert all(each.success == 1 for ranges in card.by_distance.values() for each in ranges)
    is_network = name.startswith("value_iteration")
    assert ("exact shortest path lengths" in card.privileged) == is_network
    assert bool(card.by_distance) == is_network
    page = card.page(PREFIX + name, read_weights(PREFIX + name).config, 1)
    assert f"Limits: {card.limits}." in page
    assert f'load_policy("builtin:{name}")' in page


@pytest.mark.parametrize("name", ["value_iteration", "value_iteration_ternary"])
def test_builtin_network_solves_every_cell(name: str) -> None:
    policy = load_policy(PREFIX + name)
    for generator in held_out_generators(21).values():
        held_out = HeldOut.generate(generator, 20, NEVER_USED)
        result = evaluate_policy(policy, held_out)
        assert result.success == result.normalised_return == result.agreement == 1
    check_parity(load_student(PREFIX + name), policy, held_out.planes[:4])


@pytest.mark.parametrize("name", ["map_value_iteration", "map_value_iteration_int8"])
def test_builtin_learner_equals_expert(name: str) -> None:
    from dynamaze.benchmarks.distillation.learner_runs import (
        MapExpert,
        RunStepper,
        adaptation_envs,
        play,
        run_generator,
    )

    envs = adaptation_envs(run_generator(9), 60, NEVER_USED)
    reward = {}
    for label, policy in (("student", load_policy(PREFIX + name)), ("expert", MapExpert())):
        policy.grid = (9, 9)
        rng = np.random.default_rng(0) if label == "expert" else None
        reward[label] = play(policy, RunStepper(envs, seed=0), rng).reward.mean()
    envs.close()
    assert reward["student"] > 0.85 * reward["expert"]  # 0.99; one in 60 runs deviates by 0.04


def test_builtin_students_need_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
from dynamaze.distill import load_policy
for name in {[*BUILTIN]!r}:
    print(load_policy("{PREFIX}" + name).num_parameters)
print([name for name in ("torch", "stable_baselines3") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["113", "113", "43", "24", "[]"]


@pytest.mark.parametrize("load", [load_policy, open_policy, load_student, load_card, read_weights])
def test_unknown_builtin_student_is_named(load: Any) -> None:
    with pytest.raises(ValueError) as caught:
        load("builtin:value_iterations")
    assert str(caught.value) == (
        "student 'builtin:value_iterations'; expected one of "
        + ", ".join(PREFIX + name for name in BUILTIN)
        + "; did you mean 'builtin:value_iteration'?"
    )


def test_other_paths_are_unchanged(tmp_path: Path) -> None:
    assert student_path(tmp_path) is tmp_path
    assert not is_builtin(tmp_path / "builtin:x")
    assert is_builtin("builtin:x")
    assert str(student_path("builtin:value_iteration")).endswith("value_iteration.safetensors")
