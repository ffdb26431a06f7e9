"""The command that trains a transformer, on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from dynamaze.benchmarks.distillation import teacher_transformer
from dynamaze.benchmarks.distillation.student import read_teacher
from dynamaze.benchmarks.distillation.teacher_transformer import (
    TransformerTeacherConfig,
    held_out,
    initial_network,
    main,
    make_distiller,
    stored_transformer,
)
from dynamaze.distill.core.size import measure
from dynamaze.distill.files.students import load_card, load_student

TOY = TransformerTeacherConfig(
    steps=2, mazes=2, layers=1, width=8, heads=1, sizes=(5, 7), kinds=("obstacles",), seed=4
)


def test_teacher_transformer_is_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(TOY, output=tmp_path / "t.safetensors")
    main(config)
    network, card = load_student(config.output), load_card(config.output)
    assert network.config["kind"] == "transformer"
    assert card.made == config.made
    assert "--steps 2 --seed 4 --layers 1" in card.made
    assert "--sizes 5 7 --kinds obstacles`" in card.made
    assert card.normalised_return is not None
    environment = gym.make(**{**card.environment, "id": f"dynamaze:{card.environment['id']}"})
    planes, _ = environment.reset(seed=0)
    assert planes.shape == (3, 5, 5)
    assert card.size == measure(network, planes)._replace(microseconds=None)
    assert network.act(planes) == read_teacher(config.output).action_logits(planes[None]).argmax()
    lines = capsys.readouterr().out.splitlines()
    for side in (5, 7, 9, 11, 15):
        assert sum(f" {side}x{side}: success rate" in line for line in lines) == 3
        assert sum(f"to the goal, perfect {side}x{side}" in line for line in lines) == 1
    assert list(card.by_distance) == [f"obstacles {side}x{side}" for side in (5, 7, 9, 11, 15)]
    assert card.by_distance["obstacles 5x5"][0].nearest == 1
    # A stored network is one of the same settings.
    stored = stored_transformer(config)
    assert all(map(torch.equal, stored.parameters(), network.parameters()))
    with pytest.raises(ValueError, match=r"was made 'By .*--steps 2.*expected 'By .*--steps 3"):
        stored_transformer(replace(config, steps=3))


def test_stored_transformer_is_trained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TOY, output=tmp_path / "t.safetensors", sizes=(5,))
    first = stored_transformer(config)
    monkeypatch.delattr(teacher_transformer, "train_transformer")
    again = stored_transformer(config)
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not again.training


def test_held_out_walls_are_not_in_training() -> None:
    config = replace(TOY, sizes=(5,), kinds=("perfect",))
    source: Any = make_distiller(initial_network(config), config).source
    rng = np.random.default_rng(0)
    # There are at most 192 perfect mazes of 5x5, so each level is one of many equal mazes.
    training = {
        walls.tobytes()
        for _ in range(20)
        for walls in source.sample_observations(rng, 0.5)[:, 0].astype(np.uint8)
    }
    tested = {
        walls.tobytes() for walls in held_out("perfect", 5, 300).planes[:, 0].astype(np.uint8)
    }
    assert min(len(training), len(tested)) > 30
    assert not training & tested


def test_teacher_transformer_refuses_before_output(tmp_path: Path) -> None:
    config = replace(TOY, output=tmp_path / "new" / "t.safetensors", width=10, heads=4)
    with pytest.raises(ValueError, match="width=10, heads=4; expected a width"):
        main(config)
    assert not list(tmp_path.iterdir())
