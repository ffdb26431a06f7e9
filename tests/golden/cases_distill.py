"""Golden cases of distillation: training, sources of batches, evaluation and exports.

What torch computes in float32 differs between CPUs, whose instructions add in other orders. With
the instructions of older CPUs (ATEN_CPU_CAPABILITY=default, MKL_CBWR=COMPATIBLE,
ONEDNN_MAX_CPU_ISA=SSE41) no number differed by more than a tenth of the tolerances below: after
training by 1e-6, of one forward pass by 4e-7 of its largest number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.distill.core.dataset import Dataset, join, make_batch
from dynamaze.distill.core.distributions import Bounds
from dynamaze.distill.core.policy import agreement
from dynamaze.distill.data.rollouts import PerEpisode, Rollouts, collect, linear_schedule
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.evaluation import evaluate, normalised_return, ratio
from dynamaze.distill.teachers import ActionValues, MultiTeacher, as_teacher
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, query_all_cells

from .golden import Record, close, combine, exact, needs, needs_c_compiler, summary

if find_spec("torch") is not None:
    import torch

    from dynamaze.distill.core.losses import (
        Targets,
        criticality,
        kl,
        make_loss,
        margin,
        student_driven,
        weighted,
    )
    from dynamaze.distill.students.base import as_student
    from dynamaze.distill.students.composite import ActorCritic, GaussianStudent
    from dynamaze.distill.students.mlp import MLP
    from dynamaze.distill.students.quantise import quantised, quantised_weights
    from dynamaze.distill.students.registry import make_student
    from dynamaze.distill.training.distiller import Distiller
    from dynamaze.distill.training.prune import GradualPruning, pruned
    from dynamaze.distill.training.restarts import best_restart

TRAINED = {"rtol": 1e-4, "atol": 1e-5}  # after 20 steps in float32
ANSWERED = {"rtol": 1e-5, "atol": 1e-5}  # one forward pass in float32
STEPS = 20
INPUTS, ACTIONS = 6, 3
FLAT = {"observation_shape": [INPUTS], "num_actions": ACTIONS}
PLANES, PICTURE, WINDOW = (3, 5, 5), (6, 5, 3), (4, 5, 6)


# -- teachers and observations, by + - * / alone -----------------------------------------------


def _dyadic(rng: np.random.Generator, shape: Any, scale: float = 1.0) -> np.ndarray:
    """Multiples of 1/64 in [-1, 1], times a power of two: exact in float32."""
    return (rng.integers(-64, 65, size=shape) / 64 * scale).astype(np.float32)


def _linear(observations: Any, columns: int, seed: int) -> np.ndarray:
    """Weighted sums of an observation's numbers, added in their order (no BLAS)."""
    flat = np.asarray(observations, dtype=np.float64).reshape(len(observations), -1)
    weights = _dyadic(np.random.default_rng(seed), (flat.shape[1], columns), 2.0)
    return sum(flat[:, i, None] * weights[i].astype(np.float64) for i in range(flat.shape[1]))


def _logits(observations: Any) -> np.ndarray:
    return _linear(observations, ACTIONS, 1)


def _moves(observations: Any) -> np.ndarray:
    return _linear(observations, 4, 2)


class _Gaussian:
    """A teacher of two continuous actions."""

    def action_gaussian(self, observations: Any) -> tuple[np.ndarray, np.ndarray]:
        return _linear(observations, 2, 3) / 4, _linear(observations, 2, 4) / 8 - 1


def _observations(rng: np.random.Generator, progress: float = 0.0) -> np.ndarray:
    return _dyadic(rng, (16, INPUTS))


def _mazes() -> np.ndarray:
    return query_all_cells(MazeGenerator(5), range(4))


# -- training ----------------------------------------------------------------------------------


def _trained(students: Any, source: Any, **settings: Any) -> Record:
    """Train for some steps; the losses, and the weights of each student."""
    callbacks = settings.pop("callback", ())
    settings = {"total_steps": STEPS, "learning_rate": 0.01, "device": "cpu", **settings}
    distiller = Distiller(students, source, **settings)
    losses: list[list[float]] = []
    distiller.distil(callback=[lambda step: losses.append([*step.losses.values()]), *callbacks])
    parts = {"losses": close(summary(losses), **TRAINED)}
    for number, student in enumerate(distiller.students.values()):
        parts[f"student {number}"] = _weights(student)
    return combine(**parts)


