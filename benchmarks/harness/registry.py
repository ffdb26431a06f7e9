"""Registry of the experiments and the other commands of this package; only strings are loaded."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: its help, and its module: an experiment, or one with a function `main`."""

    summary: str
    example: str  # without "dynamaze" and the command's name
    module: str
    config: str = ""  # the options, a dataclass of the module; by default that of `main` or `run`


EXPERIMENTS = {
    "figure-8-2": Command(
        "Dyna-Q in the Dyna maze: learning curves for n = 0, 5, 50",
        "--runs 100",
        "dynamaze.benchmarks.figures.figure_8_2",
    ),
    "figure-8-4": Command(
        "Dyna-Q and Dyna-Q+ in the blocking maze",
        "--runs 100",
        "dynamaze.benchmarks.figures.figures_8_4_and_8_5",
        "Figure84Config",
    ),
    "figure-8-5": Command(
        "Dyna-Q and Dyna-Q+ in the shortcut maze",
        "--runs 100",
        "dynamaze.benchmarks.figures.figures_8_4_and_8_5",
        "Figure85Config",
    ),
    "exercise-8-4": Command(
        "exploration bonus in planning or in action selection",
        "--runs 50",
        "dynamaze.benchmarks.figures.exercise_8_4",
    ),
    "example-8-4": Command(
        "prioritised sweeping against Dyna-Q: updates until the optimal path",
        "--sizes 1 2",
        "dynamaze.benchmarks.figures.example_8_4",
    ),
    "figure-8-7": Command(
        "expected against sample updates: error for a given computation",
        "--runs 500",
        "dynamaze.benchmarks.figures.figure_8_7",
    ),
    "figure-8-8": Command(
        "uniform against on-policy distribution of updates in random tasks",
        "--runs 50",
        "dynamaze.benchmarks.figures.figure_8_8",
    ),
    "equal-budgets": Command(
        "six decision-time planners at equal, counted budgets",
        "--runs 10 --budgets 250 1000",
        "dynamaze.benchmarks.figures.equal_budgets",
    ),
    "background-or-decision": Command(
        "background against decision-time planning in mazes that change once",
        "--runs 5 --budgets 300",
        "dynamaze.benchmarks.figures.background_or_decision",
    ),
    "compare": Command(
        "any agents, also of your own, in any environments: reward, regret and recovery",
        "--agent DynaQ DynaQPlus --steps 6000",
        "dynamaze.benchmarks.studies.compare",
    ),
    "models": Command(
        "all environment models: steps to solve, errors, calibration, time",
        "--runs 10 --mazes blocking",
        "dynamaze.benchmarks.studies.model_comparison",
    ),
    "model-confidence": Command(
        "models that detect their own errors, in mazes that change",
        "--runs 50",
        "dynamaze.benchmarks.studies.model_confidence",
    ),
    "model-error": Command(
        "return of several planners against the error of a corrupted model",
        "--runs 30",
        "dynamaze.benchmarks.studies.model_error",
    ),
    "continuous": Command(
        "learning curves of Stable-Baselines3's PPO and SAC in the continuous maze",
        "--runs 5",
        "dynamaze.benchmarks.studies.continuous_learning",
    ),
    "soak": Command(
        "10^9 steps of many mazes at once, checked against exact values",
        "--runs 2",
        "dynamaze.benchmarks.studies.soak",
    ),
    "loca": Command(
        "adaptation of agents to a local change (LoCA), on the grid",
        "--runs 5",
        "dynamaze.benchmarks.studies.loca.command",
        "LoCAConfig",
    ),
    "loca-continuous": Command(
        "adaptation of agents to a local change (LoCA), for a point in a corridor",
        "--runs 3",
        "dynamaze.benchmarks.studies.loca.command",
        "LoCAContinuousConfig",
    ),
    "sb3": Command(
        "Stable-Baselines3's DQN and SAC, with and without a model for planning",
        "--runs 4",
        "dynamaze.benchmarks.studies.sb3_dyna",
    ),
    "linear-dyna": Command(
        "Linear Dyna on the Boyan chain (Sutton et al. 2008)",
        "--runs 10",
        "dynamaze.benchmarks.studies.linear_dyna",
    ),
    "mountain-car": Command(
        "Linear Dyna on Mountain Car against model-free learning",
        "--runs 5",
        "dynamaze.benchmarks.studies.mountain_car",
    ),
    "deep-belief": Command(
        "pre-training of a deep belief network: gain and loss",
        "--runs 5",
        "dynamaze.benchmarks.studies.deep_belief",
    ),
    "adaptation": Command(
        "the adaptation suite: agents, also of your own, in a fixed list of changing environments",
        "--agent my_file.py:MyAgent --runs 20",
        "dynamaze.benchmarks.adaptation.suite",
    ),
    "adaptation-tuning": Command(
        "search for the arguments of agents in the settings of the adaptation suite",
        "--agents dyna_q --setting shortcut",
        "dynamaze.benchmarks.adaptation.tuning",
    ),
    "adaptation-in-context": Command(
        "reference agents in unseen mazes that change once, and the expert's map",
        "--runs 50 --sizes 9",
        "dynamaze.benchmarks.adaptation.in_context",
    ),
    "adaptation-bayes": Command(
        "Bayes-optimal return in 3 x 3 mazes that change once, and that of agents",
        "--steps 8",
        "dynamaze.benchmarks.adaptation.bayes",
    ),
    "coverage": Command(
        "coverage of the 95% intervals of this package, by simulation",
        "--samples 200",
        "dynamaze.benchmarks.studies.coverage",
    ),
}
"""Experiments by name: those of chapter 8 of Sutton & Barto (2018), then studies."""

