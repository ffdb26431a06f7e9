"""Golden cases of the studies: the tables of each at its smallest size.

Of a table the numbers enter in the order of its columns and rows; text and measured times stay
out. Whole numbers, and floats made by + - * / and square roots, are digested; intervals (whose
width takes a logarithm), and floats made by exp, BLAS, LAPACK or torch, are held to a tolerance.

Learners may choose other actions where a last bit differs. On one machine, with the instructions
of older CPUs for torch, BLAS and NumPy, it was seen in `_mountain_car` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import StringIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console

import dynamaze  # noqa: F401  # registers the environments

from .golden import Record, close, combine, exact, needs, summary

COMPUTED = {"rtol": 1e-7, "atol": 1e-9}  # float64 with exp, log or BLAS
TRAINED = {"rtol": 1e-4, "atol": 1e-5}  # float32 by torch, see cases_distill


def _tables(
    tables: dict[str, Any],
    *,
    rounded: bool = False,
    measured: tuple[str, ...] = (),
    **tolerance: float,
) -> Record:
    """The numbers of all tables of a study.

    Args:
        tables: by name; their order is that of the parts.
        rounded: whether all floats are held to a tolerance, not intervals alone.
        measured: columns of the machine, as times, which stay out; each must be in a table.
        tolerance: of `close`.
    """
    missing = set(measured) - {name for table in tables.values() for name in table}
    if missing:
        raise KeyError(f"measured={sorted(missing)}; expected columns of the tables")
    parts = {}
    for number, table in enumerate(tables.values()):
        columns = {name: np.asarray(table[name]) for name in table if name not in measured}
        parts[f"table {number}"] = _table(columns, rounded, tolerance or COMPUTED)
    return combine(**parts)


def _table(columns: dict[str, Any], rounded: bool, tolerance: dict[str, float]) -> Record:
    parts, whole = {}, []
    for number, (name, column) in enumerate(columns.items()):
        if column.dtype.kind in "biu":
            whole.append(column.astype(np.int64))
        elif column.dtype.kind == "f" and not rounded and not name.endswith(("_low", "_high")):
            whole.append(column)
        elif column.dtype.kind == "f":
            finite = np.isfinite(column)
            whole.append(finite)
            parts[f"column {number}"] = close(_few(column[finite]), **tolerance)
    return combine(whole=exact(*whole), **parts)


def _few(column: np.ndarray) -> np.ndarray:
    """Mean, deviation, and the first, a middle and the last number."""
    if not column.size:
        return np.zeros(0)
    chosen = column[[0, column.size // 2, -1]]
    return np.array([column.mean(), column.std(), *chosen])


@contextmanager
def _changed(*changes: Any) -> Iterator[None]:
    """Have some values of modules changed for a while: by `mock.patch.object` or `.dict`."""
    with ExitStack() as stack:
        for change in changes:
            stack.enter_context(change)
        yield


def _quiet() -> Console:
    return Console(file=StringIO())


def _weights(network: Any) -> Record:
    tensors = [weight.detach().double().numpy() for weight in network.parameters()]
    flat = np.concatenate([tensor.ravel() for tensor in tensors])
    shapes = exact([list(tensor.shape) for tensor in tensors])
    return combine(shapes=shapes, numbers=close(summary(flat, 8), **TRAINED))


# -- figures -----------------------------------------------------------------------------------


def _figure_8_2() -> Record:
    from dynamaze.benchmarks.figures import figure_8_2

    config = figure_8_2.Figure82Config(runs=3, episodes=4, planning_steps=(0, 5))
    best = figure_8_2.best_epsilon_greedy_steps(config)
    return combine(
        tables=_tables(figure_8_2.run(config)),
        best=close(best, rtol=1e-9),
    )


def _figure_8_4() -> Record:
    from dynamaze.benchmarks.figures import figures_8_4_and_8_5

    return _tables(figures_8_4_and_8_5.run(figures_8_4_and_8_5.Figure84Config(runs=3, steps=1300)))


def _figure_8_5() -> Record:
    from dynamaze.benchmarks.figures import figures_8_4_and_8_5

    return _tables(figures_8_4_and_8_5.run(figures_8_4_and_8_5.Figure85Config(runs=3, steps=3200)))


def _figure_8_7() -> Record:
    """Its values are drawn from a normal distribution."""
    from dynamaze.benchmarks.figures import figure_8_7

    return _tables(
        figure_8_7.run(figure_8_7.Figure87Config(runs=3, branching=(2, 10, 100))), rounded=True
    )


def _figure_8_8() -> Record:
    """Its rewards are drawn from a normal distribution."""
    from dynamaze.benchmarks.figures import figure_8_8

    problems = (figure_8_8.Problem(50, 1, 500), figure_8_8.Problem(40, 3, 1000))
    config = figure_8_8.Figure88Config(runs=3, evaluations=5, problems=problems)
    return _tables(figure_8_8.run(config), rounded=True)


def _random_tasks() -> Record:
    from dynamaze.agents.core.rng import make_generator
    from dynamaze.benchmarks.figures import random_tasks

    seed = np.random.SeedSequence(3)
    task = random_tasks.RandomTask.sample(30, 3, make_generator(seed, 0))
    curves = [
        random_tasks.learning_curve(
            task,
            on_policy=on_policy,
            evaluations=6,
            updates=40,
            epsilon=0.2,
            rng=make_generator(seed, 1),
        )
        for on_policy in (True, False)
    ]
    return combine(
        successors=exact(task.successors),
        rewards=close(summary(task.reward), **COMPUTED),
        curves=close(curves, **COMPUTED),
    )


def _example_8_4() -> Record:
    from dynamaze.benchmarks.figures import example_8_4

    return _tables(
        example_8_4.run(example_8_4.Example84Config(runs=3, sizes=(1, 2), max_steps=20_000))
    )


def _exercise_8_4() -> Record:
    """Regret is what is missing to values that LAPACK gave."""
    from dynamaze.benchmarks.figures import exercise_8_4

    config = exercise_8_4.Exercise84Config(runs=2, epsilons=(0.1,), kappas=())
    return _tables(exercise_8_4.run(config), rounded=True)


def _equal_budgets() -> Record:
    """Tree search weighs by a logarithm, and what is lost is told by exact values."""
    from dynamaze.benchmarks.figures import equal_budgets

    config = equal_budgets.EqualBudgetsConfig(runs=2, budgets=(64, 250), real_steps=300)
    return _tables(equal_budgets.run(config), rounded=True)


def _background_or_decision() -> Record:
    from dynamaze.benchmarks.figures import background_or_decision

    config = background_or_decision.BackgroundOrDecisionConfig(
        runs=2, budgets=(40,), mazes=("blocking",)
    )
    return _tables(background_or_decision.run(config), rounded=True)


def _statistics() -> Record:
    from dynamaze.benchmarks.harness.analysis import intervals as statistics

    rng = np.random.default_rng(4)
    samples = rng.integers(0, 100, size=(7, 3)) / 8
    return combine(
        means=close(statistics.mean_interval(samples), **COMPUTED),
        wider=close(statistics.mean_interval(samples, 0.99), **COMPUTED),
        medians=exact(*statistics.quantile_interval(samples.ravel())),
        quantiles=exact(*statistics.quantile_interval(samples.ravel(), 0.2, 0.8)),
        student=close(
            [statistics.student_t_quantile(p, n) for p in (0.9, 0.975) for n in (1, 4, 30)],
            **COMPUTED,
        ),
    )


# -- models ------------------------------------------------------------------------------------


def _models() -> Record:
    from dynamaze.benchmarks.studies import model_comparison as models
    from dynamaze.benchmarks.studies.model_trial import MAZES

    sizes = {
        "limit": 120,
        "measured_at": 60,
        "solve_from": 0,
        "episodes": 0,
        "evaluation_interval": 40,
    }
    small = {name: maze._replace(**sizes) for name, maze in MAZES.items()}
    names = ("latest_outcome", "maximum_likelihood", "bayesian_linear")
    config = models.ModelComparisonConfig(runs=2, slow_runs=2, models=names)
    with _changed(mock.patch.dict(MAZES, small)):
        tables = models.run(config)
    times = ("update_us", "update_us_low", "update_us_high")
    times += ("sample_ms", "sample_ms_low", "sample_ms_high")
    return _tables(tables, rounded=True, measured=times)


def _confidence() -> Record:
    from dynamaze.benchmarks.studies import model_confidence as model_doubt

    config = model_doubt.ModelConfidenceConfig(runs=2)
    return _tables(model_doubt.run(config), rounded=True)


def _errors() -> Record:
    from dynamaze.benchmarks.studies import model_error as wrong_models

    config = wrong_models.ModelErrorConfig(runs=2, steps=300, kinds=("noise",))
    return _tables(wrong_models.run(config), rounded=True)


def _with_sb3() -> Record:
    """Nothing is solved in so few steps, so the networks tell what was learned."""
    needs("torch", "stable_baselines3", "scipy")
    from dynamaze.benchmarks.studies import sb3_dyna as dyna_sb3

    small = {
        name: task._replace(
            settings={**task.settings, "learning_starts": 20, "policy_kwargs": {"net_arch": [4]}},
            gradient_steps=task.gradient_steps[:1],
            planning={**task.planning, "rollouts": 8, "train_every": 8},
            limit=60,
            evaluation_interval=20,
            episodes=1,
            true_env_gradient_steps=task.true_env_gradient_steps and task.gradient_steps[0],
        )
        for name, task in dyna_sb3.TASKS.items()
    }
    learners: dict[int, Any] = {}

    class Judge(dyna_sb3.SolvedCallback):
        """Keeps who learns."""

        def __call__(self, told: dict[str, Any], more: dict[str, Any]) -> bool:
            learners[id(told["self"])] = told["self"]
            return super().__call__(told, more)

    with _changed(
        mock.patch.dict(dyna_sb3.TASKS, small), mock.patch.object(dyna_sb3, "SolvedCallback", Judge)
    ):
        tables = dyna_sb3.run(dyna_sb3.SB3DynaConfig(runs=1))
    networks = {
        f"network {number}": _weights(each.policy) for number, each in enumerate(learners.values())
    }
    return combine(tables=_tables(tables, **TRAINED), **networks)


# -- adapting ----------------------------------------------------------------------------------


def _loca() -> Record:
    from dynamaze.benchmarks.studies.loca import command as loca

    agents = ("q_learning", "latest_outcome", "maximum_likelihood", "prioritised_sweeping")
    agents += ("dyna_q_plus", "linear", "linear_dyna_pwma")
    config = loca.LoCAConfig(
        runs=2, slow_runs=2, agents=agents, steps=(200, 100, 100), evaluation_interval=50
    )
    return _tables(loca.run(config), rounded=True)


def _loca_continuous() -> Record:
    from dynamaze.benchmarks.studies.loca import command as loca

    class Short(loca.LoCAContinuousConfig):
        """Looks of two episodes, not of a hundred."""

        @property
        def protocol(self) -> Any:
            return replace(super().protocol, evaluation_episodes=2)

    config = Short(runs=2, slow_runs=2, steps=(100, 50, 50), evaluation_interval=50)
    return _tables(loca.run(config), rounded=True)


def _loca_levels() -> Record:
    from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol
    from dynamaze.benchmarks.studies.loca.reference_returns import exact_mdps, reference_returns

    levels = []
    for world in ("grid", "continuous"):
        mdps = exact_mdps(LoCAProtocol(world).make_env())
        levels += [reference_returns(mdps, task, 0.97, 40) for task in ("A", "B")]
    return close(levels, **COMPUTED)


# -- linear methods, learners ------------------------------------------------------------------


def _linear_dyna() -> Record:
    from dynamaze.benchmarks.studies import linear_dyna

    config = linear_dyna.LinearDynaConfig(runs=2, episodes=3, num_features=10)
    return _tables(linear_dyna.run(config), rounded=True)


def _chain() -> Record:
    from dynamaze.benchmarks.studies.linear_dyna import chain_episode, chain_features, chain_values

    features = chain_features(5)
    episode = chain_episode(features, np.random.default_rng(6))
    return exact(features, chain_values(5), *episode)


def _mountain_car() -> Record:
    """Whole runs of the first methods, and the first steps of all.

    The others weigh features by BLAS, whose last bits decide between equal actions: with other
    instructions their runs part after some sixty steps, so their table cannot be frozen.
    """
    from dynamaze.benchmarks.studies import mountain_car

    config = mountain_car.MountainCarConfig(runs=2, episodes=2, time_limit=500)
    seed = np.random.SeedSequence(0).spawn(1)[0]
    methods = [*mountain_car.METHODS.values()]
    lengths = [mountain_car.learn(config, method, seed) for method in methods[:4]]
    places = np.array([[-1.1, -0.05], [-0.6, 0.0], [-0.5, 0.01], [-0.3, -0.02], [0.4, 0.06]])
    parts = {"lengths": exact(np.array(lengths, dtype=np.int64))}
    for number, method in enumerate(methods):
        agent: Any = mountain_car.make_agent(config, method, seed)
        actions = [step.action for step in islice(agent.steps(), 40)]
        parts[f"actions {number}"] = exact(np.array(actions, dtype=np.int64))
        values = agent.values.values(places)
        parts[f"values {number}"] = close(summary(values, 5), **COMPUTED)
    return combine(**parts)


def _deep_belief() -> Record:
    needs("torch")
    from dynamaze.benchmarks.studies import deep_belief

    config = deep_belief.DeepBeliefConfig(
        runs=2,
        labelled=(20, 30),
        unlabelled=60,
        held_out=50,
        hidden=(8, 6),
        pretraining_steps=100,
        tuning_steps=60,
    )
    return _tables(deep_belief.run(config), rounded=True, **TRAINED)


def _continuous_learning() -> Record:
    """Nothing is reached in so few steps, so the networks tell what was learned."""
    needs("torch", "stable_baselines3")
    from dynamaze.benchmarks.studies import continuous_learning

    settings = continuous_learning.SETTINGS
    small = {
        "PPO": {**settings["PPO"], "n_steps": 4, "batch_size": 16},
        "SAC": {**settings["SAC"], "learning_starts": 8},
    }
    config = continuous_learning.ContinuousLearningConfig(
        runs=2, ppo_steps=64, sac_steps=40, points=2, episodes=2, seed=3
    )
    look, networks = continuous_learning.evaluate_greedy, []

    def look_and_keep(model: Any, episodes: int, seed: int) -> Any:
        networks.append(_weights(model.policy))
        return look(model, episodes, seed)

    with _changed(
        mock.patch.dict(settings, small),
        mock.patch.object(continuous_learning, "TIME_LIMIT", 30),
        mock.patch.object(continuous_learning, "evaluate_greedy", look_and_keep),
    ):
        tables = continuous_learning.run(config)
    parts = {f"network {number}": each for number, each in enumerate(networks[2::3])}
    return combine(tables=_tables(tables, rounded=True, **TRAINED), **parts)


def _endurance() -> Record:
    """Its memory and speed are measured, and stay out."""
    from dynamaze.benchmarks.studies import soak as endurance

    (parts,) = endurance.run(endurance.SoakConfig(runs=2, steps=1e5, num_envs=100)).values()
    return combine(
        counts=exact(np.stack([parts["steps"], parts["goals"]])),
        apart=close(parts["sigmas"], **COMPUTED),
    )


# -- distillation ------------------------------------------------------------------------------


def _labels() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation import soft_labels

    config = soft_labels.SoftLabelsConfig(
        runs=2, labelled=(20, 60), few_steps=15, small_steps=15, seed=3
    )
    return _tables(soft_labels.run(config), rounded=True, **TRAINED)


def _frontier() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation import frontier
    from dynamaze.benchmarks.distillation.frontier_students import STUDENTS

    students = (*STUDENTS,)[:5:2]
    config = frontier.FrontierConfig(runs=1, steps=4, mazes=2, students=students, pruned_to=())
    measured = ("microseconds", "seconds", "object_bytes")  # of the machine and its compiler
    return _tables(frontier.run(config), rounded=True, measured=measured, **TRAINED)


def _adapt() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation import adapt

    config = adapt.AdaptConfig(runs=2, steps=4, drift_steps=12, drift=0.3, gradient_steps=(2,))
    with _changed(mock.patch.object(adapt, "PRETRAINING_STEPS", 40)):
        return _tables(adapt.run(config), rounded=True, **TRAINED)


def _judged(policy: Any) -> Record:
    from dynamaze.benchmarks.distillation.mazes import (
        HeldOut,
        evaluate_policy,
        held_out_generators,
        return_estimate,
    )

    found = []
    for recipe in held_out_generators(9).values():
        verdict = evaluate_policy(policy, HeldOut.generate(recipe, 3))
        found.append(
            [
                verdict.success,
                verdict.normalised_return,
                verdict.agreement,
                *return_estimate(verdict),
            ]
        )
    return close(found, **TRAINED)


def _teacher() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation import teacher

    with TemporaryDirectory() as folder:
        config = teacher.TeacherConfig(Path(folder, "t.safetensors"), steps=4, channels=3, blocks=1)
        network = teacher.train(config, _quiet())
    return combine(weights=_weights(network), judged=_judged(network))


def _teacher_ppo() -> Record:
    needs("torch", "stable_baselines3")
    from dynamaze.benchmarks.distillation import teacher_ppo

    with (
        TemporaryDirectory() as folder,
        _changed(
            mock.patch.object(teacher_ppo, "NUM_ENVS", 16),
            mock.patch.object(teacher_ppo, "NUM_OPEN_MAZES", 4),
            mock.patch.dict(teacher_ppo.SETTINGS, {"n_steps": 8, "batch_size": 64, "n_epochs": 2}),
        ),
    ):
        config = teacher_ppo.TeacherPPOConfig(
            Path(folder, "t.safetensors"), size=5, steps=256, channels=4, blocks=1
        )
        network = teacher_ppo.train(config, _quiet())
    return combine(weights=_weights(network), judged=_judged(network))


def _student() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation import student
    from dynamaze.benchmarks.distillation.mazes import TRAINING, MazeSampler
    from dynamaze.distill.data.source import FunctionSource

    with TemporaryDirectory() as folder:
        config = student.StudentConfig(output=Path(folder, "s.safetensors"), steps=20, restarts=2)
        source = FunctionSource(student.read_teacher(None), MazeSampler(cells=300), (TRAINING,))
        network = student.train(config, source, _quiet())
    return combine(weights=_weights(network), judged=_judged(network))


def _policy_gradient() -> Record:
    needs("torch")
    from dynamaze.benchmarks.distillation.mazes import MazeSampler
    from dynamaze.benchmarks.distillation.reinforce import PolicyGradientBaseline
    from dynamaze.distill.students.registry import make_student
    from dynamaze.envs.generation import MazeGenerator

    mazes = MazeSampler(generators=(MazeGenerator(5),), cells=150)
    network = make_student(kind="value_iteration")
    PolicyGradientBaseline(network, mazes, steps=5, learning_rate=0.02).learn()
    return combine(weights=_weights(network), judged=_judged(network))


def _while_changing() -> Record:
    from dynamaze.benchmarks.distillation.changing_mazes import evaluate_in_changing_mazes
    from dynamaze.envs.generation import MazeGenerator
    from dynamaze.envs.generation.planes import ShortestPathPolicy

    recipe = MazeGenerator(9, "prim", loops=0.3)
    parts = {}
    for number, sees in enumerate((True, False)):
        found = evaluate_in_changing_mazes(
            ShortestPathPolicy(), recipe, 4, seed=5, sees_changes=sees
        )
        parts[f"whole {number}"] = exact(found.success, found.changes)
        parts[f"kept {number}"] = close([*found.normalised_return, found.agreement], **COMPUTED)
    return combine(**parts)


CASES: dict[str, Callable[[], Record]] = {
    "figure 8.2": _figure_8_2,
    "figure 8.4": _figure_8_4,
    "figure 8.5": _figure_8_5,
    "figure 8.7": _figure_8_7,
    "figure 8.8": _figure_8_8,
    "random tasks": _random_tasks,
    "example 8.4": _example_8_4,
    "exercise 8.4": _exercise_8_4,
    "equal budgets": _equal_budgets,
    "background or decision": _background_or_decision,
    "statistics": _statistics,
    "models": _models,
    "model confidence": _confidence,
    "model errors": _errors,
    "models with sb3": _with_sb3,
    "loca, grid": _loca,
    "loca, continuous": _loca_continuous,
    "loca, levels": _loca_levels,
    "linear dyna": _linear_dyna,
    "chain": _chain,
    "mountain car": _mountain_car,
    "deep belief": _deep_belief,
    "continuous": _continuous_learning,
    "soak": _endurance,
    "labels": _labels,
    "frontier": _frontier,
    "adapt": _adapt,
    "teacher": _teacher,
    "teacher, ppo": _teacher_ppo,
    "student": _student,
    "policy gradient": _policy_gradient,
    "while changing": _while_changing,
}
