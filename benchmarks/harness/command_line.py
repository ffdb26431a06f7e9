"""Commands from dataclasses: options by tyro, errors in one line, exit codes, and scripts.

A command is a module with a frozen dataclass, whose fields and their docstrings are its options
and their help, and a function `main` that takes it. An experiment has no `main`: it has `run`,
`plot` and `summary`, which the harness calls. Options may also stand in a file (`config_files`).
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import gymnasium as gym

from dynamaze.benchmarks.harness.config_files import HELP, split_config, with_config
from dynamaze.benchmarks.harness.registry import BENCHMARK_COMMANDS, Command
from dynamaze.benchmarks.harness.running.termination import Terminated, orderly_termination
from dynamaze.common.compiling import compilation
from dynamaze.common.heartbeat import heartbeat
from dynamaze.common.optional_imports import naming_extra
from dynamaze.common.options import (
    check_lists,
    check_no_device,
    check_numbers,
    check_paths,
)
from dynamaze.common.validation import did_you_mean, printable, shown

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


class OptionError(ValueError):
    """An option with a value that it cannot have; the message begins with the option."""


class UsageError(ValueError):
    """A command line that cannot be parsed."""


def run_command(name: str, command: Command, options: Sequence[str]) -> int:
    """Import a command, parse its options and run it; return the exit code.

    Raises:
        OptionError: for an option with a value that it cannot have.
        ValueError: for a file of options that is missing, damaged, or has an unknown key.
        ImportError: if a library of an extra is missing, naming the extra.
        Exception: the command's own.
    """
    with plain_warnings():
        return _run_command(name, command, options)


def _run_command(name: str, command: Command, options: Sequence[str]) -> int:
    module = import_command(name, command)
    try:
        config = parse_options(name, config_type(module, command), options)
    except UsageError as error:
        return print_error(error, EXIT_USAGE)
    if config is None:
        return 0
    try:
        check_numbers(config)
        check_lists(config)
        check_no_device(config)
        if not getattr(config, "dry_run", False):  # which leaves no file behind
            check_paths(config)
        with heartbeat(f"dynamaze {name}"), compilation.announced():
            run_parsed(module, config)
    except (KeyboardInterrupt, Terminated):
        if _stores_runs(config):
            with suppress(OSError):  # the terminal is closed
                print_error("interrupted; the same command goes on from the finished runs", 0)
        raise
    except (ValueError, TypeError) as error:
        named = named_option(str(error), config)
        if named is None:
            raise
        raise OptionError(named) from error
    except gym.error.Error as error:  # its messages do not name the id
        env_id = getattr(config, "env_id", None)
        raise OptionError(f"{name if env_id is None else shown(env_id)}: {error}") from error
    except Exception as error:
        if not isinstance(error, MemoryError | OverflowError) and not _is_numba(error):
            raise
        kind = "too little memory" if isinstance(error, MemoryError) else "too large a number"
        raise OptionError(f"{kind} for {' '.join(options) or name}: {error}") from error
    return 0


def _stores_runs(config: Any) -> bool:
    """Return True for the configuration of a command that runs what a store lacks."""
    return hasattr(config, "store") and not (
        getattr(config, "dry_run", True) or getattr(config, "plot_only", False)
    )


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print warnings of the code inside in one line, as errors, without a line of the source."""

    def one_line(message: Warning | str, *_: Any, **__: Any) -> str:
        return f"dynamaze: {printable(' '.join(str(message).split()))}\n"

    usual = warnings.formatwarning
    warnings.formatwarning = one_line
    try:
        yield
    finally:
        warnings.formatwarning = usual


def import_command(name: str, command: Command) -> ModuleType:
    """Import the module of a command.

    Raises:
        ImportError: if a library of an extra is missing, naming the extra.
    """
    with naming_extra(f"dynamaze {name}"):
        return import_module(command.module)


