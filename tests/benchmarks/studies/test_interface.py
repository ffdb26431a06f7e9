"""The studies' interface: settings, and what determines a run."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from inspect import signature
from typing import Any

import pytest

from dynamaze.benchmarks.harness.command_line import config_type
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS

pytest.importorskip("torch")

FOLDERS = (
    "dynamaze.benchmarks.adaptation",
    "dynamaze.benchmarks.studies",
    "dynamaze.benchmarks.distillation",
)
EXPERIMENTS = {
    name: command
    for name, command in BENCHMARK_COMMANDS.items()
    if command.module.startswith(FOLDERS) and hasattr(import_module(command.module), "trial")
}


def load(name: str) -> tuple[Any, ExperimentConfig]:
    """Return the module of an experiment, and its default configuration."""
    module = import_module(EXPERIMENTS[name].module)
    return module, config_type(module, EXPERIMENTS[name])()


def test_all_studies_are_experiments() -> None:
    teachers = {"distill teacher", "distill teacher-ppo", "distill teacher-transformer"}
    trainings = {*teachers, "distill student", "distill learner", "distill builtin"}
    own = {name for name, each in BENCHMARK_COMMANDS.items() if each.module.startswith(FOLDERS)}
    pages = {"bench cards", "bench tuned"}  # they write files from stored tables
    others = {"bench coverage", "distill card", "distill certify", "distill synthetic-mazes"}
    assert {*EXPERIMENTS} >= own - trainings - pages - others
    assert len(EXPERIMENTS) >= 14


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_settings_are_distinct(name: str) -> None:
    _, config = load(name)
    arguments = [setting.arguments for setting in config.settings]
    assert len(set(arguments)) == len(arguments) > 0
    assert config.total_runs == sum(setting.runs for setting in config.settings)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_trial_takes_arguments_of_settings(name: str) -> None:
    module, config = load(name)
    parameters = [*signature(module.trial).parameters]
    assert parameters[0] == "config"
    assert {len(setting.arguments) for setting in config.settings} == {len(parameters) - 2}
    assert [*signature(module.run).parameters] == ["config", "runner"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_swept_options_are_fields(name: str) -> None:
    _, config = load(name)
    assert {*config.swept} <= {field.name for field in fields(config)}
    assert not {*config.swept} & {"seed", "runs"}
