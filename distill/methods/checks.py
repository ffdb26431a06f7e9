"""Conformance suite of distillation methods.

    from dynamaze.distill import check_method

    check_method(MyMethod)

Each check trains small students for a few steps, about a second in all.
"""

from __future__ import annotations

import copy
import dataclasses
import random  # noqa: TID251  # to check that nothing draws from it
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.conformance import Check, CheckError, Report, Suite, collect, needs, require
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice

from ..data.source import BatchSource, FunctionSource
from ..students.base import Student
from ..students.composite import ActorCritic, GaussianStudent
from ..students.mlp import MLP
from ..students.quantise import quantised
from ..students.residual import Residual
from ..students.value_iteration import ValueIterationNetwork
from ..training.distiller import Distiller
from ..training.method import Method, Update

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402

STEPS = 6
"""Training steps of a check; a checkpoint is written after a third."""

INPUTS, ACTIONS, ROWS = 6, 3, 16
SIDE, MAZES = 5, 4

REFUSALS = (TypeError, ValueError)


class MethodCheckError(CheckError):
    """A method failed a check; the message is the whole report."""


class MethodSetting(NamedTuple):
    """Students, teacher and source of a check."""

    kind: str  # of the students, a key of `SETTINGS`
    students: dict[str, Student]  # "a" and "b"
    teacher: Any  # a network, or a function from observations to logits
    source: BatchSource


MakeLoop = Callable[[Method, MethodSetting], Distiller]
"""Function that makes the loop of a check, for `STEPS` steps on the CPU."""


def make_loop(method: Method, setting: MethodSetting) -> Distiller:
    """Return the loop of a check: as `Distiller` makes it from the setting."""
    return Distiller(
        setting.students,
        setting.source if method.takes_source else None,
        method,
        teacher=setting.teacher,
        loss="gaussian_kl" if setting.kind == "gaussian" else "kl",
        total_steps=STEPS,
        learning_rate=0.01,
        device="cpu",
    )


# -- settings --------------------------------------------------------------------------------------


def _observations(rng: np.random.Generator, progress: float) -> Any:
    return rng.standard_normal((ROWS, INPUTS)).astype(np.float32)


def _planes(rng: np.random.Generator, progress: float) -> Any:
    """Return (mazes, 3, rows, cols) walls, agent and goal: the agent and the goal are elsewhere."""
    planes = np.zeros((MAZES, 3, SIDE, SIDE), dtype=np.float32)
    planes[:, 0] = rng.random((MAZES, SIDE, SIDE)) < 0.2
    for plane in planes:
        agent, goal = rng.choice(SIDE * SIDE, size=2, replace=False)
        plane[0].flat[[agent, goal]] = 0
        plane[1].flat[agent] = plane[2].flat[goal] = 1
    return planes


def _function(observations: Any) -> Any:
    """Return logits without a network: what a planner or a table gives."""
    flat = np.asarray(observations).reshape(len(observations), -1)
    return np.stack([flat[:, i] - flat[:, i + 1] for i in range(ACTIONS)], axis=1)


def _mlp(width: int, seed: int) -> MLP:
    return MLP((INPUTS,), ACTIONS, width, seed=seed)


def _gaussian(width: int, seed: int) -> GaussianStudent:
    return GaussianStudent(MLP((INPUTS,), 4, width, seed=seed), -np.ones(2), np.ones(2))


def _setting(kind: str, students: list[Student], teacher: Any, sample: Any) -> MethodSetting:
    named = dict(zip("ab", students, strict=True))
    return MethodSetting(kind, named, teacher, FunctionSource(teacher, sample))


def mlp_setting() -> MethodSetting:
    """Return two perceptrons, and a larger one with values as their teacher."""
    teacher = ActorCritic(_mlp(24, 7), MLP((INPUTS,), 1, 8, seed=8))
    return _setting("mlp", [_mlp(4, 1), _mlp(5, 2)], teacher, _observations)


def function_setting() -> MethodSetting:
    """Return two perceptrons, and a function as their teacher."""
    return _setting("mlp", [_mlp(4, 1), _mlp(5, 2)], _function, _observations)


def quantised_setting() -> MethodSetting:
    """Return two perceptrons with weights of eight bits."""
    students: list[Student] = [quantised(_mlp(4, 1), 8), quantised(_mlp(5, 2), 8)]
    return _setting("quantised", students, _mlp(24, 7), _observations)


