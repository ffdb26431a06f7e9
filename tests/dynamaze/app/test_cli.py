"""The command line, in this process and in fresh ones."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import pytest

from dynamaze.app import cli, play
from dynamaze.benchmarks.harness import command_line
from dynamaze.benchmarks.harness.registry import EXPERIMENTS
from dynamaze.benchmarks.harness.running.termination import Terminated
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.version import __version__

HEAVY = ("tyro", "rich", "numba", "pygame", "matplotlib", "torch", "stable_baselines3", "scipy")

LINES = 24
"""Lines of the smallest usual terminal."""

LOADED_AFTER_HELP = f"""
import sys
from dynamaze.app.cli import main
status = main(["--help"])
print(status, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


class Run(NamedTuple):
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def in_fresh_process(*arguments: str) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "dynamaze", *arguments],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def dynamaze(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Return a function that runs a command in this process, which saves the imports."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> Run:
        status = cli.main([*arguments])
        return Run(status, *capsys.readouterr())

    return run


def unwrapped(text: str) -> str:
    """Return a text with its lines joined, as no summary is broken within a word."""
    return " ".join(text.split())


@pytest.mark.parametrize("word", ["--help", "help"])
def test_help_fits_one_screen(word: str) -> None:
    run = in_fresh_process(word)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(run.stdout.splitlines()) <= LINES
    texts = unwrapped(run.stdout)
    assert len(cli.FIRST_COMMANDS) == 6
    for name in cli.FIRST_COMMANDS:
        assert f"\n  {name} " in run.stdout
        assert cli.texts_of(name)[0] in texts
    for name in cli.GROUPS:
        assert f"\n  {name} " in run.stdout
        assert cli.main(name.split()) == 0
    for name in ENVIRONMENTS:
        assert re.search(rf"\b{name}\b", texts)


def test_help_refuses_other_options(dynamaze: Callable[..., Run]) -> None:
    run = dynamaze("help", "--everything")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "dynamaze: 'dynamaze help' has no option '--everything'\n"


def test_full_help_lists_commands_and_environments() -> None:
    run = in_fresh_process("--help", "--all")
    assert (run.returncode, run.stderr) == (0, "")
    texts = unwrapped(run.stdout)
    listed = cli.listed_commands()
    assert len(listed) >= 12
    for name in listed:
        assert f"\n  {name} " in run.stdout
        if name in cli.COMMANDS:
            command = cli.COMMANDS[name]
            assert command.summary in texts
            assert f"dynamaze {name} {command.example}".rstrip() in run.stdout
    for name, experiment in EXPERIMENTS.items():
        assert f"\n  {name} " in run.stdout
        assert experiment.summary in texts
    for name in ENVIRONMENTS:
        assert f"\n  {name}\n" in run.stdout


@pytest.mark.parametrize("make_text", [cli.help_text, cli.full_help_text])
def test_help_fits_terminal(make_text: Callable[[], str]) -> None:
    text = make_text() + cli.command_list(cli.listed_commands(cli.RUN))
    assert [line for line in text.splitlines() if len(line) > cli.COLUMNS] == []


@pytest.mark.parametrize("arguments", [(), ("-h",), ("help",)])
def test_help_spellings(arguments: tuple[str, ...], dynamaze: Callable[..., Run]) -> None:
    run = dynamaze(*arguments)
    assert (run.returncode, run.stdout, run.stderr) == (0, cli.help_text(), "")


def test_help_loads_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED_AFTER_HELP], capture_output=True, text=True, check=True
    )
    assert run.stderr == "0 []\n"


def test_version() -> None:
    run = in_fresh_process("--version")
    assert (run.returncode, run.stdout) == (0, f"dynamaze {__version__}\n")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_help_lists_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = cli.COMMANDS[name]
    module = import_module(command.module)
    assert callable(getattr(module, "main", None) or module.run)
    assert cli.main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    for field in dataclasses.fields(command_line.config_type(module, command)):
        shows = f"--{field.name.replace('_', '-')}" in shown
        # Positional, or set by the harness.
        assert shows or "Positional" in str(field.type) or field.name == "cache_dir"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("wacth", "; did you mean 'watch'?"),
        ("--versoin", "; did you mean '--version'?"),
        (
            "xyz",
            f"expected one of {', '.join(cli.listed_commands())}, --help, --version",
        ),
    ],
)
def test_unknown_command_is_reported(wrong: str, hint: str, dynamaze: Callable[..., Run]) -> None:
    run = dynamaze(wrong)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"dynamaze: no command {wrong!r}; expected one of ")
    assert hint in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