def _weights(student: Any) -> Record:
    tensors = [weight.detach().double().numpy() for weight in student.parameters()]
    flat = np.concatenate([tensor.ravel() for tensor in tensors])
    return combine(
        shapes=exact([list(tensor.shape) for tensor in tensors]),
        numbers=close(summary(flat, 12), **TRAINED),
    )


def _train(make: Callable[[], Any], ask: Any = _observations, teacher: Any = _logits) -> Record:
    needs("torch")
    return _trained(make(), FunctionSource(teacher, ask))


def _train_flat(loss: Any = "kl", **settings: Any) -> Record:
    needs("torch")
    loss = loss() if callable(loss) else loss
    return _trained(
        MLP(**FLAT, width=5), FunctionSource(_logits, _observations), loss=loss, **settings
    )


def _train_on_mazes(**config: Any) -> Record:
    """A student of planes, taught the shortest paths in four mazes."""
    needs("torch")
    return _trained(
        make_student(**config), FunctionSource(ShortestPathPolicy(), lambda rng, progress: _mazes())
    )


def _train_on_frames(shape: tuple[int, ...], **config: Any) -> Record:
    needs("torch")

    def ask(rng: np.random.Generator, progress: float) -> np.ndarray:
        if shape == PICTURE:
            return rng.integers(0, 256, size=(8, *shape), dtype=np.uint8)
        return _dyadic(rng, (8, *shape))

    teacher = ActionValues(lambda seen: _linear(seen, 4, 5) / 64)
    return _trained(
        make_student(kind="conv", observation_shape=shape, num_actions=4, channels=3, **config),
        FunctionSource(teacher, ask),
    )


def _train_recurrent() -> Record:
    needs("torch")
    env = _env(3)
    source = Rollouts(_moves, env, batch_size=4, sequence_length=5)
    student = make_student(kind="gru", observation_shape=[2], num_actions=4, width=4)
    return _trained(student, source)


def _train_actor_critic() -> Record:
    needs("torch")
    shape = FLAT["observation_shape"]
    student = ActorCritic(MLP(shape, ACTIONS, 4), MLP(shape, 1, 3, seed=1))
    source = FunctionSource(ActionValues(_logits, 0.5), _observations)
    parts = {
        f"weight {number}": _trained(student, source, value_coef=coef, total_steps=10)
        for number, coef in enumerate((0.5, 2.0))
    }
    return combine(**parts)


def _train_gaussian(squashed: bool) -> Record:
    needs("torch")
    student = GaussianStudent(MLP([INPUTS], 4, 5), [-1, -2], [1, 2], squashed=squashed)
    teacher = _Gaussian()
    if squashed:
        teacher.bounds = Bounds([-1, -2], [1, 2], True)
    return _trained(student, FunctionSource(teacher, _observations), loss="gaussian_kl")


def _train_rounded(bits: Any, per: str) -> Record:
    needs("torch")
    student = quantised(MLP(**FLAT, width=5), bits, per)
    return _trained(student, FunctionSource(_logits, _observations))


def _train_pruned(per: str) -> Record:
    needs("torch")
    student = pruned(MLP(**FLAT, width=5), 0.0, per)
    callback = [GradualPruning(0.5, every=3, granularity=per)]
    return _trained(student, FunctionSource(_logits, _observations), callback=callback)


def _train_module() -> Record:
    needs("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, 5), torch.nn.ELU(), torch.nn.Linear(5, ACTIONS)
        )
    return _trained(as_student(module), FunctionSource(_logits, _observations))


def _train_several() -> Record:
    needs("torch")
    students = {
        "a": MLP(**FLAT, width=3),
        "b": MLP(**FLAT, width=9, layers=2, seed=1),
        "c": make_student(kind="linear", **FLAT, seed=2),
    }
    return _trained(
        students,
        FunctionSource(_logits, _observations),
        learning_rate={"a": 0.1, "b": 0.01, "c": 0.03},
        loss="mse",
    )


def _restarts() -> Record:
    needs("torch")
    best, losses = best_restart(
        [MLP(**FLAT, width=3, seed=seed) for seed in range(3)],
        FunctionSource(_logits, _observations),
        steps=10,
        total_steps=30,
        device="cpu",
    )
    return combine(best=exact(best), losses=close(losses, **TRAINED))


