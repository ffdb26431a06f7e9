"""Experiments as commands, as modules and as scripts, from another folder."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest
from rich.console import Console

from dynamaze.benchmarks.harness import command_line
from dynamaze.benchmarks.harness.command_line import (
    EXIT_ERROR,
    EXIT_USAGE,
    guard,
    one_sentence,
    run_command,
    run_file,
)
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS, Command
from dynamaze.benchmarks.harness.running.termination import Terminated

ROOT = Path(__file__).parents[3]

SCRIPTS = {
    name: command
    for name, command in BENCHMARK_COMMANDS.items()
    if not command.module.startswith("dynamaze.benchmarks.harness.")
}
"""Commands whose files can be run; those of the harness have the command alone."""

HELP_OF_ALL = """
import contextlib, io, json, runpy, sys
way, commands = sys.argv[1], json.loads(sys.argv[2])
found = {}
for name, (module, path, options) in commands.items():
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            if way == "command":
                from dynamaze.app.cli import main
                sys.exit(main([*name.split(), "--help"]))
            sys.argv = [path, *options, "--help"]
            sys.path[0] = path.rpartition("/")[0]
            if way == "module":
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            runpy.run_path(path, run_name="__main__")
    except SystemExit as stop:
        found[name] = [stop.code, text.getvalue()]
print(json.dumps(found))
"""
"""Help of all commands in one process: by command, as `python -m` or as `python FILE`."""


def source(name: str) -> Path:
    parts = BENCHMARK_COMMANDS[name].module.split(".")[1:]
    return ROOT.joinpath(*parts).with_suffix(".py")


def script_options(name: str) -> list[str]:
    """Return the experiment's name where several share a module."""
    modules = [command.module for command in BENCHMARK_COMMANDS.values()]
    shared = modules.count(BENCHMARK_COMMANDS[name].module) > 1
    return [name.rsplit(maxsplit=1)[-1]] if shared else []


def python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def help_texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[object]]]:
    pytest.importorskip("torch", reason="the teachers and students need torch")
    pytest.importorskip("stable_baselines3", reason="PPO needs Stable-Baselines3")
    commands = json.dumps(
        {
            name: (command.module, source(name).as_posix(), script_options(name))
            for name, command in SCRIPTS.items()
        }
    )
    folder = tmp_path_factory.mktemp("elsewhere")
    return {
        way: json.loads(python("-W", "ignore", "-c", HELP_OF_ALL, way, commands, cwd=folder))
        for way in ("command", "module", "path")
    }


@pytest.mark.parametrize("name", SCRIPTS)
def test_three_ways_give_one_help(
    name: str, help_texts: dict[str, dict[str, list[object]]]
) -> None:
    status, text = help_texts["command"][name]
    assert status == 0
    assert f"usage: dynamaze {name} " in str(text)
    assert help_texts["module"][name] == help_texts["path"][name] == [status, text]


@pytest.mark.parametrize(
    ("name", "options", "files"),
    [
        ("bench run figure-8-7", ["--runs", "3", "--branching", "2", "5"], {"figure_8_7"}),
        ("bench run figure-8-4", ["--runs", "2"], {"figure_8_4", "figure_8_4_runs"}),
    ],
)
def test_three_ways_give_one_table(
    name: str, options: list[str], files: set[str], tmp_path: Path
) -> None:
    shared = script_options(name)
    ways = {
        "command": ["-m", "dynamaze", *name.split()],
        "module": ["-m", BENCHMARK_COMMANDS[name].module, *shared],
        "path": [str(source(name)), *shared],
    }
    tables = []
    for way, arguments in ways.items():
        folder = tmp_path / way
        folder.mkdir()
        python(*arguments, *options, cwd=folder)
        written = {path.stem: path.read_bytes() for path in folder.glob("results/*.csv")}
        assert set(written) == files
        tables.append(written)
    assert tables[0] == tables[1] == tables[2]


