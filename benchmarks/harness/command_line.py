"""Commands from dataclasses: options by tyro, errors in one line, exit codes, and scripts.

A command is a module with a frozen dataclass, whose fields and their docstrings are its options
and their help, and a function `main` that takes it. An experiment has no `main`: it has `run`,
`plot` and `summary`, which the harness calls. Options may also stand in a file (`config_files`).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import gymnasium as gym

from dynamaze.benchmarks.harness.config_files import HELP, split_config, with_config
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS, Command
from dynamaze.benchmarks.harness.running.termination import Terminated, orderly_termination
from dynamaze.common.optional_imports import naming_extra
from dynamaze.common.validation import did_you_mean

EXIT_ERROR, EXIT_USAGE, EXIT_HANGUP, EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 1, 2, 129, 130, 141

USER_ERRORS = (ValueError, TypeError, ImportError, OSError, RuntimeError, gym.error.Error)
"""The exceptions of bad input. They are printed in one line, unless TRACEBACK is set."""

TRACEBACK = "DYNAMAZE_TRACEBACK"

OLD_OPTIONS = {
    "--redraw": "--plot-only",
    "--every": "--evaluation-interval",
    "--certainty": "--prior-strength",
    "--beginnings": "--restarts",
    "--life": "--drift-steps",
    "--tiny-steps": "--small-steps",
}
"""Options of version 0.1 that have another name."""


def run_script(path: str) -> None:
    """Run the experiment of a file that is executed as a script or by `python -m`, and exit.

    The file is imported as a module of the package, whose functions other processes can import.

    Args:
        path: the file's `__file__`.
    """
    sys.exit(guard(lambda: run_file(path, sys.argv[1:])))


def run_file(path: str, arguments: Sequence[str]) -> int:
    """Run the command that a file implements and return the exit code.

    Where several commands share a module, the last word of the command comes first:
    `python benchmarks/figures/figures_8_4_and_8_5.py figure-8-4 --runs 100`.

    Raises:
        ValueError: if the file belongs to no command.
    """
    parts = Path(path).resolve().with_suffix("").parts
    start = len(parts) - parts[::-1].index("benchmarks") if "benchmarks" in parts else len(parts)
    module = ".".join(("dynamaze", "benchmarks", *parts[start:]))
    commands = {
        name: command for name, command in BENCHMARK_COMMANDS.items() if command.module == module
    }
    if not commands:
        raise ValueError(f"{path}: no command; expected a module of harness/registry.py")
    if len(commands) == 1:
        ((name, command),) = commands.items()
        return run_command(name, command, arguments)
    short = {name.split()[-1]: name for name in commands}
    given = arguments[0] if arguments else "--help"
    if given in short:
        return run_command(short[given], commands[short[given]], arguments[1:])
    if given in ("-h", "--help"):
        print(f"usage: {Path(path).name} {{{','.join(short)}}} [OPTIONS]")
        return 0
    hint = did_you_mean(given, short)
    return print_error(
        f"no experiment {given!r} in {Path(path).name}; expected one of {', '.join(short)}{hint}",
        EXIT_USAGE,
    )


def run_command(name: str, command: Command, options: Sequence[str]) -> int:
    """Import a command, parse its options and run it; return the exit code.

    Raises:
        ValueError: for a file of options that is missing, damaged, or has an unknown key.
        ImportError: if a library of an extra is missing, naming the extra.
        Exception: the command's own.
    """
    import tyro

    paths, options = split_config(options)

    for option in options:
        flag = option.partition("=")[0]
        if flag in OLD_OPTIONS:
            return print_error(f"{flag} is now called {OLD_OPTIONS[flag]}", EXIT_USAGE)
    with naming_extra(f"dynamaze {name}"):
        module = import_module(command.module)
    options_type = config_type(module, command)
    options = with_config(paths, options_type, options)
    try:
        config: Any = tyro.cli(
            options_type,
            prog=f"dynamaze {name}",
            description=f"{getdoc(options_type)}\n\n{HELP}",
            args=options,
            # A flag of a file can be taken back: --no-plot-only.
            config=() if paths else (tyro.conf.FlagCreatePairsOff,),
        )
    except SystemExit as stop:  # after --help, or a wrong option, which tyro has reported
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    if hasattr(module, "main"):
        module.main(config)
    else:
        from dynamaze.benchmarks.harness.experiment import (
            run_module,
        )  # Matplotlib takes long to load

        run_module(module, config)
    return 0


def config_type(module: ModuleType, command: Command) -> type:
    """Return the dataclass of a command's options."""
    if command.config:
        found: type = getattr(module, command.config)
    else:
        function = getattr(module, "main", None) or module.run
        found = next(iter(get_type_hints(function).values()))
    return found


def guard(action: Callable[[], int]) -> int:
    """Return the exit code of `action`; user errors, Ctrl-C and a closed pipe have their own.

    SIGTERM and SIGHUP let it clean up; the exit code is then 128 + the signal's number.
    """
    try:
        with orderly_termination():
            status = action()
        sys.stdout.flush()  # here a closed pipe can still be caught
        return status
    except (*USER_ERRORS, KeyboardInterrupt, SystemExit) as error:
        stopped = _exit_code(error)
        if stopped is not None:
            return stopped
        if isinstance(error, SystemExit) or os.environ.get(TRACEBACK):
            raise
        return print_error(error, EXIT_ERROR)


def _exit_code(error: BaseException) -> int | None:
    """Return the exit code of a signal, a closed pipe or a closed terminal; None for an error.

    What is printed fails after a terminal was closed, so that a signal may be followed by an error
    of the clean-up.
    """
    earlier: BaseException | None = error
    while earlier is not None:
        if isinstance(earlier, Terminated):
            return earlier.number
        if isinstance(earlier, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        earlier = earlier.__context__
    cause = error.__context__ if isinstance(error, SystemExit) else error  # Rich exits by itself
    if isinstance(cause, BrokenPipeError):
        _silence_stdout()
        return EXIT_CLOSED_PIPE
    if isinstance(cause, OSError) and cause.errno == errno.EIO and cause.filename is None:
        _silence_stdout()
        return EXIT_HANGUP
    return None


def print_error(error: object, status: int) -> int:
    """Print an error in one line on stderr, and return the exit code."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"dynamaze: {text}", file=sys.stderr)
    return status


def _silence_stdout() -> None:
    """Discard what is still in stdout's buffer, as Python's documentation advises."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