def _fit(kind: str, library: str | None) -> Record:
    """A table or a tree, fitted to stored answers."""
    needs("torch", *([] if library is None else [library]))
    student = make_student(kind=kind, **FLAT)
    student.fit(_stored())
    asked = np.concatenate([_stored().rows.observations, _dyadic(np.random.default_rng(8), (9, 6))])
    answers = student.action_logits(asked)
    return combine(
        counts=exact(student.num_parameters, answers.argmax(axis=1)),
        answers=close(summary(answers, 12), rtol=1e-9),
    )


# -- losses ------------------------------------------------------------------------------------


def _losses() -> Record:
    """Each loss of set answers, and its gradient."""
    needs("torch")
    rng = np.random.default_rng(11)
    targets = Targets(
        torch.from_numpy(_dyadic(rng, (7, ACTIONS), 4.0)),
        torch.from_numpy(np.abs(_dyadic(rng, 7)) + 0.5),
    )
    given = torch.from_numpy(_dyadic(rng, (7, ACTIONS), 4.0))
    losses = [
        *(make_loss(name) for name in ("nll", "mse", "kl", "reverse_kl")),
        kl(2.0),
        kl(0.5, hard=0.3),
        weighted("kl", margin),
        weighted("mse", criticality, floor=0.25),
    ]
    rows = [_with_gradient(partial(_second_last, loss, targets), given) for loss in losses]
    gaussian = targets._replace(
        logits=torch.from_numpy(_dyadic(rng, (7, 4))), distribution="gaussian"
    )
    own = torch.from_numpy(_dyadic(rng, (7, 4)))
    rows.append(_with_gradient(partial(_second_last, make_loss("gaussian_kl"), gaussian), own))
    return combine(**{f"loss {number}": row for number, row in enumerate(rows)})


def _second_last(loss: Any, targets: Any, logits: Any) -> Any:
    return loss(logits, targets)


def _with_gradient(loss: Any, given: Any) -> Record:
    given = given.clone().requires_grad_()
    value = loss(given)
    value.backward()
    return close([float(value.detach()), *summary(given.grad.numpy(), 10)], **ANSWERED)


def _driven() -> Record:
    """The loss along paths that the student went itself, with and without its return."""
    needs("torch")
    rng = np.random.default_rng(12)
    given, taught = (torch.from_numpy(_dyadic(rng, (4, 5, ACTIONS), 2.0)) for _ in range(2))
    actions = torch.from_numpy(rng.integers(ACTIONS, size=(4, 5)))
    alive = torch.from_numpy((rng.random((4, 5)) < 0.8).astype(np.float32))
    parts = {}
    for number, with_return in enumerate((True, False)):

        def loss(logits: Any, with_return: bool = with_return) -> Any:
            return student_driven(logits, taught, actions, alive, with_return=with_return)

        parts[f"loss {number}"] = _with_gradient(loss, given)
    return combine(**parts)


# -- proximal distillation ---------------------------------------------------------------------


class _Line(gym.Env[Any, Any]):
    """Four numbers to see; action 1, or actions above 0 together, pay."""

    observation_space = spaces.Box(-1.0, 1.0, (4,), np.float32)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.left = 5
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.left -= 1
        return self._seen(), float(np.sum(action) > 0), self.left == 0, False, {}

    def _seen(self) -> np.ndarray:
        return _dyadic(self.np_random, 4)


def _proximal(space: spaces.Space[Any], teacher: Any, coef: float) -> Record:
    needs("torch", "stable_baselines3")
    from stable_baselines3.common.monitor import Monitor

    from dynamaze.distill.methods.proximal import ProximalDistillation

    model = ProximalDistillation(
        "MlpPolicy",
        Monitor(_Line(space)),
        teacher=teacher,
        distill_coef=coef,
        policy_kwargs={"net_arch": [4]},
        n_steps=16,
        batch_size=8,
        n_epochs=4,
        learning_rate=0.02,
        device="cpu",
        seed=3,
    ).learn(48)
    return _weights(model.policy)


# -- sources of batches ------------------------------------------------------------------------