def test_shared_file_lists_its_experiments(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(source("bench run figure-8-4"))
    for arguments in ([], ["--help"]):
        assert run_file(path, arguments) == 0
        assert "{figure-8-4,figure-8-5} [OPTIONS]" in capsys.readouterr().out
    assert run_file(path, ["figure-8-3"]) == EXIT_USAGE
    shown = capsys.readouterr().err
    assert "no experiment 'figure-8-3' in figures_8_4_and_8_5.py" in shown
    assert "expected one of figure-8-4, figure-8-5; did you mean 'figure-8-" in shown


def test_run_file_rejects_other_file(tmp_path: Path) -> None:
    for path in (tmp_path / "x.py", ROOT / "benchmarks" / "harness" / "table.py"):
        with pytest.raises(ValueError, match=r"no command; expected a module of"):
            run_file(str(path), [])


def test_run_script_reports_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--runs", "1", "--output", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        command_line.run_script(str(source("bench run figure-8-2")))
    assert stop.value.code == EXIT_ERROR
    assert capsys.readouterr().err == ("dynamaze: --runs=1; expected at least 2 for an interval\n")


@pytest.mark.parametrize(
    ("name", "options", "new"),
    [
        ("figures", ["--redraw"], "--plot-only"),
        ("bench run loca", ["--every", "5"], "--evaluation-interval"),
        ("bench run loca", ["--every=5"], "--evaluation-interval"),
        ("bench run model-confidence", ["--certainty", "5"], "--prior-strength"),
        ("distill adapt", ["--life", "5"], "--drift-steps"),
        ("distill soft-labels", ["--tiny-steps", "5"], "--small-steps"),
        ("distill student", ["--beginnings", "5"], "--restarts"),
    ],
)
def test_old_option_names_new_one(
    name: str, options: list[str], new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(name, BENCHMARK_COMMANDS[name], options) == EXIT_USAGE
    old = options[0].partition("=")[0]
    assert capsys.readouterr().err == f"dynamaze: {old} is now called {new}\n"


BOX = """\
╭─ Value error ────────────────────╮
│ \x1b[1mError\x1b[0m parsing --x: 'a             │
│ b'                               │
│ ──────────────────────────────── │
│ Argument helptext:               │
╰──────────────────────────────────╯
"""
ASCII_BOX = """\
 Value error
 ----------------------------------
  Error parsing --x.

  Got errors:
  - y
 ----------------------------------
  Argument helptext:
"""
BOX_OF_MISSING = """\
╭─ Required options ───────────────╮
│ Missing from x:                  │
│     A                            │
│         A file.                  │
╰──────────────────────────────────╯
"""


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        (BOX, "Error parsing --x: 'a b'"),
        (ASCII_BOX, "Error parsing --x"),
        (BOX_OF_MISSING, "Missing from x: A"),
        ("", "wrong options"),
    ],
)
def test_one_sentence_of_box(box: str, sentence: str) -> None:
    assert one_sentence(box) == sentence


def test_plot_only_needs_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dynamaze.app.cli import main

    options = ["--plot-only", "--output", str(tmp_path)]
    assert main(["bench", "run", "figure-8-7", *options]) == EXIT_ERROR
    assert "figure_8_7.csv: no such table; run the experiment" in capsys.readouterr().err
    assert main(["bench", "run", "figure-8-7", "--runs", "2", "--output", str(tmp_path)]) == 0
    before = (tmp_path / "results" / "figure_8_7.png").read_bytes()
    (tmp_path / "results" / "figure_8_7.png").unlink()
    assert main(["bench", "run", "figure-8-7", *options]) == 0
    assert (tmp_path / "results" / "figure_8_7.png").read_bytes() == before


def test_missing_torch_names_extra(tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "sys.modules['torch'] = None\n"
        "try:\n"
        "    runpy.run_module('dynamaze.benchmarks.distillation.teacher', run_name='__main__')\n"
        "except ImportError as error:\n"
        "    print(error)\n"
        "from dynamaze.app.cli import main\n"
        "sys.stderr = sys.stdout\n"
        "main(['distill', 'teacher'])\n"
    )
    cure = 'needs torch, which is not installed: pip install "dynamaze[distill]"'
    assert python("-c", code, cwd=tmp_path).splitlines() == [
        f"dynamaze.benchmarks.distillation {cure}",
        f"dynamaze: dynamaze distill teacher {cure}",
    ]


def test_closed_pipe_has_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich raises SystemExit(1) where it finds a closed pipe."""
    read, write = os.pipe()
    os.close(read)
    # Rich replaces the file descriptor of stdout.
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=lambda: write, flush=lambda: None))

    def action() -> int:
        with open(write, "w", closefd=False) as closed:
            Console(file=closed).print("text")
        return 0

    try:
        assert guard(action) == 141
    finally:
        os.close(write)


@pytest.mark.parametrize(
    ("stop", "status"), [(Terminated(129), 129), (Terminated(143), 143), (KeyboardInterrupt(), 130)]
)
def test_signal_outranks_error_of_clean_up(stop: BaseException, status: int) -> None:
    def action() -> int:
        try:
            raise stop
        finally:
            raise OSError(errno.EIO, "the terminal is closed")

    assert guard(action) == status


def test_closed_terminal_has_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_silence_stdout", lambda: None)

    def action() -> int:
        raise OSError(errno.EIO, "Input/output error")

    assert guard(action) == 129


def test_warning_of_import_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
        import dataclasses, warnings
        warnings.warn("no folder\\ncan be written")
        @dataclasses.dataclass(frozen=True)
        class Config:
            "Options."
        def main(config: Config) -> None:
            print("done")
    """
    (tmp_path / "warning_command.py").write_text(dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    # As Python shows it; pytest records warnings in place of that.
    monkeypatch.setattr(
        warnings, "showwarning", lambda *a: sys.stderr.write(warnings.formatwarning(*a[:4]))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run_command("x", Command("", "", "warning_command"), []) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("done\n", "dynamaze: no folder can be written\n")
