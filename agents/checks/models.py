"""Conformance suite of models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dynamaze.common.conformance import Check, Report, Suite, collect, needs, require

from ..models.protocol import CAPABILITIES
from . import learning
from . import model_accuracy as accuracy
from .environments import TERMINAL, CheckEnvironment, deterministic_rows
from .errors import ModelCheckError
from .learning import OTHER_ROWS, REJECTIONS, equal, require_unused_generators
from .model_accuracy import ModelCase


def check_model(factory: Callable[[CheckEnvironment], Any], **options: Any) -> Report:
    """Run every check on models of a factory, and raise an error if one fails.

    Args:
        factory: called with a `CheckEnvironment`, returns a new, untrained model, for example
            `lambda env: MyModel(env.num_states, env.num_actions)`.
        options: see `model_report`.

    Returns:
        The report, without failures.

    Raises:
        ModelCheckError: (an AssertionError) with the report, if a check failed.
    """
    return SUITE.passed(model_report(factory, **options))


def model_report(
    factory: Callable[[CheckEnvironment], Any],
    *,
    vectors: bool = False,
    promises: frozenset[str] | None = None,
    tolerance: float | None = None,
    repeats: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Return the results of every check on models of a factory.

    Args:
        factory: see `check_model`.
        vectors: if True observations are one-hot (batch, size) float64 vectors, otherwise (batch,)
            int64 states.
        promises: some of `PROMISES`; by default the model's attribute `promises`.
        tolerance: largest error of predictions; by default 1e-9, with vectors 0.1.
        repeats: number of times that a model of vectors is trained with each transition.
        expected_failures: check -> reason of its failure; if it passes, that is a failure.

    Raises:
        ValueError: for an unknown promise or check.
    """
    model = factory(CheckEnvironment(vectors))
    promised = frozenset(getattr(model, "promises", ())) if promises is None else promises
    case = ModelCase(
        factory,
        CheckEnvironment(vectors),
        tolerance if tolerance is not None else (0.1 if vectors else 1e-9),
        (20 if repeats is None else repeats) if vectors else 1,
        getattr(model, "adapts_within", 1),
    )
    has_state = hasattr(model, "get_state") and hasattr(model, "set_state")
    abilities = frozenset(model.capabilities) | ({"state"} if has_state else set())
    return SUITE.report(case, abilities, promised, expected_failures)


METHODS = {"sample": "sample", "predict": "predict", "distribution": "distribution"}


def capabilities_are_valid(case: ModelCase) -> None:
    """Declared capabilities exist, and have their methods."""
    model = case.make()
    unknown = sorted(set(model.capabilities) - set(CAPABILITIES))
    require(not unknown, f"declares {unknown}; expected some of {sorted(CAPABILITIES)}")
    for name, method in METHODS.items():
        has_it = name not in model.capabilities or callable(getattr(model, method, None))
        require(has_it, f"declares {name!r} but has no method {method}")


@needs("predict")
def predict_keeps_inputs(case: ModelCase) -> None:
    """`predict` does not modify its arguments."""
    observations, actions = case.env.observations([0, 1, 2]), np.array([2, 1, 0])
    before = observations.copy(), actions.copy()
    case.trained().predict(observations, actions)
    require(equal((observations, actions), before), "predict changed the arrays that it was given")


@needs("sample")
def samples_are_copies(case: ModelCase) -> None:
    """Modifying a sample does not change the model."""
    model, twin = case.trained(), case.trained()
    for seed in range(40):
        case.sample(twin, 1, seed)
        for column in case.sample(model, 1, seed):
            if column.flags.writeable:
                column[:] = 1
    require(
        equal(case.predictions(model), case.predictions(twin)),
        "writing into a sample changed the model",
    )


@needs("predict")
def predictions_are_copies(case: ModelCase) -> None:
    """Modifying a prediction does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    for row in deterministic_rows():
        for column in case.predict(model, row[0], row[1]):
            if isinstance(column, np.ndarray) and column.flags.writeable:
                column[...] = 1
    require(equal(case.predictions(model), before), "writing into a prediction changed the model")


@needs("sample")
def sample_does_not_learn(case: ModelCase) -> None:
    """Sampling does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    case.sample(model, 200, 3)
    require(equal(case.predictions(model), before), "sample changed the model")