@pytest.mark.parametrize("group", ["distill", "bench run"])
def test_group_lists_its_commands(
    group: str, arguments: tuple[str, ...], dynamaze: Callable[..., Run]
) -> None:
    run = dynamaze(*group.split(), *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    for name, command in cli.COMMANDS.items():
        assert (command.summary in unwrapped(run.stdout)) == name.startswith(f"{group} ")


def test_bench_lists_its_commands(dynamaze: Callable[..., Run]) -> None:
    run = dynamaze("bench")
    assert (run.returncode, run.stderr) == (0, "")
    for name in ("bench run NAME", "bench list", "bench speed"):
        assert f"\n  {name} " in run.stdout


def test_bench_coverage_is_short(dynamaze: Callable[..., Run]) -> None:
    assert cli.split_command(["bench", "coverage", "--runs", "2"]) == (
        "bench coverage",
        ["--runs", "2"],
    )
    assert cli.SHORT_COMMANDS["bench coverage"] in cli.COMMANDS
    run = dynamaze("bench", "coverage", "--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert "--repetitions" in run.stdout


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_bench_list_names_experiments(
    arguments: tuple[str, ...], dynamaze: Callable[..., Run]
) -> None:
    run = dynamaze("bench", "list", *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    assert re.findall(r"^  (\S+)", run.stdout, re.MULTILINE) == list(EXPERIMENTS)
    wrong = dynamaze("bench", "list", "--all")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "has no option '--all'" in wrong.stderr


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("bench lits", "did you mean 'bench list'?"),
        ("bench run modles", "did you mean 'bench run models'?"),
        ("distill studnet", "did you mean 'distill student'?"),
    ],
)
def test_unknown_subcommand_is_reported(
    wrong: str, hint: str, dynamaze: Callable[..., Run]
) -> None:
    run = dynamaze(*wrong.split())
    assert (run.returncode, run.stdout) == (2, "")
    group = wrong.rpartition(" ")[0]
    assert run.stderr.startswith(f"dynamaze: no command {wrong!r}; expected one of {group} ")
    assert hint in run.stderr


def test_old_commands_name_new_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(cli.OLD_COMMANDS) == 18
    for old, new in cli.OLD_COMMANDS.items():
        assert new in cli.COMMANDS
        assert cli.main([*old.split(), "--runs", "3"]) == cli.EXIT_USAGE
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == f"dynamaze: 'dynamaze {old}' is now called 'dynamaze {new}'\n"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--stps", "3"], "--steps"),
        (["--model", "DynaX"], "latest_outcome"),
        (["--gamma", "much"], "--gamma"),
    ],
)
def test_wrong_option_is_reported(
    options: list[str], hint: str, dynamaze: Callable[..., Run]
) -> None:
    run = dynamaze("watch", *options)
    assert (run.returncode, run.stdout) == (2, "")
    assert hint in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["watch", "DynaMazeShortcat-v0"], "Did you mean: `DynaMazeShortcut`?"),
        (["watch", "nowhere:Maze-v0"], "nowhere"),
        (["watch", "CartPole-v1"], "a table needs Discrete"),
        (["watch", "--epsilon", "2"], "epsilon=2.0"),
        (["watch", "--agent", "builtin:map_value"], "did you mean 'builtin:map_value_iteration'?"),
        (["bench", "run", "compare", "--agent", "builtin:x"], "builtin:x'; expected one of"),
        (["watch", "--fps", "-1"], "fps=-1.0; expected a number of at least 0"),
        (["watch", "--fps", "nan"], "fps=nan; expected"),
        (["watch", "--steps", "-1"], "steps=-1; expected a whole number of at least 0"),
        (["watch", "--seed", "-1"], "seed=-1; expected a whole number of at least 0"),
        (["watch", "--size", "7"], "--size=7; DynaMazeShortcut-v0 has no such option"),
        (["play", "--text", "--size", "7"], "--size=7; DynaMaze-v0 has no such option"),
        (["watch", "--layout", "nowhere.txt"], "layout='nowhere.txt' is neither"),
        (["watch", "--layout", "bad.txt"], "bad.txt: layout row 0, column 1"),
        (["play", "--text", "--slip-probability", "3"], "--slip-probability=3.0; expected"),
        (["bench", "run", "figure-8-2", "--planning-steps", str(10**12)], "--planning-steps=10"),
        (["bench", "run", "figure-8-4", "--seed", "-3"], "--seed=-3; expected a whole number"),
        (["figures", "--output", "bad.txt"], "bad.txt' is a file; expected a folder"),
        (["watch", "\x1b[31mred"], r"\x1b[31mred"),
        (["play", "--text", "FrozenLake-v1"], "FrozenLake-v1 is not a maze of DynaMaze"),
    ],
)
def test_bad_input_gives_one_line(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dynamaze: Callable[..., Run],
) -> None:
    (tmp_path / "bad.txt").write_text("Sx\n.G\n")
    monkeypatch.chdir(tmp_path)
    run = dynamaze(*arguments)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("dynamaze: ")
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [10**12, 10**20])
def test_number_beyond_memory_names_option(
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    agent = f"DynaQ(planning_steps={number})"
    assert cli.main(["watch", "DynaMaze-v0", "--agent", agent, "--steps", "9", "--fps", "0"]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "compiling" not in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"dynamaze: agent {agent!r}: planning_steps={number}; expected")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(MemoryError("8 TiB"), "too little memory"), (OverflowError("int64"), "too large a number")],
)
def test_memory_and_overflow_name_options(
    error: Exception,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("dynamaze.benchmarks.harness.command_line.run_parsed", fail)
    assert cli.main(["watch", "--steps", "9"]) == 1
    assert capsys.readouterr().err == f"dynamaze: {kind} for --steps 9: {error}\n"


def test_traceback_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMAZE_TRACEBACK", "1")
    with pytest.raises(ValueError, match="--fps=-1"):
        cli.main(["watch", "--fps", "-1"])


@pytest.mark.skipif(os.name != "posix", reason="there are no signals to send")
def test_ctrl_c_without_traceback(interruptible: list[str]) -> None:
    command = [*interruptible, "play", "--text"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        while "shortest" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert shown.endswith("DynaMaze-v0: 0 steps, 0 times at the goal\n")


@pytest.mark.skipif(os.name != "posix", reason="a closed pipe is another error there")
@pytest.mark.parametrize("arguments", [["--help"], ["watch", "--help"], ["play", "--text"]])
def test_closed_pipe_is_no_error(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-m", "dynamaze", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (run.returncode, run.stderr) == (141, "")


def raiser(error: BaseException) -> Callable[[Any], None]:
    def main(config: Any) -> None:
        raise error

    main.__annotations__ = get_type_hints(play.main)
    return main


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (ValueError("two\n  lines"), 1, "dynamaze: two lines\n"),
        (ImportError("no torch"), 1, "dynamaze: no torch\n"),
        (ValueError("\x1b[31mred\ud800"), 1, "dynamaze: \\x1b[31mred\\ud800\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "dynamaze: [Errno 2] No such file: 'x'\n"),
        (RuntimeError(), 1, "dynamaze: RuntimeError\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_command_errors_become_exit_codes(
    error: BaseException,
    status: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("dynamaze.app.play.main", raiser(error))
    assert cli.main(["play"]) == status
    assert capsys.readouterr().err == printed


INTERRUPTED = "dynamaze: interrupted; the same command goes on from the finished runs\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(143)])
@pytest.mark.parametrize(
    ("options", "printed"),
    [([], INTERRUPTED), (["--dry-run"], ""), (["--plot-only"], "")],
)
def test_interrupted_runs_can_go_on(
    error: BaseException,
    options: list[str],
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run_parsed(module: Any, config: Any) -> None:
        raise error

    monkeypatch.setattr(command_line, "run_parsed", run_parsed)
    assert cli.main(["figures", *options]) in (130, 143)
    assert capsys.readouterr().err == printed


def test_warning_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_parsed(module: Any, config: Any) -> None:
        print(warnings.formatwarning("two\nlines \x1b", UserWarning, "file.py", 3), end="")

    usual = warnings.formatwarning
    monkeypatch.setattr(command_line, "run_parsed", run_parsed)
    assert cli.main(["play"]) == 0
    assert capsys.readouterr().out == "dynamaze: two lines \\x1b\n"
    assert warnings.formatwarning is usual


def test_missing_library_names_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def importing(module: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(command_line, "import_module", importing)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["distill", "teacher"]) == command_line.EXIT_ERROR
    assert capsys.readouterr().err == (
        "dynamaze: dynamaze distill teacher needs torch, which is not installed: pip install "
        '"dynamaze[distill]"\n'
    )


def test_other_errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.app.play.main", raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["play"])


def test_short_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench"]) == 0
    assert "dynamaze bench coverage" in capsys.readouterr().out