def parse_options(name: str, options_type: type, options: Sequence[str]) -> Any:
    """Return the configuration that options give, those of `--config` included.

    A dataclass whose options depend on a value has a class method `options_for`: it returns the
    dataclass and the words for the files of options and the words that were given.

    Returns:
        The configuration; None after `--help`, which is printed.

    Raises:
        UsageError: for an unknown option, or a value of another type.
        ValueError: for a file of options that is missing, damaged, or has an unknown key.
    """
    import tyro

    paths, options = split_config(options)
    if hasattr(options_type, "options_for"):
        options_type, options = options_type.options_for(paths, options)
    for flag in map(_flag, options):
        if flag in OLD_OPTIONS:
            raise UsageError(f"{flag} is now called {OLD_OPTIONS[flag]}")
    options = with_config(paths, options_type, options)
    reported = io.StringIO()
    try:
        with redirect_stderr(reported):
            config: Any = tyro.cli(
                options_type,
                prog=f"dynamaze {name}",
                description=f"{getdoc(options_type)}\n\n{HELP}",
                args=options,
                # A flag of a file can be taken back: --no-plot-only.
                config=() if paths else (tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:  # after --help, or a wrong option, which tyro has reported
        if not stop.code:
            return None
        known = [f"--{field.name.replace('_', '-')}" for field in fields(options_type)]
        wrong = [flag for flag in map(_flag, options) if flag.startswith("--")]
        unknown = next((flag for flag in wrong if flag not in known), "")
        hint = did_you_mean(unknown, known) if unknown else ""
        raise UsageError(
            f"{one_sentence(reported.getvalue())}{hint}; dynamaze {name} --help lists the options"
        ) from None

    print(end=reported.getvalue(), file=sys.stderr)  # warnings
    return config


def _flag(option: str) -> str:
    return option.partition("=")[0]


def one_sentence(box: str) -> str:
    """Return the first part of an error in a box of tyro, in one line, without texts of the help.

    The first line is the title. A horizontal line ends each part, and texts of the help are
    indented. Where the output is not in UTF-8 there is a horizontal line below the title, too.
    """
    plain = re.sub(r"\x1b\[[\d;]*m", "", box)  # without the colours of a terminal
    lines = [line.strip("│").rstrip() for line in plain.splitlines()[1:]]
    parts = [[]] if lines else [["wrong options"]]
    for line in lines:
        if line and not line.strip("╰╯─- "):
            parts.append([])
        elif line.strip() and not line.startswith(8 * " "):
            parts[-1].append(line.strip())
    text = " ".join(next(filter(None, parts), ["wrong options"]))
    return text.partition(" Got errors:")[0].rstrip(".")


def run_parsed(module: ModuleType, config: Any) -> None:
    """Run a command with its configuration."""
    if hasattr(module, "main"):
        module.main(config)
    else:
        from dynamaze.benchmarks.harness.experiment import (
            run_module,
        )  # Matplotlib takes long to load

        run_module(module, config)


def named_option(message: str, config: Any) -> str | None:
    """Return a message about a value, `name=value; ...`, with the option in the name's place.

    Returns:
        None if the message does not begin with the name of an option.
    """
    match = re.match(r"(\w+)((?:\.\w+)*=)", message)
    if match is None:
        return None
    options = {field.name: field.name for field in fields(config)}
    for name in tuple(options):  # those of a record inside, such as `--method.weight`
        inside: Any = getattr(config, name)
        if is_dataclass(inside):
            options = {each.name: f"{name}.{each.name}" for each in fields(inside)} | options
    if match[1] not in options:
        return None
    return f"--{options[match[1]]}{match[2]}".replace("_", "-") + message[match.end() :]


def _is_numba(error: BaseException) -> bool:
    """Return True for an error of the compiler, such as for an integer of more than 64 bits."""
    return any(each.__module__.startswith("numba.") for each in type(error).__mro__)


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
        try:
            sys.stdout.flush()
        except OSError:  # what is in its buffer would fail again at the exit
            _silence_stdout()
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
    text = printable(" ".join(str(error).split())) or type(error).__name__
    print(f"dynamaze: {text}", file=sys.stderr)
    return status


def _silence_stdout() -> None:
    """Discard what is still in stdout's buffer, as Python's documentation advises."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
