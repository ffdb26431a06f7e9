"""Example command lines of all help texts and documents: each runs as far as it is quick."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from inspect import getsource
from pathlib import Path

import pytest

from dynamaze.app import cli

from ...test_readme import DOCUMENTS, commands
from ...trials.command_lines import Line, run_line

MY_FILE = """
from dynamaze.benchmarks.adaptation.settings import SuiteSetting

RETURNS = SuiteSetting(
    "block_and_return",
    "DynaMaze-v0",
    {"layout": "S..G\\n....", "changes": [[50, "S.#G\\n...."]]},
    steps=100,
    change_steps=(50,),
)


class MyAgent:
    def __init__(self, env, seed=None):
        self.env = env

    def act(self, observation):
        return self.env.action_space.sample()
"""


def example_lines() -> set[str]:
    """Return the command lines of `dynamaze --help --all`, of options' help and of documents."""
    runs = cli.listed_commands(cli.RUN)
    texts = [cli.full_help_text(), *(cli.command_list([name]) for name in runs)]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    found = {line for line in lines if line.startswith("dynamaze ")}
    for command in cli.COMMANDS.values():
        if "distillation" not in command.module:  # these need torch
            found |= set(
                re.findall(r"`(dynamaze [^`\n]+)`", getsource(import_module(command.module)))
            )
    found |= set().union(*map(commands, DOCUMENTS))
    mentions = {"dynamaze bench diff"}  # without its files
    return {line for line in found - mentions if not re.search(r"COMMAND|\bNAME\b|\{", line)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the examples name."""
    pytest.importorskip("stable_baselines3", reason="some commands need it")
    from dynamaze.distill.files.students import save_student
    from dynamaze.distill.students.experience_gru import ExperienceGRU
    from dynamaze.distill.students.map_value_iteration import MapValueIteration

    from ...distill.exact_value_iteration import exact_value_iteration

    place = tmp_path_factory.mktemp("examples")
    for name in ("teacher", "student"):
        save_student(place / f"{name}.safetensors", exact_value_iteration())
    save_student(place / "learner.safetensors", MapValueIteration())
    save_student(place / "gru.safetensors", ExperienceGRU(8))
    (place / "my_file.py").write_text(MY_FILE)
    options = ["--runs", "2", "--workers", "1", "--output", str(place)]
    assert cli.main(["bench", "run", "figure-8-2", *options, "--episodes", "1"]) == 0
    (place / "before.sqlite").write_bytes((place / "results" / "runs.sqlite").read_bytes())
    return place


NOTICE = re.compile(r"compiling \(once\)|since the start\)$")
"""Lines on stderr of code that is compiled, and of a command that takes 30 s on a slow machine."""


def test_examples_are_many() -> None:
    assert len(example_lines()) > 50


@pytest.mark.parametrize("text", sorted(example_lines()))
def test_example_runs(text: str, folder: Path) -> None:
    name, options = cli.split_command(shlex.split(text, comments=True)[1:])
    outcome = run_line(Line(cli.SHORT_COMMANDS.get(name, name), tuple(options)), folder)
    if "--plot-only" in options:  # there is nothing to plot
        assert "no such table; run the experiment without --plot-only" in outcome.errors
        return
    errors = [line for line in outcome.errors.splitlines() if not NOTICE.search(line)]
    assert (outcome.status, errors) == (0, [])