def value_iteration_setting() -> MethodSetting:
    """Return two value iteration networks, and a residual network as their teacher."""
    students: list[Student] = [ValueIterationNetwork(4, seed=1), ValueIterationNetwork(5, seed=2)]
    return _setting("value_iteration", students, Residual(8, 1, seed=7), _planes)


def gaussian_setting() -> MethodSetting:
    """Return two students of two continuous actions."""
    students: list[Student] = [_gaussian(4, 1), _gaussian(5, 2)]
    return _setting("gaussian", students, _gaussian(24, 7), _observations)


SETTINGS: dict[str, Callable[[], MethodSetting]] = {
    "mlp": mlp_setting,
    "value_iteration": value_iteration_setting,
    "quantised": quantised_setting,
    "gaussian": gaussian_setting,
}
"""Kind of the students -> function that makes their setting."""


@dataclasses.dataclass(frozen=True)
class MethodCase:
    """Factory of a method, of the loop, and of the setting of most checks."""

    factory: Callable[[], Method]
    loop: MakeLoop
    setting: Callable[[], MethodSetting]

    def make(self, method: Method | None = None) -> Distiller:
        """Return a new loop of the method, or of another."""
        return self.loop(method or self.factory(), self.setting())


# -- checks ----------------------------------------------------------------------------------------


def refuses_missing_needs(case: MethodCase) -> None:
    """A teacher without what the method needs is refused at construction, not in a step."""
    try:
        loop = case.loop(case.factory(), function_setting())
    except REFUSALS:
        return
    try:
        loop.distil()
    except Exception as error:
        raise AssertionError(
            f"with a function as the teacher the first steps raise {error!r}; expected a TypeError "
            "at construction: name what the method needs in `needs`"
        ) from None


def same_seed_gives_same_bits(case: MethodCase) -> None:
    """Two trainings from one seed give the same bits in every part."""
    _require_same(_bits(case.make().distil()), _bits(case.make().distil()), "run twice")