@needs("predict")
def predict_does_not_learn(case: ModelCase) -> None:
    """Predicting does not change the model."""
    model = case.trained()
    before = case.predictions(model)
    for _ in range(5):
        after = case.predictions(model)
    require(equal(after, before), "predict changed the model")


@needs("sample")
def empty_model_raises(case: ModelCase) -> None:
    """Sampling before the first update raises RuntimeError."""
    try:
        drawn = case.sample(case.make(), 1)
    except RuntimeError:
        return
    except Exception as error:
        raise AssertionError(
            f"sample of an empty model raised {error!r}; expected RuntimeError"
        ) from error
    raise AssertionError(f"sample of an empty model gave {drawn}; expected RuntimeError")


def models_share_no_state(case: ModelCase) -> None:
    """Two models share no state."""
    model, other = case.trained(), case.make()
    before = _all_predictions(case, model)
    case.train(other, [(0, 0, 1.0, 3, False), (1, 1, 1.0, 1, False)] * 3)
    require(equal(_all_predictions(case, model), before), "updating one model changed another")


def _all_predictions(case: ModelCase, model: object) -> object:
    if "predict" not in model.capabilities:  # type: ignore[attr-defined]
        return case.predictions(model)
    return [list(case.predict(model, row[0], row[1])) for row in deterministic_rows()]


@needs("sample")
def sample_is_reproducible(case: ModelCase) -> None:
    """Equal generators give equal samples."""
    model = case.trained()
    left, right = case.sample(model, 60, 5), case.sample(model, 60, 5)
    require(equal(list(left), list(right)), "equal generators gave different samples")


@needs("sample")
def sample_depends_on_generator(case: ModelCase) -> None:
    """Different generators give different samples."""
    model = case.trained()
    samples = [list(case.sample(model, 60, seed)) for seed in (5, 6)]
    require(
        not equal(*samples),
        "different generators gave equal samples; expected all randomness to come from `rng`",
    )


@needs("sample")
def global_generators_are_unused(case: ModelCase) -> None:
    """Neither NumPy's nor Python's global generator is used."""
    require_unused_generators(lambda: case.sample(case.trained()))


@needs("sample")
def sample_has_n_rows(case: ModelCase) -> None:
    """Samples have 0, 1 and n rows."""
    model = case.trained()
    for n in (0, 1, 7):
        sizes = [len(column) for column in case.sample(model, n)]
        require(sizes == [n] * 5, f"sample({n}) gave columns of {sizes} rows")


@needs("sample")
def sample_dtypes(case: ModelCase) -> None:
    """Samples have the dtypes of the observations, int64, float64 and bool."""
    given, drawn = case.env.batch(deterministic_rows()), case.sample(case.trained(), 7)
    for name, expected, found in zip(drawn._fields, given, drawn, strict=True):
        require(
            found.dtype == expected.dtype, f"{name} is {found.dtype}; expected {expected.dtype}"
        )
        require(
            found.shape[1:] == expected.shape[1:], f"a row of {name} has shape {found.shape[1:]}"
        )


@needs("predict")
def prediction_shapes(case: ModelCase) -> None:
    """Predictions have 0, 1 and n rows, with float64 rewards and terminations."""
    model, rows = case.trained(), deterministic_rows()
    for n in (0, 1, 7):
        states, actions = [row[0] for row in rows[:n]], [row[1] for row in rows[:n]]
        observations = case.env.observations(states)
        found = model.predict(observations, np.array(actions, dtype=np.int64))
        for name, expected in (("reward", (n,)), ("terminated", (n,))):
            column = np.asarray(getattr(found, name))
            require(column.shape == expected, f"{name} of {n} pairs has shape {column.shape}")
            require(column.dtype == np.float64, f"{name} is {column.dtype}; expected float64")
        shape = np.shape(found.next_observation)
        require(shape == observations.shape, f"next_observation of {n} pairs has shape {shape}")


@needs("predict")
def predict_batch_equals_rows(case: ModelCase) -> None:
    """A batch of predictions equals its rows one by one."""
    model, rows = case.trained(), deterministic_rows()
    together = model.predict(
        case.env.observations([row[0] for row in rows]), np.array([row[1] for row in rows])
    )
    for i, row in enumerate(rows):
        alone = case.predict(model, row[0], row[1])
        for name in ("reward", "next_observation", "terminated"):
            left, right = getattr(together, name)[i], getattr(alone, name)[0]
            require(
                np.allclose(left, right, rtol=1e-5, atol=1e-6),  # networks compute in float32
                f"{name} of {row[:2]} is {left} in a batch and {right} alone",
            )