def _env(num_envs: int, **more: Any) -> Any:
    options = {"size": 5, "levels": 20, "observation": "coordinates", "max_episode_steps": 12}
    return gym.make_vec(
        "DynaMazeGenerated-v0",
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        **{**options, **more},
    )


class _Uneven:
    """A student that prefers other actions than its teacher."""

    def action_probabilities(self, observations: Any) -> np.ndarray:
        turned = np.asarray(observations).sum(axis=1).astype(int) % 4
        return np.eye(4)[turned] * 0.5 + 0.125


def _rows(batch: Any) -> Record:
    """A batch of the teacher's answers.

    Its observations follow from actions drawn by a softmax, whose last bits move no draw but once
    in 1e12 times; so they may enter a digest.
    """
    values = [] if batch.values is None else [batch.values]
    return exact(batch.observations, batch.logits, batch.weights, *values)


def _play(**settings: Any) -> Record:
    source = Rollouts(_moves, _env(3), **{"batch_size": 20, "capacity": 60, **settings})
    rng = np.random.default_rng(5)
    parts = {f"batch {number}": _rows(source.batch(rng, number / 4)) for number in range(3)}
    parts["levels"] = exact([list(part) for part in source.levels], len(source))
    return combine(**parts)


def _play_continuous() -> Record:
    env = gym.make_vec("DynaMazeContinuous-v0", num_envs=2, max_episode_steps=10)
    source = Rollouts(_Gaussian(), env, batch_size=10, steps_per_batch=3)
    batch = source.batch(np.random.default_rng(6), 0.0)
    return combine(
        seen=close(summary(batch.observations, 12)), answers=close(summary(batch.logits, 12))
    )


def _stored() -> Dataset:
    rng = np.random.default_rng(9)
    seen = _dyadic(rng, (30, INPUTS), 2.0)[rng.integers(12, size=40)]
    return Dataset(make_batch(seen, _logits(seen), np.arange(40) % 3, seen[:, 0]), batch_size=7)


def _dataset() -> Record:
    rows = _stored()
    rng = np.random.default_rng(10)
    return combine(
        drawn=_rows(rows.batch(rng, 0.0)),
        taken=_rows(rows.take(np.arange(5, 12)).rows),
        unique=_rows(rows.unique().rows),
        joined=_rows(join([rows.take(np.arange(4)), rows.unique()]).rows),
    )


def _collected() -> Record:
    rng = np.random.default_rng(13)
    parts = {}
    for number, settings in enumerate(
        (
            {},
            {"student": _Uneven(), "beta": PerEpisode(0.5)},
            {"student": _Uneven(), "beta": 0.0, "deterministic": True},
        )
    ):
        dataset = collect(ActionValues(_moves, 0.5), _env(2), 25, rng, **settings)
        parts[f"dataset {number}"] = _rows(dataset.rows)
        parts[f"levels {number}"] = exact([list(part) for part in dataset.levels])
    return combine(**parts)


def _fresh() -> Record:
    """Observations made for each batch, labelled by a teacher that knows values."""
    source = FunctionSource(ActionValues(_logits, 0.25), _observations)
    return _rows(source.batch(np.random.default_rng(14), 0.5))


def _several_teachers() -> Record:
    seen = _observations(np.random.default_rng(15))
    teacher = MultiTeacher(
        [_logits, ActionValues(_logits, 0.5), lambda rows: _logits(rows[::-1])],
        lambda rows: (rows[:, 0] * 64).astype(int) % 3,
    )
    warm = as_teacher(teacher, temperature=4.0)
    return combine(
        logits=exact(teacher.action_logits(seen), warm.action_logits(seen)),
        chances=close(summary(warm.action_probabilities(seen), 12)),
        from_chances=close(summary(as_teacher(_Uneven()).action_logits(seen), 12)),
    )


# -- evaluation --------------------------------------------------------------------------------


def _returns(returns: Any) -> Record:
    return combine(
        whole=exact(returns.lengths, returns.successes, returns.levels),
        numbers=close(
            [
                *summary(returns.discounted, 4),
                *returns.mean_discounted,
                *returns.mean_undiscounted,
                *returns.success_rate,
            ]
        ),
    )


