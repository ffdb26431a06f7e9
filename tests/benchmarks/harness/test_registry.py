"""Registry of the experiments: modules, configurations and literal options."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from dynamaze.benchmarks.harness.command_line import config_type
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS, EXPERIMENTS

ROOT = Path(__file__).parents[3]
FOLDERS = ("figures", "studies", "studies/loca", "distillation", "speed")


def test_experiments_are_commands() -> None:
    assert len(EXPERIMENTS) == 26
    assert set(BENCHMARK_COMMANDS) == {
        "figures",
        *(f"bench run {name}" for name in EXPERIMENTS),
        "bench report",
        "bench diff",
        "bench export",
        "bench cards",
        "bench tuned",
        "bench speed",
        *(
            f"distill {name}"
            for name in (
                *("teacher", "teacher-ppo", "teacher-transformer", "student", "frontier"),
                *("learner", "adapt", "transformer", "soft-labels", "methods", "compare"),
                *("synthetic-mazes", "builtin", "card", "certify"),
            )
        ),
    }


@pytest.mark.parametrize("name", BENCHMARK_COMMANDS)
def test_command_module_is_experiment_or_has_main(name: str) -> None:
    pytest.importorskip("torch", reason="the teachers and students need torch")
    pytest.importorskip("stable_baselines3", reason="PPO needs Stable-Baselines3")
    command = BENCHMARK_COMMANDS[name]
    module = import_module(command.module)
    config = config_type(module, command)
    if issubclass(config, ExperimentConfig):
        assert not hasattr(module, "main")
        assert list(inspect.signature(module.run).parameters) == ["config", "runner"]
        assert callable(module.plot)
        assert callable(module.summary)
        assert config().title
        assert config().caption
    else:
        assert callable(module.main)
    assert dataclasses.is_dataclass(config)
    if name not in ("bench diff", "distill certify"):  # they need files
        assert isinstance(config(), config)


def test_config_type_from_annotation() -> None:
    command = EXPERIMENTS["figure-8-4"]
    module = import_module(command.module)
    assert config_type(module, command) is module.Figure84Config
    assert config_type(module, command._replace(config="")) is module.ChangingMazeFigureConfig


def test_fixed_values_are_literals() -> None:
    found = set()
    for name in ("figures", "bench run background-or-decision", "bench run models"):
        command = BENCHMARK_COMMANDS[name]
        config = config_type(import_module(command.module), command)
        for field, hint in get_type_hints(config).items():
            if any(get_origin(part) is Literal for part in get_args(hint)):
                found.add(field)
    assert found == {"only", "mazes"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_modules_shadow_no_library(folder: str) -> None:
    """A script's folder comes first in `sys.path`."""
    known = {*sys.stdlib_module_names, *importlib.metadata.packages_distributions()}
    modules = {path.stem for path in (ROOT / "benchmarks" / folder).glob("*.py")}
    assert len(modules) >= 5
    assert not modules & known