def resumes_to_same_bits(case: MethodCase) -> None:
    """Training that is saved after a third and resumed gives the bits of the whole."""
    whole, first, second = case.make(), case.make(), case.make()
    whole.distil()
    first.distil(STEPS // 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.npz")
        first.save(path)
        second.resume(path)
    resumed = _bits(second.distil())
    _require_same(_bits(first.distil()), resumed, "saved after a third, continued and resumed")
    # Sources with an environment begin new episodes at a save, so that only the saved one counts.
    if not any(hasattr(source, "env") for source in whole.sources.values()):
        _require_same(_bits(whole), resumed, "saved after a third and resumed")


def updates_only_named_parts(case: MethodCase) -> None:
    """A part that no update of a step names keeps its bits, unless the loop copies it."""
    loop = case.make()
    named: set[str] = set()
    _spy(loop, lambda update: named.update(update.of))
    for name in ("copy_weights", "restart"):
        _also(loop, name, lambda to, *args, **kwargs: named.add(to))
    before = _bits(loop)
    for _ in loop.steps():
        after = _bits(loop)
        changed = {name for name in after if not _same(before[name], after[name])}
        wrong = sorted(changed - named)
        require(not wrong, f"parts {wrong} changed in a step whose updates name {sorted(named)}")
        before = after
        named.clear()


def exports_only_students(case: MethodCase) -> None:
    """The students are those that were given, with the weights that they had, by name."""
    setting = case.setting()
    given = {name: set(student.state_dict()) for name, student in setting.students.items()}
    loop = case.loop(case.factory(), setting).distil()
    found = {name: set(student.state_dict()) for name, student in loop.students.items()}
    require(found == given, f"students with the weights {found}; expected {given}")


def terms_are_named_numbers(case: MethodCase) -> None:
    """Every update has terms, each a finite scalar with a name."""
    loop = case.make()

    def check(update: Update) -> None:
        require(update.terms, "an update without terms; expected at least one")
        for name, term in update.terms.items():
            what = f"term {name!r} of {update.of}"
            require(isinstance(name, str) and name, f"{what}; expected a name")
            require(isinstance(term, Tensor) and term.ndim == 0, f"{what}: expected a scalar")
            require(torch.isfinite(term), f"{what} is {term}; expected a finite number")

    _spy(loop, check)
    updates = 0
    for step in loop.steps():
        updates += len(step.terms)
    require(updates, "no update in any step; expected at least one")


@needs("weight")
def weight_zero_is_the_default(case: MethodCase) -> None:
    """With its `weight` 0 the method gives the bits of the default."""
    method: Any = case.factory()
    without = case.make(dataclasses.replace(method, weight=0.0)).distil()
    default = case.make(Method()).distil()
    students = {name: _bits(default)[name] for name in default.students}
    found = {name: _bits(without)[name] for name in default.students}
    _require_same(students, found, "the default, and the method with weight 0")


def touches_no_global_random_state(case: MethodCase) -> None:
    """The generators of `random`, NumPy and torch are left as they were."""

    def state() -> list[Any]:
        legacy = np.random.get_state()  # noqa: NPY002  # that is what is checked
        return [random.getstate(), repr(legacy), torch.get_rng_state().tolist()]

    loop = case.make()
    before = state()
    loop.distil()
    for name, one, other in zip(("random", "NumPy", "torch"), before, state(), strict=True):
        require(one == other, f"the global generator of {name} was drawn from; expected loop.rng")


def works_with_every_kind_of_student(case: MethodCase) -> None:
    """Each kind of student is trained, or refused at construction by a clear error."""
    for kind, make in SETTINGS.items():
        try:
            loop = case.loop(case.factory(), make())
        except REFUSALS as error:
            require("expected" in str(error), f"{kind} is refused by {error!r}; expected a reason")
            continue
        try:
            loop.distil(2)
        except Exception as error:
            raise AssertionError(
                f"students of kind {kind} raise {error!r} in a step; expected that they are "
                "trained, or refused at construction"
            ) from None


METHOD_CHECKS: Mapping[str, Check] = collect(
    refuses_missing_needs,
    same_seed_gives_same_bits,
    resumes_to_same_bits,
    updates_only_named_parts,
    exports_only_students,
    terms_are_named_numbers,
    weight_zero_is_the_default,
    touches_no_global_random_state,
    works_with_every_kind_of_student,
)
"""Name -> check."""

_SUITE = Suite("method", {}, METHOD_CHECKS, MethodCheckError)


def method_report(
    factory: Callable[[], Method],
    *,
    loop: MakeLoop = make_loop,
    setting: str | Callable[[], MethodSetting] = "mlp",
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Run the checks and return their results.

    Args:
        factory: returns a new method at each call; a class without required settings is one.
        loop: makes the loop of a check, for methods that need another source or teacher.
        setting: students, teacher and source of most checks, a key of `SETTINGS` or a function.
        expected_failures: check -> reason of its failure.

    Raises:
        ValueError: for an unknown check or setting.
    """
    has_weight = any(field.name == "weight" for field in _fields(factory()))
    if not callable(setting):
        setting = SETTINGS[checked_choice("setting", setting, SETTINGS)]
    case = MethodCase(factory, loop, setting)
    abilities = frozenset({"weight"} if has_weight else ())
    return _SUITE.report(case, abilities, frozenset(), expected_failures)


def check_method(
    factory: Callable[[], Method],
    *,
    loop: MakeLoop = make_loop,
    setting: str | Callable[[], MethodSetting] = "mlp",
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Check a distillation method; see `method_report`.

    Raises:
        MethodCheckError: (an AssertionError) if a check failed; its message is the report.
        ValueError: for an unknown check or setting.
    """
    options: dict[str, Any] = {
        "loop": loop,
        "setting": setting,
        "expected_failures": expected_failures,
    }
    return _SUITE.passed(method_report(factory, **options))


# -- helpers ---------------------------------------------------------------------------------------

Bits = dict[str, dict[str, Any]]


def _fields(method: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(method) if dataclasses.is_dataclass(method) else ()


def _bits(loop: Distiller) -> Bits:
    """Return the weights of every part, copied."""
    return {
        name: {key: copy.deepcopy(weight) for key, weight in part.module.state_dict().items()}
        for name, part in loop.parts.items()
    }


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def _require_same(one: Bits, other: Bits, what: str) -> None:
    require(one.keys() == other.keys(), f"{what}: parts {list(one)} and {list(other)}")
    different = sorted(name for name in one if not _same(one[name], other[name]))
    require(not different, f"{what}: other bits in {different}; expected the same")


def _spy(loop: Distiller, see: Callable[[Update], None]) -> None:
    """Call a function with each update before it is applied."""
    step = loop.method.step

    def spied(loop: Any) -> Iterator[Update]:
        for update in step(loop):
            see(update)
            yield update

    setattr(loop.method, "step", spied)  # noqa: B010  # mypy: a method is replaced


def _also(loop: Distiller, name: str, see: Callable[..., Any]) -> None:
    """Call a function whenever a method of the loop is called."""
    method = getattr(loop, name)

    def both(*args: Any, **kwargs: Any) -> Any:
        see(*args, **kwargs)
        return method(*args, **kwargs)

    setattr(loop, name, both)