def _evaluated() -> Record:
    env = partial(_env, 3, observation="planes", max_episode_steps=20)
    best = ShortestPathPolicy()
    worse = _Mixed()
    taught = evaluate(best, env(), 7, gamma=0.95, seed=4)
    learned = evaluate(worse, env(), 7, gamma=0.95, seed=4)
    drawn = evaluate(worse, env(), 7, gamma=0.95, seed=4, deterministic=False)
    kept = normalised_return(worse, best, env(), 5, gamma=0.9, seed=2)
    return combine(
        best=_returns(taught),
        worse=_returns(learned),
        drawn=_returns(drawn),
        kept=close([*kept, *ratio(learned, taught), *ratio(drawn, taught, discounted=False)]),
        agreement=close(agreement(best, worse, _mazes_alone())),
    )


class _Mixed:
    """The best actions, but in every other column mostly up."""

    def action_probabilities(self, observations: Any) -> np.ndarray:
        chances = ShortestPathPolicy().action_probabilities(observations)
        _, _, col = np.nonzero(np.asarray(observations)[:, 1] > 0.5)
        chances[col % 2 == 1] = (0.4, 0.2, 0.2, 0.2)
        return chances


def _mazes_alone() -> np.ndarray:
    """Each cell of some mazes, as an observation of its own."""
    planes = _mazes()
    maze, row, col = np.nonzero(planes[:, 1] > 0.5)
    alone = planes[maze].copy()
    alone[:, 1] = 0.0
    alone[np.arange(len(maze)), 1, row, col] = 1.0
    return alone


# -- exports of students whose weights are set --------------------------------------------------


