"""The `dynamaze` command: one table of commands, each imported when it is chosen.

A command is a module with a frozen dataclass, whose fields and their docstrings are its options
and their help, and a function `main` that takes it. A new command is a new row of `COMMANDS`; those
that belong together are called by two words, of which the first alone lists them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NamedTuple

import gymnasium as gym

from ..common.optional_imports import missing_library_error
from ..common.registration import ENVIRONMENTS
from ..common.validation import did_you_mean
from ..common.version import __version__

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 1, 2, 130, 141

USER_ERRORS = (ValueError, TypeError, ImportError, OSError, RuntimeError, gym.error.Error)
"""What bad input raises. It is told in one line, unless TRACEBACK is set."""

EXTRAS = {"torch": "distill", "stable_baselines3": "distill"}
"""Libraries that whole commands need, and the extra that brings each."""

TRACEBACK = "DYNAMAZE_TRACEBACK"


class Command(NamedTuple):
    """A row of the table: what the help says, and where the command is."""

    summary: str
    example: str
    module: str
    config: str  # the module's dataclass


COMMANDS = {
    "figures": Command(
        "reproduce the figures of chapter 8 of Sutton & Barto (2018)",
        "dynamaze figures",
        "dynamaze.benchmarks.figures.command",
        "Figures",
    ),
    "watch": Command(
        "an agent in a window, learning live",
        "dynamaze watch DynaMazeShortcut-v0 --agent DynaQPlus",
        "dynamaze.app.watch",
        "Watch",
    ),
    "play": Command(
        "walk a maze yourself, turn by turn; --text needs no window",
        "dynamaze play DynaMaze-v0",
        "dynamaze.app.play",
        "Play",
    ),
    "curves": Command(
        "learning curves of Stable-Baselines3's PPO and SAC in the continuous maze",
        "dynamaze curves --runs 5",
        "dynamaze.benchmarks.studies.continuous_learning",
        "ContinuousLearning",
    ),
    "endurance": Command(
        "a thousand million steps of many mazes at once, against exact numbers",
        "dynamaze endurance --steps 1e8",
        "dynamaze.benchmarks.studies.soak",
        "Endurance",
    ),
    "bench models": Command(
        "every model of the world in every maze: steps to solve, errors, calibration, time",
        "dynamaze bench models --runs 10 --mazes blocking",
        "dynamaze.benchmarks.studies.model_comparison",
        "Models",
    ),
    "bench doubt": Command(
        "models that find out that they are wrong, in mazes that change",
        "dynamaze bench doubt --runs 50",
        "dynamaze.benchmarks.studies.model_confidence",
        "ModelDoubt",
    ),
    "bench wrong-models": Command(
        "the same planners on models made wrong on purpose: return against model error",
        "dynamaze bench wrong-models --runs 30",
        "dynamaze.benchmarks.studies.model_error",
        "WrongModels",
    ),
    "bench sb3": Command(
        "DQN and SAC of Stable-Baselines3 with a model to plan with, and alone",
        "dynamaze bench sb3 --runs 4",
        "dynamaze.benchmarks.studies.sb3_dyna",
        "DynaForSB3",
    ),
    "bench loca": Command(
        "which agents adapt to a local change (LoCA), on the grid",
        "dynamaze bench loca --runs 5",
        "dynamaze.benchmarks.studies.loca.command",
        "LoCA",
    ),
    "bench loca-continuous": Command(
        "the same for a point in a corridor",
        "dynamaze bench loca-continuous --runs 3",
        "dynamaze.benchmarks.studies.loca.command",
        "LoCAContinuous",
    ),
    "bench linear-dyna": Command(
        "Linear Dyna on the Boyan chain (Sutton et al. 2008)",
        "dynamaze bench linear-dyna",
        "dynamaze.benchmarks.studies.linear_dyna",
        "Config",
    ),
    "bench mountain-car": Command(
        "Linear Dyna on Mountain Car, against learning without a model",
        "dynamaze bench mountain-car --runs 5",
        "dynamaze.benchmarks.studies.mountain_car",
        "Config",
    ),
    "bench deep-belief": Command(
        "when pre-training helps a deep belief network, and when it does harm",
        "dynamaze bench deep-belief --runs 5",
        "dynamaze.benchmarks.studies.deep_belief",
        "Config",
    ),
    "distill teacher": Command(
        "train a large teacher for mazes it has never seen, from exact policies",
        "dynamaze distill teacher --output teacher.safetensors",
        "dynamaze.benchmarks.distillation.teacher",
        "Teacher",
    ),
    "distill teacher-ppo": Command(
        "train a large teacher by PPO, from rewards alone",
        "dynamaze distill teacher-ppo --output teacher-ppo.safetensors",
        "dynamaze.benchmarks.distillation.teacher_ppo",
        "TeacherPPO",
    ),
    "distill student": Command(
        "distil a teacher into a planner of 113 parameters",
        "dynamaze distill student --teacher teacher.safetensors",
        "dynamaze.benchmarks.distillation.student",
        "StudentConfig",
    ),
    "distill frontier": Command(
        "return kept on unseen levels against the size of the student, on four axes",
        "dynamaze distill frontier --teacher teacher.safetensors --runs 5",
        "dynamaze.benchmarks.distillation.frontier",
        "Frontier",
    ),
    "distill adapt": Command(
        "how long students are worse when the maze changes, and distilled anew meanwhile",
        "dynamaze distill adapt --student student.safetensors",
        "dynamaze.benchmarks.distillation.adapt",
        "Adapt",
    ),
    "distill labels": Command(
        "what soft labels are worth where labels are few, and weights where a student is tiny",
        "dynamaze distill labels --runs 10",
        "dynamaze.benchmarks.distillation.labels",
        "Labels",
    ),
    "env-pages": Command(
        "write the environments' pages, with a picture each",
        "dynamaze env-pages --output docs/environments",
        "dynamaze.app.pages",
        "Pages",
    ),
    "speed": Command(
        "measure how fast everything is, beside what it is compared with",
        "dynamaze speed",
        "dynamaze.benchmarks.speed.command",
        "Speed",
    ),
}

HELP = """\
DynaMaze {version}: learning and planning in worlds that change.

