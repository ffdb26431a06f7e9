"""The `dynamaze` command: a table of commands, each imported when it is chosen.

A command is a module with a function `main` that takes a frozen dataclass, whose fields and their
docstrings are the options and their help. A new command is a new row of `COMMANDS`, an experiment a
new row of the benchmarks' registry. The first words of commands of two or three words list the
commands that begin with them.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import islice

from ..benchmarks.harness.command_line import (
    EXIT_USAGE,
    TRACEBACK,
    guard,
    print_error,
    run_command,
)
from ..benchmarks.harness.registry import BENCHMARK_COMMANDS, EXPERIMENTS, Command
from ..common.registration import ENVIRONMENTS
from ..common.validation import did_you_mean
from ..common.version import __version__
from ..distill.files.builtin_students import BUILTIN, PREFIX

RUN, LIST = "bench run", "bench list"
"""The words before an experiment's name, and the command that lists the experiments."""

COMMANDS = {
    "demo": Command(
        "three agents in mazes that change, live in the terminal",
        "",
        "dynamaze.app.demo",
    ),
    "watch": Command(
        "watch an agent learn in a window",
        "DynaMazeShortcut-v0 --agent DynaQPlus",
        "dynamaze.app.watch",
    ),
    "play": Command(
        "solve a maze yourself, turn by turn; --text needs no window",
        "DynaMaze-v0",
        "dynamaze.app.play",
    ),
    **BENCHMARK_COMMANDS,
    "env-pages": Command(
        "write the documentation page and picture of each environment",
        "--output docs/environments",
        "dynamaze.app.pages",
    ),
}
"""Commands by the words that follow `dynamaze`."""

OLD_COMMANDS = {
    "speed": "bench speed",
    "curves": "bench run continuous",
    "endurance": "bench run soak",
    "pages": "env-pages",
    "bench doubt": "bench run model-confidence",
    "bench wrong-models": "bench run model-error",
    **{
        f"bench {name}": f"bench run {name}"
        for name in (
            "models",
            "sb3",
            "loca",
            "loca-continuous",
            "linear-dyna",
            "mountain-car",
            "deep-belief",
        )
    },
    **{
        f"bench run {old}": f"bench run {new}"
        for old, new in (
            ("doubt", "model-confidence"),
            ("wrong-models", "model-error"),
            ("curves", "continuous"),
            ("endurance", "soak"),
        )
    },
    "distill labels": "distill soft-labels",
}
"""Commands of version 0.1 that have another name, also under that of their group."""

SHORT_COMMANDS = {"bench coverage": f"{RUN} coverage"}
"""Shorter words for a command."""

COLUMNS = 80
"""Width of the help, that of the narrowest usual terminal."""

FIRST_COMMANDS = ("demo", "watch", "play", "figures", f"{RUN} NAME", "distill student")
"""The commands of `dynamaze --help`."""

HELP = """\
DynaMaze {version}: learning and planning in environments that change.

usage: dynamaze COMMAND [OPTIONS]; dynamaze COMMAND --help has the options

{commands}

groups:
{groups}

environments, for `watch`, `play` and `gym.make`:
{environments}
"""
"""One screen of a terminal, 80 x 24."""

GROUPS = {
    "bench": "experiments, reports, comparison of stores, speed",
    "distill": "teachers, students, their cards, exports and studies",
    "help --all": "all commands with examples, experiments and students",
}
"""The rows of `dynamaze --help` that lead to further commands."""

FULL_HELP = """\
DynaMaze {version}: learning and planning in environments that change.

usage: dynamaze COMMAND [OPTIONS]

commands:
{commands}

experiments, for `bench run`:
{experiments}

environments, for `watch`, `play` and, after `import dynamaze`, `gym.make`:
{environments}

students of the package, for --agent of `watch`, `play`, `bench run compare`:
{students}

options:
  -h, --help   the most used commands, on one screen; with --all this text
  --version    the version

next:
  dynamaze COMMAND --help                     all options of a command
  python -m pydoc dynamaze.envs.DynaMazeEnv   observations, rewards, changes
  python -m pydoc dynamaze.agents.DynaQPlus   an agent; also DynaQ and QLearning
  {traceback}=1 dynamaze COMMAND ...
                                              an error's traceback, for a report
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments after `dynamaze`; None takes those of this process.

    Returns:
        The exit code: 0; 1 for an error of a command; 2 for an unknown command or option; 130
        after Ctrl-C; 141 when the reader of the output has closed it, as after `| head`.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return guard(lambda: run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return the exit code, or raise the command's exception."""
    words, options = split_command(arguments or ["--help"])
    name = SHORT_COMMANDS.get(words, words)
    if name in ("-h", "--help", "help"):
        return print_help(name, options)
    if name == "--version":
        print(f"dynamaze {__version__}")
        return 0
    if name in COMMANDS:
        return run_command(name, COMMANDS[name], options)
    if name == LIST:
        return list_experiments(options)
    if name in OLD_COMMANDS:
        return print_error(
            f"'dynamaze {name}' is now called 'dynamaze {OLD_COMMANDS[name]}'", EXIT_USAGE
        )
    return run_group(name, options)


