"""Deep mutual learning and codistillation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.codistillation import Codistillation
from dynamaze.distill.methods.mutual import SHARED, Mutual
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller, TrainingStep

from .small_data import ACTIONS, SHAPE, FixedSource, bits, divergence, log_softmax, mlps


def loop_of(students: Any, source: Any, method: Any, steps: int = 4, **settings: Any) -> Distiller:
    return Distiller(students, source, method, total_steps=steps, learning_rate=0.01, **settings)


def first_step(loop: Distiller) -> TrainingStep:
    return next(loop.steps())


def test_peers_term_is_mean_divergence() -> None:
    students, source = mlps("abc"), FixedSource()
    answers = {name: log_softmax(each, source.observations) for name, each in students.items()}
    terms = first_step(loop_of(students, source, Mutual(weight=0.5))).terms
    assert set(terms) == {f"{name}/{term}" for name in "abc" for term in ("soft", "peers")}
    for name in "abc":
        expected = np.mean([divergence(answers[o], answers[name]) for o in "abc" if o != name])
        assert terms[f"{name}/peers"] == pytest.approx(0.5 * expected, rel=1e-5)


def test_identical_peers_have_no_divergence() -> None:
    same = {name: MLP(SHAPE, ACTIONS, 5, seed=1) for name in "ab"}
    terms = first_step(loop_of(same, FixedSource(labelled=False), "mutual")).terms
    assert list(terms) == ["a/peers", "b/peers"]
    assert max(map(abs, terms.values())) < 1e-6


def test_order_of_students_does_not_matter() -> None:
    one, other = mlps("abc"), dict(reversed(mlps("abc").items()))
    for students in (one, other):
        loop_of(students, FixedSource(), "mutual").distil()
    assert {name: bits(one[name]) for name in "abc"} == {name: bits(other[name]) for name in "abc"}


@pytest.mark.parametrize("method", [Mutual(weight=0), Codistillation(weight=0, every=1)])
def test_weight_zero_is_soft(method: Mutual) -> None:
    expected, found = mlps("ab"), mlps("ab")
    loop_of(expected, FixedSource(), "soft").distil()
    loop_of(found, FixedSource(), method).distil()
    assert [bits(each) for each in found.values()] == [bits(each) for each in expected.values()]


def test_students_have_shards_and_share_states() -> None:
    students = {"a": MLP(SHAPE, ACTIONS, 5, seed=1), "b": MLP(SHAPE, ACTIONS, 9, seed=2)}
    sources = {"a": FixedSource(1), "b": FixedSource(2), SHARED: FixedSource(3, labelled=False)}
    seen = {
        (name, source): log_softmax(students[name], sources[source].observations)
        for name in students
        for source in sources
    }
    terms = first_step(loop_of(students, sources, "mutual")).terms
    for name, other in (("a", "b"), ("b", "a")):
        labels = sources[name].logits
        labels = labels - np.log(np.exp(labels).sum(axis=1, keepdims=True))
        assert terms[f"{name}/soft"] == pytest.approx(
            divergence(labels, seen[name, name]), rel=1e-4
        )
        assert terms[f"{name}/peers"] == pytest.approx(
            divergence(seen[other, SHARED], seen[name, SHARED]), rel=1e-4
        )
    assert [each.draws for each in sources.values()] == [1, 1, 1]


def test_peers_answer_own_batches_without_shared_states() -> None:
    students, sources = mlps("ab"), {"a": FixedSource(1), "b": FixedSource(2)}
    one, other = (log_softmax(each, sources["a"].observations) for each in students.values())
    terms = first_step(loop_of(students, sources, "mutual")).terms
    assert terms["a/peers"] == pytest.approx(divergence(other, one), rel=1e-4)


def test_weight_zero_draws_no_shared_states() -> None:
    sources = {"a": FixedSource(1), "b": FixedSource(2), SHARED: FixedSource(3)}
    loop_of(mlps("ab"), sources, Mutual(weight=lambda progress: float(progress >= 0.5))).distil()
    assert [each.draws for each in sources.values()] == [4, 4, 2]


def test_gaussian_peers_learn() -> None:
    students = {
        name: GaussianStudent(MLP(SHAPE, 2, 5, seed=seed), [-1], [1])
        for seed, name in enumerate("ab")
    }
    source = FixedSource(labelled=False)
    losses: list[float] = []
    loop_of(students, source, "mutual", 20).distil(callback=lambda s: losses.append(s.losses["a"]))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("students", "source", "method", "message"),
    [
        (mlps("a"), FixedSource(), "mutual", "Mutual with 1 student; expected at least 2"),
        (mlps("a"), FixedSource(), "codistillation", "Codistillation with 1 student"),
        (mlps("ab"), FixedSource(), Mutual(weight=-1), "weight=-1; expected"),
        (mlps("ab"), FixedSource(), Codistillation(every=0), "every=0; expected"),
        (
            mlps("ab"),
            {"a": FixedSource(), "c": FixedSource()},
            "mutual",
            r"sources \['a', 'c'\] of Mutual; expected one, or one for each student, \['a', 'b'\]",
        ),
        (
            {**mlps("a"), "b": MLP(SHAPE, ACTIONS + 1)},
            FixedSource(labelled=False),
            "mutual",
            "Mutual with students of .* outputs; expected the same of each",
        ),
        (
            {**mlps("a"), "b": GaussianStudent(MLP(SHAPE, 4), [-1, -1], [1, 1])},
            FixedSource(labelled=False),
            "mutual",
            "gaussian.*; expected the same of each",
        ),
    ],
)
def test_mutual_rejects(students: Any, source: Any, method: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loop_of(students, source, method)


# -- codistillation --------------------------------------------------------------------------------


def test_codistillation_of_every_step_is_mutual() -> None:
    expected, found = mlps("abc"), mlps("abc")
    loop_of(expected, FixedSource(), "mutual").distil()
    loop_of(found, FixedSource(), Codistillation(every=1)).distil()
    assert [bits(each) for each in found.values()] == [bits(each) for each in expected.values()]


def test_copies_are_some_steps_old() -> None:
    loop = loop_of(mlps("ab"), FixedSource(), Codistillation(every=3), 5)
    history = [bits(loop.students["a"])]
    for step in loop.steps():
        # Step 4 is the first one after the second copy, which is of the weights after step 3.
        expected = history[3 if step.step > 3 else 0]
        assert bits(loop.parts["copy of a"].module) == expected
        history.append(bits(loop.students["a"]))
    assert len(set(history)) == 6


def test_codistillation_resumes_bit_identically(tmp_path: Path) -> None:
    def make() -> Distiller:
        return loop_of(mlps("ab"), FixedSource(), Codistillation(every=3), 9)

    whole, begun = make().distil(), make().distil(4)
    begun.save(tmp_path / "loop.npz")
    resumed = make().resume(tmp_path / "loop.npz").distil()
    for name, part in whole.parts.items():
        assert bits(resumed.parts[name].module) == bits(part.module)


@pytest.mark.parametrize("method", [Mutual, Codistillation])
def test_method_keeps_promises(method: Any) -> None:
    check_method(method)