usage: dynamaze COMMAND [OPTIONS]

commands:
{commands}

environments, for `watch`, `play` and, after `import dynamaze`, `gymnasium.make`:
{environments}

options:
  -h, --help   this text
  --version    the version

next:
  dynamaze COMMAND --help                         all options of a command
  python -m pydoc dynamaze.envs.DynaMazeEnv       the mazes: observations, rewards, their changes
  python -m pydoc dynamaze.agents.DynaQPlus       an agent; its neighbours are DynaQ and QLearning
  {traceback}=1 dynamaze COMMAND ...     where an error comes from, for a report
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments after `dynamaze`; None takes those of this process.

    Returns:
        The exit code: 0; 1 for what a command refuses; 2 for what is not a command or an option of
        it; 130 after Ctrl-C; 141 when the reader of the output has gone, as after `| head`.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        status = run(arguments)
        sys.stdout.flush()  # here a closed pipe can still be caught
        return status
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_CLOSED_PIPE
    except USER_ERRORS as error:
        if os.environ.get(TRACEBACK):
            raise
        return complain(error, EXIT_ERROR)


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say and return the exit code, or raise what the command raises."""
    name, options = choose(arguments or ["--help"])
    if name in ("-h", "--help", "help"):
        print(help_text(), end="")
        return 0
    if name == "--version":
        print(f"dynamaze {__version__}")
        return 0
    if name in COMMANDS:
        return run_command(name, options)
    group = [each for each in COMMANDS if each.startswith(f"{name} ")]
    if group and options[:1] in ([], ["-h"], ["--help"], ["help"]):
        print(f"usage: dynamaze {name} COMMAND [OPTIONS]\n\ncommands:\n{command_list(group)}")
        return 0
    given = f"{name} {options[0]}" if group else name
    known = group or [*COMMANDS, "--help", "--version"]
    return complain(
        f"no command {given!r}; expected one of {', '.join(known)}{did_you_mean(given, known)}",
        EXIT_USAGE,
    )


def choose(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command, of one word or two, and its options."""
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    return " ".join(arguments[:words]), arguments[words:]


def run_command(name: str, options: Sequence[str]) -> int:
    """Import a command, read its options and run it."""
    import tyro

    command = COMMANDS[name]
    try:
        module = import_module(command.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name not in EXTRAS:
            raise
        purpose = f"dynamaze {name}"
        raise missing_library_error(
            error.name, extra=EXTRAS[error.name], purpose=purpose
        ) from error
    try:
        config = tyro.cli(
            getattr(module, command.config),
            prog=f"dynamaze {name}",
            args=options,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except SystemExit as stop:  # after --help, or a wrong option, of which tyro has told
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    module.main(config)
    return 0


def help_text() -> str:
    """What `dynamaze --help` prints, made from the tables of commands and environments."""
    return HELP.format(
        version=__version__,
        commands=command_list(COMMANDS),
        environments="\n".join(f"  {name}" for name in ENVIRONMENTS),
        traceback=TRACEBACK,
    )


def command_list(names: Iterable[str]) -> str:
    """Two lines for each command: what it does, and an example."""
    width = max(map(len, COMMANDS))
    return "\n".join(
        f"  {name:{width}}   {COMMANDS[name].summary}\n  {'':{width}}     {COMMANDS[name].example}"
        for name in names
    )


def complain(error: object, status: int) -> int:
    """Tell of an error in one line on stderr, and return the exit code."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"dynamaze: {text}", file=sys.stderr)
    return status


def _silence_stdout() -> None:
    """Let what is still in stdout's buffer go nowhere, as Python's documentation advises."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