BENCHMARK_COMMANDS = {
    "figures": Command(
        "reproduce the figures of chapter 8 of Sutton & Barto (2018)",
        "",
        "dynamaze.benchmarks.figures.command",
    ),
    **{f"bench run {name}": experiment for name, experiment in EXPERIMENTS.items()},
    "bench report": Command(
        "write the reports of stored experiments: one HTML file each",
        "figure-8-2",
        "dynamaze.benchmarks.harness.reports.report",
    ),
    "bench diff": Command(
        "compare two stores, or two CSV files of runs, with intervals",
        "before.sqlite results/runs.sqlite",
        "dynamaze.benchmarks.harness.reports.diff",
    ),
    "bench export": Command(
        "write the runs of a store as CSV files",
        "results/runs.sqlite --output csv",
        "dynamaze.benchmarks.harness.reports.export",
    ),
    "bench cards": Command(
        "write the table of the adaptation suite and a card for each agent, from stored tables",
        "--output docs/adaptation",
        "dynamaze.benchmarks.adaptation.cards",
    ),
    "bench tuned": Command(
        "write the file of tuned arguments, from the stored table of adaptation-tuning",
        "--output tuned.toml",
        "dynamaze.benchmarks.adaptation.tuned_file",
    ),
    "bench speed": Command(
        "speed of environments, agents and students, each beside a baseline",
        "--repeats 3",
        "dynamaze.benchmarks.speed.command",
    ),
    "distill teacher": Command(
        "train a large teacher for unseen mazes, from exact policies",
        "--output teacher.safetensors",
        "dynamaze.benchmarks.distillation.teacher",
    ),
    "distill teacher-ppo": Command(
        "train a large teacher by PPO, from rewards alone",
        "--output teacher-ppo.safetensors",
        "dynamaze.benchmarks.distillation.teacher_ppo",
    ),
    "distill teacher-transformer": Command(
        "train a transformer for mazes of any size, from exact policies",
        "--output transformer.safetensors",
        "dynamaze.benchmarks.distillation.teacher_transformer",
    ),
    "distill student": Command(
        "distil a teacher into a value iteration network of 113 parameters, or another student",
        "--teacher teacher.safetensors",
        "dynamaze.benchmarks.distillation.student",
    ),
    "distill learner": Command(
        "distil an expert that learns mazes into a student that does, with frozen weights",
        "--output learner.safetensors",
        "dynamaze.benchmarks.distillation.learner",
    ),
    "distill frontier": Command(
        "normalised return on held-out levels against the size of the student",
        "--teacher teacher.safetensors --runs 5",
        "dynamaze.benchmarks.distillation.frontier",
    ),
    "distill adapt": Command(
        "recovery of students after a change, with and without further distillation",
        "--student student.safetensors",
        "dynamaze.benchmarks.distillation.adapt",
    ),
    "distill transformer": Command(
        "success of transformers in larger mazes than those of their training",
        "--runs 3",
        "dynamaze.benchmarks.distillation.transformer",
    ),
    "distill soft-labels": Command(
        "soft against hard labels for few states, and loss weights for small students",
        "--runs 10",
        "dynamaze.benchmarks.distillation.soft_labels",
    ),
    "distill compare": Command(
        "all methods of distillation that fit one teacher, at equal CPU time",
        "--runs 5",
        "dynamaze.benchmarks.distillation.methods.compare",
    ),
    "distill methods": Command(
        "what each distillation method is for: paired comparisons with a verdict",
        "mutual --runs 8",
        "dynamaze.benchmarks.distillation.methods.command",
    ),
}
"""Commands by the words that follow `dynamaze`."""
