"""Trial: random command lines, of which none may end in a traceback.

Commands, options and values are drawn from the parsers: numbers of any size, text, paths that are
missing, of the other kind or cannot be written, and files of options with the same. Each line is
parsed and checked as by the command; then the command runs as far as it is quick: experiments as a
dry run, `watch` for two steps without a window, `play` without input. It is checked that

1. the exit code is 0, 1 or 2, and no exception leaves the command;
2. a refusal is one line on stderr without control characters;
3. it names an option, a value or a file that was given.

    python tests/trials/command_lines.py --lines 1000
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints
from unittest import mock

import numpy as np

from dynamaze.app import cli
from dynamaze.benchmarks.harness import command_line
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.common.registration import ENVIRONMENTS

NUMBERS = (
    *("0", "-3", "1", "2", "7", "0.5", "1e400", "-0.0", "nan", "inf", "-inf"),
    *(str(10**12), str(10**20), "1" + "0" * 400),
)
TEXTS = ("", "text", "\x1b[31mred\x1b[0m", "two\nlines", "--", "DynaQ(", "a" * 3000, "é", "x=1")
AGENTS = (
    *("DynaQ", "random", "TreeSearch", "DynaQ(planning_steps=1)", "DynaQ(nothing=1)"),
    *("DynaQ(planning_steps=1000000000000)", "no.such:agent", "agent.py:missing"),
)


class Line(NamedTuple):
    """A command line."""

    command: str
    options: tuple[str, ...]


class Outcome(NamedTuple):
    """What a command line did."""

    line: Line
    status: int | None
    """Exit code; None after an exception."""
    errors: str
    """What it wrote on stderr, or the traceback."""
    fault: str
    """What is wrong with it; "" if nothing is."""


def find_fault(line: Line, status: int, errors: str) -> str:
    """Return what is wrong with what a command line did, or ""."""
    if status not in (0, 1, 2):
        return f"exit code {status}"
    if status == 0:
        return ""
    last = errors.splitlines()[-1] if errors.endswith("\n") else ""
    if not last.startswith("dynamaze: "):
        return "no line about the error"
    if not last.isprintable():
        return "control characters"
    return "" if _is_named(last, line) else "no option named"


WITHOUT_NAME = ("Missing from", "Missing value", "no such store", ". is a folder")
"""Texts of refusals where nothing was given that could be named."""


def _is_named(text: str, line: Line) -> bool:
    """Return True if an error names an option, a value or a file of the command line."""
    given = [*line.options, *_file_words(line.options)]
    words = [part for each in given for part in (each, *each.split("="), *each.split("\n"))]
    names = [repr(word.lstrip("-"))[1:-1][:40] for word in words if word.strip("-\x1b")]
    dashed = text.replace("_", "-")
    return any(each in text for each in WITHOUT_NAME) or any(
        name in text or name.replace("_", "-") in dashed for name in names
    )


def _file_words(options: tuple[str, ...]) -> list[str]:
    """Return the names and values in a file of options."""
    words: list[str] = []
    for path in options:
        if path.endswith(".toml") and Path(path).is_file():
            words += Path(path).read_text(encoding="utf-8").replace('"', "").split()
    return words


def option_types(command: str) -> dict[str, Any]:
    """Return the names of a command's options with their types."""
    entry = cli.COMMANDS[command]
    kind = command_line.config_type(command_line.import_command(command, entry), entry)
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