def _set(student: Any, seed: int = 20) -> Any:
    """Weights of a student by + - * / alone, exact in float32."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for weight in student.parameters():
            weight.copy_(torch.from_numpy(_dyadic(rng, tuple(weight.shape), 0.5)))
    return student


def _set_planner(**config: Any) -> Any:
    student = _set(make_student(**config))
    with torch.no_grad():
        student.top.fill_(3.0)
        student.bias.copy_(-student.bias.abs() - 0.125)
    return student


def _set_tree() -> Any:
    """A tree of 15 nodes; below node n are 2n + 1 and 2n + 2."""
    tree = make_student(kind="tree", **FLAT)
    rng, nodes = np.random.default_rng(21), np.arange(15)
    asks = nodes < 7
    tree.set_state(
        {
            "feature": np.where(asks, rng.integers(INPUTS, size=15), -1),
            "threshold": np.where(asks, _dyadic(rng, 15, 0.5) + 1 / 128, 0.0),
            "below": np.where(asks[:, None], 2 * nodes[:, None] + [1, 2], -1),
            "logits": _dyadic(rng, (15, ACTIONS)).astype(np.float64),
        }
    )
    return tree


def _set_table() -> Any:
    return make_student(kind="table", **FLAT).fit(_stored())


def _set_gaussian(squashed: bool) -> Any:
    bounds = ([-1.0, -2.0], [1.0, 0.5])
    return GaussianStudent(_set(MLP([INPUTS], 4, 5)), *bounds, squashed=squashed)


def _set_actor_critic() -> Any:
    return ActorCritic(_set(MLP([INPUTS], ACTIONS, 4)), _set(MLP([INPUTS], 1, 3), 22))


def _set_conv(shape: tuple[int, ...]) -> Any:
    return _set(
        make_student(kind="conv", observation_shape=shape, num_actions=4, channels=3, layers=2)
    )


def _set_residual() -> Any:
    return _set(make_student(kind="residual", channels=2, blocks=1))


def _set_flat(**config: Any) -> Any:
    return _set(make_student(**FLAT, **config))


SET: dict[str, Callable[[], Any]] = {
    "linear": lambda: _set_flat(kind="linear"),
    "mlp": lambda: _set_flat(kind="mlp", width=5, layers=2),
    "mlp, 8 bits": lambda: quantised(_set_flat(kind="mlp", width=5), 8, "channel"),
    "mlp, 4 bits": lambda: quantised(_set_flat(kind="mlp", width=5), 4, "tensor"),
    "mlp, ternary": lambda: quantised(_set_flat(kind="mlp", width=5), "ternary", "channel"),
    "mlp, pruned": lambda: pruned(_set_flat(kind="mlp", width=5), 0.4),
    "gru": lambda: _set_flat(kind="gru", width=4),
    "conv of planes": lambda: _set_conv(PLANES),
    "conv of a picture": lambda: _set_conv(PICTURE),
    "conv of a window": lambda: _set_conv(WINDOW),
    "iteration of 4": lambda: _set_planner(kind="value_iteration"),
    "iteration of 6": lambda: _set_planner(kind="value_iteration", maps=6),
    "iteration of 4, 7 times": lambda: _set_planner(kind="value_iteration", iterations=7),
    "residual": _set_residual,
    "tree": _set_tree,
    "table": _set_table,
    "gaussian, clipped": lambda: _set_gaussian(False),
    "gaussian, squashed": lambda: _set_gaussian(True),
    "actor and critic": _set_actor_critic,
}
"""Students with set weights; the names are of these cases only."""

SOFTMAX = ("iteration of 4", "iteration of 6", "iteration of 4, 7 times")
"""Those whose exports hold what exp gave."""

IN_C = [name for name in SET if name not in ("iteration of 6", "residual", "table")]
COMPILED_IN_C = ("mlp", "gru", "conv of planes", "conv of a picture", "iteration of 4", "tree")
COMPILED_IN_C += ("gaussian, squashed",)
WITHOUT_TORCH = [name for name in SET if name != "residual"]
IN_ONNX = ("mlp", "gru", "conv of planes", "iteration of 4", "iteration of 6", "residual", "tree")
IN_ONNX += ("gaussian, squashed",)
"""One of each way; torch takes about a second for most."""


def _batch(name: str) -> np.ndarray:
    """Observations for a student; one agent in each maze."""
    rng = np.random.default_rng(23)
    if name == "conv of a picture":
        return rng.integers(0, 256, size=(12, *PICTURE), dtype=np.uint8)
    if name == "conv of a window":
        return _dyadic(rng, (12, *WINDOW))
    if name == "table":
        return _stored().rows.observations[:12]
    if name in ("conv of planes", "residual", *SOFTMAX):
        return _mazes_alone()[::3][:12]
    return _dyadic(rng, (12, INPUTS))


def _answers(policy: Any, batch: np.ndarray) -> np.ndarray:
    """Logits, or means and log deviations; of one that remembers, at three moments."""
    if hasattr(policy, "action_gaussian"):
        return np.concatenate(policy.action_gaussian(batch), axis=1)
    moments = 3 if hasattr(policy, "memory") else 1
    return np.concatenate([policy.action_logits(batch) for _ in range(moments)])


def _answered(name: str, policy: Any) -> Record:
    """Answers to a batch, and actions, which are alike unless two answers are."""
    batch = _batch(name)
    answers = _answers(policy, batch)
    if hasattr(policy, "memory"):
        policy.reset()
    actions = []
    for one in batch[:6]:
        actions.append(policy.act(one))
        if hasattr(policy, "memory"):
            policy.reset()
    whole = np.issubdtype(np.asarray(actions).dtype, np.integer)
    return combine(
        actions=exact(np.asarray(actions, dtype=np.int64)) if whole else close(actions, **ANSWERED),
        answers=close(summary(answers, 12), **ANSWERED),
    )


def _in_torch(name: str) -> Record:
    needs("torch")
    return _answered(name, SET[name]())


def _without_torch(name: str) -> Record:
    needs("torch")
    from dynamaze.distill.export.compiled import build_policy
    from dynamaze.distill.files.students import to_stored

    return _answered(name, build_policy(to_stored(SET[name]())))


def _file(name: str) -> Record:
    """A stored student: its arrays, whatever they are called and in whatever order.

    The header of the file is JSON with the names of kinds and weights, and stays out.
    """
    needs("torch")
    from dynamaze.distill.files.students import load_student, save_student

    student = SET[name]()
    with TemporaryDirectory() as folder:
        path = Path(folder, "student.safetensors")
        save_student(path, student)
        arrays = sorted(_arrays_in(path.read_bytes()))
        loaded = load_student(path)
    batch = _batch(name)
    same = bool((_answers(loaded, batch) == _answers(student, batch)).all())
    return exact(arrays, same)


def _arrays_in(content: bytes) -> Iterator[str]:
    """A digest of each array of a file of safetensors."""
    from safetensors.numpy import load

    for array in load(content).values():
        yield exact(array)["exact"]


def _rounded(name: str) -> Record:
    """Integers and scales."""
    needs("torch")
    parts = quantised_weights(SET[name]()).values()
    return exact([[part.integers, part.scales] for part in parts])


# -- C -----------------------------------------------------------------------------------------

NUMBER = r"(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[fF]?"
TOKEN = re.compile(rf"[A-Za-z_]\w*|{NUMBER}|\S")
OWN_WORDS = re.compile(
    "break|const|continue|define|do|double|else|endif|enum|expf|float|for|goto|if|ifndef|include|"
    "inline|int|long|return|sizeof|static|struct|switch|tanhf|unsigned|char|void|while|math|h|"
    "fminf|fmaxf|isnan"
)
"""Of C and its library."""


def _tokens(text: str) -> list[str]:
    """C without comments, in which each name is a number: the order in which it came first."""
    numbers: dict[str, str] = {}
    found = []
    for token in TOKEN.findall(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)):
        is_name = re.match(r"[A-Za-z_]", token) and not OWN_WORDS.fullmatch(token)
        found.append(numbers.setdefault(token, f"name{len(numbers)}") if is_name else token)
    return found


def _c_text(name: str) -> Record:
    """The C source: results of exp within a tolerance, all else exactly."""
    needs("torch")
    from dynamaze.distill.export.c_source.writer import export_c

    with TemporaryDirectory() as folder:
        path = Path(folder, "student.h")
        export_c(path, SET[name](), _batch(name)[0])
        tokens = _tokens(path.read_text())
    if name not in SOFTMAX:
        return combine(text=exact(tokens))
    floats = [token for token in tokens if re.fullmatch(NUMBER, token) and "f" in token]
    frame = ["float" if token in floats else token for token in tokens]
    numbers = [float(token.rstrip("f")) for token in floats]
    return combine(text=exact(frame), numbers=close(summary(numbers, 12), **ANSWERED))


def _c_answers(name: str) -> Record:
    needs("torch")
    needs_c_compiler()
    from dynamaze.distill.export.c_source.policy import CPolicy
    from dynamaze.distill.export.c_source.writer import export_c

    with TemporaryDirectory() as folder:
        path = Path(folder, "student.h")
        export_c(path, SET[name](), _batch(name)[0])
        return _answered(name, CPolicy(path))


# -- ONNX --------------------------------------------------------------------------------------


def _onnx(name: str) -> Record:
    """The graph, without names, and its answers.

    A network's graph is what this version of torch makes of it, and may change with torch.
    """
    needs("torch", "onnx", "onnxruntime", "onnxscript")
    import onnx

    from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    with TemporaryDirectory() as folder:
        path = Path(folder, "student.onnx")
        export_onnx(path, SET[name](), _batch(name)[0])
        model = onnx.load(path)
        answers = _answered(name, OnnxPolicy(path))
    tensors = list(_tensors_of(model.graph))
    versions = sorted((each.domain, each.version) for each in model.opset_import)
    numbers = [np.float64(each).ravel() for each in tensors]
    values = (
        close(summary(np.concatenate(numbers), 12), **ANSWERED)
        if name in SOFTMAX
        else exact(tensors)
    )
    return combine(
        graph=exact([[*pair] for pair in versions], list(_form_of(model.graph))),
        values=values,
        answers=answers,
    )


def _form_of(graph: Any) -> Iterable[Any]:
    """Operators with their settings, and shapes, in the graph's order; of loops those inside."""
    for value in (*graph.input, *graph.output):
        sides = value.type.tensor_type.shape.dim
        yield [value.type.tensor_type.elem_type, [side.dim_value for side in sides]]
    for tensor in graph.initializer:
        yield [tensor.data_type, list(tensor.dims)]
    for node in graph.node:
        yield [node.op_type, len(node.input), len(node.output)]
        for setting in sorted(node.attribute, key=lambda each: each.name):
            yield [setting.name, setting.i, list(setting.ints), np.float32(setting.f), setting.s]
            if setting.HasField("g"):
                yield list(_form_of(setting.g))


