"""Unlabelled states weighted by the teacher's confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dynamaze.distill.methods.checks import MethodSetting, check_method, make_loop
from dynamaze.distill.methods.confidence_weighted import ConfidenceWeighted
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method

from .small_data import SHAPE, FixedSource, bits, log_softmax, mlps


def teacher(observations: Any) -> Any:
    """Return logits of which the first observation's are equal, so that the margin is 0."""
    logits = 2 * observations[:, :3]
    logits[0] = 0
    return logits


def loop_of(method: Any, students: Any = None, **settings: Any) -> Distiller:
    sources = {"labelled": FixedSource(1), "unlabelled": FixedSource(2, labelled=False)}
    settings = {"teacher": teacher, "source": sources, **settings}
    return Distiller(students or mlps("ab"), method=method, total_steps=4, **settings)


@pytest.mark.parametrize("confidence", ["margin", "criticality", "none"])
def test_loss_is_scaled_by_confidence(confidence: str) -> None:
    loop = loop_of(ConfidenceWeighted(weight=0.5, confidence=confidence))
    observations = loop.sources["unlabelled"].observations
    logits = teacher(observations)
    labels = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    best = np.sort(np.exp(labels), axis=1)
    factors = {
        "margin": best[:, -1] - best[:, -2],
        "criticality": logits.max(axis=1) - logits.min(axis=1),
        "none": np.ones(len(logits)),
    }[confidence]
    assert (factors[0] == 0) == (confidence != "none")
    own = log_softmax(loop.students["a"], observations)
    losses = (np.exp(labels) * (labels - own)).sum(axis=1)
    terms = next(loop.steps()).terms
    assert set(terms) == {f"{n}/{term}" for n in "ab" for term in ("soft", "unlabelled")}
    assert terms["a/unlabelled"] == pytest.approx(0.5 * (factors * losses).mean(), rel=1e-4)


def test_weight_zero_is_soft() -> None:
    expected = loop_of("soft").distil().students
    loop = loop_of(ConfidenceWeighted(weight=0)).distil()
    assert [bits(each) for each in loop.students.values()] == [
        bits(each) for each in expected.values()
    ]
    assert loop.sources["unlabelled"].draws == 0


def test_confidence_weighted_rejects() -> None:
    with pytest.raises(ValueError, match=r"sources \['source'\] of ConfidenceWeighted; expected"):
        loop_of("confidence_weighted", source=FixedSource())
    with pytest.raises(TypeError, match="ConfidenceWeighted without a teacher; expected one"):
        loop_of("confidence_weighted", teacher=None)
    with pytest.raises(ValueError, match="confidence='sure'; expected one of"):
        loop_of(ConfidenceWeighted(confidence="sure"))
    with pytest.raises(ValueError, match="weight=-1; expected"):
        loop_of(ConfidenceWeighted(weight=-1))
    gaussian = {"a": GaussianStudent(MLP(SHAPE, 2), [-1], [1])}
    with pytest.raises(TypeError, match="confidence='margin' for continuous actions; expected 'no"):
        loop_of("confidence_weighted", gaussian)


def test_confidence_weighted_keeps_promises() -> None:
    def make(method: Method, setting: MethodSetting) -> Distiller:
        sources = {"labelled": setting.source, "unlabelled": setting.source}
        return make_loop(method, setting._replace(source=sources))  # type: ignore[arg-type]

    check_method(ConfidenceWeighted, loop=make)