def print_help(name: str, options: Sequence[str]) -> int:
    """Print one screen of help, or with `--all` the whole of it."""
    if not set(options) <= {"--all"}:
        return print_error(f"'dynamaze {name}' has no option {options[0]!r}", EXIT_USAGE)
    print(full_help_text() if options else help_text(), end="")
    return 0


def list_experiments(options: Sequence[str]) -> int:
    """Print the names and summaries of the experiments."""
    if not set(options) <= {"-h", "--help"}:
        return print_error(f"'dynamaze {LIST}' has no option {options[0]!r}", EXIT_USAGE)
    print(experiment_list())
    return 0


def run_group(name: str, options: Sequence[str]) -> int:
    """List the commands that begin with some words, or report an unknown command."""
    group = [each for each in listed_commands(name) if each.startswith(f"{name} ")]
    if group and options[:1] in ([], ["-h"], ["--help"], ["help"]):
        print(f"usage: dynamaze {name} COMMAND [OPTIONS]\n\ncommands:\n{command_list(group)}")
        return 0
    given = f"{name} {options[0]}" if group else name
    known = group or [*listed_commands(), "--help", "--version"]
    return print_error(
        f"no command {given!r}; expected one of {', '.join(known)}{did_you_mean(given, known)}",
        EXIT_USAGE,
    )


def split_command(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split a command line into the command, of one to three words, and its options.

    Words that only begin a command, such as `bench run`, are a command too.
    """
    known = (*COMMANDS, *OLD_COMMANDS, *SHORT_COMMANDS, LIST)
    for words in (3, 2, 1):
        name = " ".join(arguments[:words])
        if any(each == name or each.startswith(f"{name} ") for each in known):
            # Fewer arguments than words give the same name again.
            return name, arguments[words:]
    return arguments[0], arguments[1:]


def listed_commands(group: str = "") -> list[str]:
    """Return the commands of a list; experiments are one row, except in the group of `RUN`."""
    experiments = [name for name in COMMANDS if name.startswith(f"{RUN} ")]
    if group == RUN:
        return experiments
    rows = [name for name in COMMANDS if name not in experiments]
    place = rows.index("bench speed")
    return [*rows[:place], f"{RUN} NAME", LIST, *SHORT_COMMANDS, *rows[place:]]


def help_text() -> str:
    """Return the text of `dynamaze --help`: the first commands, groups and environments."""
    first = {name: texts_of(name)[0] for name in FIRST_COMMANDS}
    lines = iter(rows(first | GROUPS))  # in the same two columns
    return HELP.format(
        version=__version__,
        commands="\n".join(islice(lines, len(FIRST_COMMANDS))),
        groups="\n".join(lines),
        environments=textwrap.fill(
            ", ".join(ENVIRONMENTS), COLUMNS, initial_indent="  ", subsequent_indent="  "
        ),
    )


def full_help_text() -> str:
    """Return the text of `dynamaze --help --all`, made from the tables of all commands."""
    return FULL_HELP.format(
        version=__version__,
        commands=command_list(listed_commands()),
        experiments=experiment_list(),
        environments="\n".join(f"  {name}" for name in ENVIRONMENTS),
        students="\n".join(rows({f"{PREFIX}{name}": text for name, text in BUILTIN.items()})),
        traceback=TRACEBACK,
    )


def command_list(names: Sequence[str]) -> str:
    """Return two lines for each command: its summary and an example."""
    listed = rows({name: texts_of(name)[0] for name in names})
    return "\n".join(
        f"{row}\n      {texts_of(name)[1]}" for name, row in zip(names, listed, strict=True)
    )


def texts_of(name: str) -> tuple[str, str]:
    """Return the summary and an example of a command, or of a row that stands for several."""
    if name == f"{RUN} NAME":
        return (
            "run an experiment: tables, a plot and a summary",
            "dynamaze bench run figure-8-2 --runs 100",
        )
    if name == LIST:
        return "list the experiments", f"dynamaze {LIST}"
    if name in SHORT_COMMANDS:
        return COMMANDS[SHORT_COMMANDS[name]].summary, f"dynamaze {name}"
    command = COMMANDS[name]
    return command.summary, f"dynamaze {name} {command.example}".rstrip()


def experiment_list() -> str:
    """Return the names and summaries of the experiments."""
    return "\n".join(rows({name: each.summary for name, each in EXPERIMENTS.items()}))


def rows(texts: Mapping[str, str]) -> list[str]:
    """Return a row for each name with its text, in two columns that fit a terminal."""
    column = max(map(len, texts)) + 5
    return [
        textwrap.fill(
            text,
            COLUMNS,
            initial_indent=f"  {name}".ljust(column),
            subsequent_indent=" " * column,
            break_on_hyphens=False,
        )
        for name, text in texts.items()
    ]