class Lines:
    """Generator of command lines.

    Args:
        rng: draws them.
        folder: where paths lead; some are made there.
    """

    def __init__(self, rng: np.random.Generator, folder: Path) -> None:
        self._rng, self._folder = rng, folder
        (folder / "folder").mkdir(exist_ok=True)
        (folder / "file").write_text("text")
        (folder / "maze.txt").write_text("S.#\n..G\n")
        (folder / "empty.sqlite").write_bytes(b"")
        (folder / "agent.npz").write_bytes(b"PK\x03\x04")
        (folder / "student.safetensors").write_bytes(b"\x08" + bytes(12))
        self._paths = (
            *("folder", "file", "maze.txt", "empty.sqlite", "agent.npz", "student.safetensors"),
            *("missing", "missing/deep/file", "file/below", "/proc/no", "/dev/full", "x" * 300),
        )

    def draw(self) -> Line:
        """Return a command line."""
        command = self._one(tuple(cli.COMMANDS))
        types = option_types(command)
        options: list[str] = []
        for _ in range(self._rng.integers(1, 4)):
            name = self._one(tuple(types))
            values = self._values(types[name])
            if self._rng.random() < 0.15:
                options += ["--config", self._config(name, values)]
            elif name == "env_id" or (command == "bench diff" and name in ("first", "second")):
                options = [*values[:1], *options]
            else:
                options += [f"--{name.replace('_', '-')}", *values]
        if self._rng.random() < 0.05:
            options.append("--nothing")
        return Line(command, tuple(options))

    def _config(self, name: str, values: list[str]) -> str:
        path = self._folder / f"options{self._rng.integers(10)}.toml"
        text = ", ".join(each if _is_toml(each) else _quoted(each) for each in values)
        path.write_text(f"{name} = {text}\n" if len(values) == 1 else f"{name} = [{text}]\n")
        return self._one((str(path), str(path), str(path), "missing.toml", str(self._folder)))

    def _values(self, kind: Any) -> list[str]:
        parts = (kind, *get_args(kind))
        if kind is bool:
            return [] if self._rng.random() < 0.8 else ["text"]
        if get_origin(kind) is tuple:
            return [self._value(parts[1:]) for _ in range(self._rng.integers(0, 4))]
        if self._rng.random() < 0.03:
            return []
        return [self._value(parts)]

    def _value(self, parts: tuple[Any, ...]) -> str:
        rare = self._rng.random()
        if rare < 0.1:
            return self._one(TEXTS)
        literal = next((each for each in parts if get_origin(each) is Literal), None)
        if literal is not None and rare < 0.8:
            return self._one(get_args(literal))
        if {int, float} & set(parts):
            return self._one(NUMBERS)
        if Path in parts or rare < 0.4:
            return self._one(self._paths)
        return self._one((*AGENTS, *ENVIRONMENTS, *NUMBERS))

    def _one(self, choices: tuple[Any, ...]) -> Any:
        return choices[self._rng.integers(len(choices))]


def _is_toml(text: str) -> bool:
    return text.lstrip("-").isdigit() or text in ("nan", "inf", "-inf", "0.5")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.replace("\x1b", "\\u001b")


def run_quickly(module: Any, config: Any) -> None:
    """Run a command with its configuration as far as it is quick."""
    run: Callable[[Any, Any], None] = _run_parsed
    name = type(config).__name__
    if isinstance(config, ExperimentConfig) or name == "Figures":
        if getattr(config, "plot_only", False) or not hasattr(config, "dry_run"):
            run(module, config)
        else:
            run(module, replace(config, dry_run=True))
    elif name == "Watch":
        run(module, replace(config, steps=min(config.steps or 2, 2), fps=0, save=None))
    elif name == "Demo":
        run(module, replace(config, steps=min(config.steps or 2, 2)))
    elif name == "Play":
        run(module, replace(config, text=True))
    elif hasattr(module, "read_teacher"):
        module.read_teacher(config.teacher)
    elif name in ("ReportConfig", "ExportConfig", "DiffConfig"):
        run(module, config)


_run_parsed = command_line.run_parsed


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch.object(command_line, "run_parsed", run_quickly),
            mock.patch.dict(os.environ, {"SDL_VIDEODRIVER": "dummy"}),
            mock.patch.object(sys, "stdin", io.StringIO()),
        ):
            yield
    finally:
        os.chdir(before)


def run_line(line: Line, folder: Path) -> Outcome:
    """Run a command line in this process."""
    errors = io.StringIO()
    with _surroundings(folder), redirect_stdout(io.StringIO()), redirect_stderr(errors):
        try:
            status = cli.main([*line.command.split(), *line.options])
        except BaseException:
            return Outcome(line, None, traceback.format_exc(), "traceback")
    return Outcome(line, status, errors.getvalue(), find_fault(line, status, errors.getvalue()))


def run_trial(
    count: int, seed: int, folder: Path, tell: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Run random command lines and return what they did."""
    lines = Lines(np.random.default_rng(seed), folder)
    outcomes = []
    for _ in range(count):
        outcomes.append(run_line(lines.draw(), folder))
        tell(outcomes[-1])
    return outcomes


def main() -> int:
    """Run the trial, and print the faults and their numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    def tell(outcome: Outcome) -> None:
        if outcome.fault:
            print(f"{outcome.fault}: {outcome.line}\n  {outcome.errors[-1500:]!r}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_trial(arguments.lines, arguments.seed, Path(folder), tell)
    print("exit codes", dict(Counter(outcome.status for outcome in outcomes)))
    faults = Counter(outcome.fault for outcome in outcomes if outcome.fault)
    print(f"{len(outcomes)} command lines, faults: {dict(faults) or 'none'}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
