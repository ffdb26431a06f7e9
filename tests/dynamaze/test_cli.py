"""The command line, mostly from outside, in a fresh process."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dynamaze.app import cli
from dynamaze.common.registration import ENVIRONMENTS
from dynamaze.common.version import __version__

HEAVY = ("tyro", "rich", "numba", "pygame", "matplotlib", "torch", "stable_baselines3", "scipy")

LOADED_AFTER_HELP = f"""
import sys
from dynamaze.app.cli import main
status = main(["--help"])
print(status, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def dynamaze(*arguments: str, cwd: Path | None = None, **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "dynamaze", *arguments],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy", **variables},
        cwd=cwd,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_tells_every_command_and_environment() -> None:
    run = dynamaze("--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert len(cli.COMMANDS) >= 8
    for name, command in cli.COMMANDS.items():
        assert f"\n  {name}" in run.stdout
        assert command.summary in run.stdout
        assert command.example in run.stdout
    for name in ENVIRONMENTS:
        assert f"\n  {name}\n" in run.stdout


@pytest.mark.parametrize("arguments", [(), ("-h",), ("help",)])
def test_help_comes_in_every_way_of_asking(arguments: tuple[str, ...]) -> None:
    run = dynamaze(*arguments)
    assert (run.returncode, run.stdout, run.stderr) == (0, cli.help_text(), "")


def test_help_loads_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED_AFTER_HELP], capture_output=True, text=True, check=True
    )
    assert run.stderr == "0 []\n"


def test_the_version_is_told() -> None:
    run = dynamaze("--version")
    assert (run.returncode, run.stdout) == (0, f"dynamaze {__version__}\n")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_where_the_table_says_and_explains_its_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = cli.COMMANDS[name]
    module = import_module(command.module)
    assert callable(module.main)
    assert cli.main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    for field in dataclasses.fields(getattr(module, command.config)):
        assert field.name.replace("_", "-") in shown or field.name == "env_id"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("wacth", "; did you mean 'watch'?"),
        ("--versoin", "; did you mean '--version'?"),
        (
            "xyz",
            f"expected one of {', '.join(cli.COMMANDS)}, --help, --version",
        ),
    ],
)
def test_an_unknown_command_is_refused_in_a_sentence(wrong: str, hint: str) -> None:
    run = dynamaze(wrong)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"dynamaze: no command {wrong!r}; expected one of ")
    assert hint in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_first_word_alone_lists_its_commands(arguments: tuple[str, ...]) -> None:
    run = dynamaze("bench", *arguments)
    assert (run.returncode, run.stderr) == (0, "")
    for name, command in cli.COMMANDS.items():
        assert (command.summary in run.stdout) == name.startswith("bench ")


def test_an_unknown_second_word_is_refused_with_what_there_is() -> None:
    run = dynamaze("bench", "modles")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("dynamaze: no command 'bench modles'; expected one of bench ")
    assert "did you mean 'bench models'?" in run.stderr


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--stps", "3"], "--steps"),
        (["--agent", "DynaX"], "DynaQPlus"),
        (["--gamma", "much"], "--gamma"),
    ],
)
def test_a_wrong_option_is_refused(options: list[str], hint: str) -> None:
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
        (["watch", "--fps", "-1"], "fps=-1; expected a number of at least 0"),
        (["watch", "--fps", "nan"], "fps=nan; expected"),
        (["watch", "--steps", "-1"], "steps=-1; expected a whole number of at least 0"),
        (["watch", "--seed", "-1"], "seed=-1; expected a whole number of at least 0"),
        (["watch", "--layout", "nowhere.txt"], "layout='nowhere.txt' is neither"),
        (["watch", "--layout", "bad.txt"], "bad.txt: layout row 0, column 1"),
        (["play", "--text", "--slip-probability", "3"], "slip_probability=3.0"),
        (["play", "--text", "FrozenLake-v1"], "FrozenLake-v1 is not a maze of DynaMaze"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("Sx\n.G\n")
    run = dynamaze(*arguments, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("dynamaze: ")
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_variable_brings_the_traceback_back() -> None:
    run = dynamaze("watch", "--fps", "-1", DYNAMAZE_TRACEBACK="1")
    assert run.returncode == 1
    assert run.stderr.startswith("Traceback")


@pytest.mark.skipif(os.name != "posix", reason="there are no signals to send")
def test_ctrl_c_ends_a_command_without_a_traceback(interruptible: list[str]) -> None:
    command = [*interruptible, "play", "--text"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        while "shortest path" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert shown.endswith("DynaMaze-v0: 0 steps, 0 times at the goal\n")


@pytest.mark.skipif(os.name != "posix", reason="a closed pipe is another error there")
@pytest.mark.parametrize("arguments", [["--help"], ["watch", "--help"], ["play", "--text"]])
def test_a_closed_pipe_is_no_error(arguments: list[str]) -> None:
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

    return main


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("two\n  lines"), 1, "dynamaze: two lines\n"),
        (ImportError("no torch"), 1, "dynamaze: no torch\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "dynamaze: [Errno 2] No such file: 'x'\n"),
        (RuntimeError(), 1, "dynamaze: RuntimeError\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_command_raises_becomes_a_line_and_an_exit_code(
    error: BaseException,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("dynamaze.app.play.main", raiser(error))
    assert cli.main(["play"]) == status
    assert capsys.readouterr().err == told


def test_a_command_without_its_libraries_says_what_brings_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def importing(module: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli, "import_module", importing)
    assert cli.main(["distill", "teacher"]) == cli.EXIT_ERROR
    assert capsys.readouterr().err == (
        "dynamaze: dynamaze distill teacher needs torch, which is not installed: pip install "
        '"dynamaze[distill]"\n'
    )


def test_a_mistake_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.app.play.main", raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["play"])