def _tensors_of(graph: Any) -> Iterator[np.ndarray]:
    """The constants of a graph."""
    from onnx import numpy_helper

    for tensor in graph.initializer:
        yield numpy_helper.to_array(tensor)
    for node in graph.node:
        for setting in node.attribute:
            if setting.HasField("t"):
                yield numpy_helper.to_array(setting.t)
            yield from [np.array(setting.floats)] if setting.floats else []
            if setting.HasField("g"):
                yield from _tensors_of(setting.g)


# -- all ---------------------------------------------------------------------------------------

THREE, BOX = spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,), np.float32)

CASES: dict[str, Callable[[], Record]] = {
    "train linear": lambda: _train(lambda: make_student(kind="linear", **FLAT)),
    "train mlp": lambda: _train(lambda: make_student(kind="mlp", **FLAT, width=5, layers=2)),
    "train conv of planes": lambda: _train_on_mazes(
        kind="conv", observation_shape=PLANES, num_actions=4, channels=3
    ),
    "train conv of a picture": lambda: _train_on_frames(PICTURE),
    "train conv of a window": lambda: _train_on_frames(WINDOW, layers=3),
    "train residual": lambda: _train_on_mazes(kind="residual", channels=3, blocks=2),
    "train iteration of 4": lambda: _train_on_mazes(kind="value_iteration"),
    "train iteration of 6": lambda: _train_on_mazes(kind="value_iteration", maps=6, seed=1),
    "train rounded iteration": lambda: _train_on_mazes(
        kind="value_iteration", bits=8, granularity="tensor"
    ),
    "train gru": _train_recurrent,
    "train actor and critic": _train_actor_critic,
    "train gaussian, clipped": lambda: _train_gaussian(False),
    "train gaussian, squashed": lambda: _train_gaussian(True),
    "train 8 bits": lambda: _train_rounded(8, "channel"),
    "train 4 bits": lambda: _train_rounded(4, "tensor"),
    "train ternary": lambda: _train_rounded("ternary", "channel"),
    "train pruned, each tensor": lambda: _train_pruned("tensor"),
    "train pruned, all together": lambda: _train_pruned("student"),
    "train a module": _train_module,
    "train several": _train_several,
    "train by loss 1": lambda: _train_flat("nll"),
    "train by loss 2": lambda: _train_flat("mse", clip=0.1),
    "train by loss 3": lambda: _train_flat("reverse_kl", progress_from=0.5),
    "train by loss 4": lambda: _train_flat(lambda: kl(2.0, hard=0.25), seed=5),
    "train by loss 5": lambda: _train_flat(lambda: weighted("kl", margin, 0.2)),
    "train by loss 6": lambda: _train_flat(lambda: weighted("mse", criticality)),
    "restarts": _restarts,
    "fit table": lambda: _fit("table", None),
    "fit tree": lambda: _fit("tree", "sklearn"),
    "losses": _losses,
    "losses along paths": _driven,
    "proximal, discrete": lambda: _proximal(THREE, _logits, 0.7),
    "proximal, continuous": lambda: _proximal(BOX, _Gaussian(), 0.7),
    "play teacher": lambda: _play(),
    "play student": lambda: _play(student=_Uneven(), beta=0.0),
    "play both, by step": lambda: _play(student=_Uneven(), beta=0.5, steps_per_batch=2),
    "play both, by episode": lambda: _play(student=_Uneven(), beta=PerEpisode(linear_schedule())),
    "play best": lambda: _play(student=_Uneven(), beta=0.3, deterministic=True),
    "play sequences": lambda: _play(sequence_length=4, batch_size=5),
    "play part": lambda: _play(observation_fn=lambda seen: seen[:, :1] * 0.5),
    "play continuous": _play_continuous,
    "dataset": _dataset,
    "collect": _collected,
    "fresh": _fresh,
    "several teachers": _several_teachers,
    "evaluate": _evaluated,
}
CASES |= {f"torch {name}": partial(_in_torch, name) for name in SET}
CASES |= {f"numba {name}": partial(_without_torch, name) for name in WITHOUT_TORCH}
CASES |= {f"file {name}": partial(_file, name) for name in SET}
CASES |= {f"integers {name}": partial(_rounded, f"mlp, {name}") for name in ("8 bits", "4 bits")}
CASES |= {"integers ternary": partial(_rounded, "mlp, ternary")}
CASES |= {f"c {name}": partial(_c_text, name) for name in IN_C}
CASES |= {f"c answers {name}": partial(_c_answers, name) for name in COMPILED_IN_C}
CASES |= {f"onnx {name}": partial(_onnx, name) for name in IN_ONNX}