@needs("predict")
def invalid_pair_prediction_is_rejected(case: ModelCase) -> None:
    """Predictions of invalid pairs raise an error."""
    model = case.trained()
    for action in (case.env.num_actions, -1):
        try:
            case.predict(model, 0, action)
        except REJECTIONS:
            continue
        except Exception as error:
            raise AssertionError(f"predict with action {action} raised {error!r}") from error
        raise AssertionError(f"predict with action {action} returned; expected a ValueError")


@needs("state", "sample")
def state_restores_model(case: ModelCase) -> None:
    """A new model with the state of another continues identically."""
    model, other = case.trained(), case.make()
    other.set_state(model.get_state())
    _require_equal_models(case, model, other, "set_state(get_state())")


@needs("sample")
def deep_copy_is_independent(case: ModelCase) -> None:
    """A deep copy continues identically and independently."""
    model = case.trained()
    other = copy.deepcopy(model)
    before = case.predictions(model)
    case.train(copy.deepcopy(model), OTHER_ROWS * 3)
    require(equal(case.predictions(model), before), "updating a deep copy changed the model")
    _require_equal_models(case, model, other, "a deep copy")


def _require_equal_models(case: ModelCase, model: Any, other: Any, label: str) -> None:
    more = [(0, 1, 0.25, 2, False), (3, 0, 0.75, TERMINAL, True), (0, 1, 0.25, 3, False)]
    for _ in range(2):
        samples = [list(case.sample(each, 30, 8)) for each in (model, other)]
        require(equal(*samples), f"{label} gives different samples")
        require(
            equal(case.predictions(model), case.predictions(other)),
            f"{label} gives different predictions",
        )
        for each in (model, other):
            case.train(each, more)


CHECKS: dict[str, Check] = collect(
    capabilities_are_valid,
    learning.update_keeps_inputs,
    predict_keeps_inputs,
    learning.update_copies_inputs,
    samples_are_copies,
    predictions_are_copies,
    sample_does_not_learn,
    predict_does_not_learn,
    learning.empty_update_changes_nothing,
    empty_model_raises,
    models_share_no_state,
    sample_is_reproducible,
    sample_depends_on_generator,
    global_generators_are_unused,
    sample_has_n_rows,
    sample_dtypes,
    prediction_shapes,
    predict_batch_equals_rows,
    learning.update_batch_equals_rows,
    state_restores_model,
    learning.state_is_copy,
    learning.state_is_plain_data,
    deep_copy_is_independent,
    accuracy.deterministic_samples_are_exact,
    accuracy.deterministic_predictions_are_exact,
    accuracy.termination_is_predicted,
    accuracy.termination_is_sampled,
    accuracy.no_sample_from_terminal_state,
    accuracy.only_seen_pairs_are_sampled,
    accuracy.all_seen_pairs_are_sampled,
    accuracy.outcome_frequencies,
    accuracy.predicted_reward_is_mean,
    accuracy.update_order_is_irrelevant,
    accuracy.change_is_tracked,
    accuracy.visits_are_counted,
    accuracy.unseen_pairs_are_more_uncertain,
    accuracy.visits_do_not_add_uncertainty,
    learning.nan_reward_is_rejected,
    learning.infinite_reward_is_rejected,
    learning.invalid_action_is_rejected,
    learning.invalid_observation_is_rejected,
    learning.unequal_columns_are_rejected,
    learning.rejected_batch_changes_nothing,
    invalid_pair_prediction_is_rejected,
)
"""Name -> check, in the order of execution; each docstring states the promise."""

PROMISES = {
    "exact_when_deterministic": "predicts and samples a deterministic environment exactly",
    "represents_chance": "samples outcomes by their observed frequency",
    "order_does_not_matter": "learns the same from transitions in any order",
    "batch_as_rows": "learns the same from a batch as from its rows one by one",
    "samples_only_seen": "samples seen pairs only",
    "samples_all_seen": "samples every seen pair",
    "adapts": "tracks a change within `adapts_within` visits of the pair (by default 1)",
    "knows_uncertainty": "is less uncertain with more data (`pair_uncertainty` or `known`)",
}
"""Promises that a model may declare by its attribute `promises`."""

SUITE = Suite("model", PROMISES, CHECKS, ModelCheckError)
