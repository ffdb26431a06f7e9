"""Codistillation of worker processes, which exchange weights through a folder."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dynamaze.distill.files.students import load_student
from dynamaze.distill.methods.codistillation import Codistillation
from dynamaze.distill.methods.exchange import WeightExchange
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.processes import run_processes

from .small_data import ACTIONS, SHAPE, FixedSource, bits, mlps

STEPS = 8

# Worker processes need not find the folder of the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
cloudpickle.register_pickle_by_value(sys.modules[FixedSource.__module__])


def worker(folder: Path, name: str, peers: str, steps: int = STEPS, **settings: Any) -> Distiller:
    sources = {name: FixedSource(ord(name)), "shared": FixedSource(0, labelled=False)}
    method = Codistillation(every=2, folder=folder, peers=tuple(peers), **settings)
    students = {name: MLP(SHAPE, ACTIONS, 5, seed=ord(name))}
    return Distiller(students, sources, method, total_steps=steps, learning_rate=0.05)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_exchange_drops_a_worker_that_does_not_change(tmp_path: Path) -> None:
    clock, student = Clock(), MLP(SHAPE, ACTIONS, 5)
    own = WeightExchange(tmp_path, "a", ["b"], patience=10, clock=clock)
    other = WeightExchange(tmp_path, "b", ["a"], patience=10)
    assert own.news("b", student) is None
    assert not own.is_active("b")
    other.publish(student, 0, 9)
    weights = own.news("b", student)
    assert weights is not None
    assert {key: array.tolist() for key, array in weights.items()} == {
        key: array.tolist() for key, array in student.state_dict().items()
    }
    clock.now = 10.0
    assert own.news("b", student) is None
    assert own.is_active("b")
    clock.now = 10.1
    assert not own.is_active("b")
    other.publish(student, 3, 9)  # it goes on
    assert own.news("b", student) is not None
    assert own.is_active("b")
    other.publish(student, 9, 9)
    own.news("b", student)
    clock.now = 1000.0
    assert own.is_active("b")  # it has finished


def test_workers_in_turn_learn_from_each_other(tmp_path: Path) -> None:
    one, other = worker(tmp_path, "a", "b"), worker(tmp_path, "b", "a")
    steps = one.steps(), other.steps()
    other.method._exchange.publish(other.student, 0, STEPS)  # type: ignore[attr-defined]  # or a waits
    terms = [next(steps[0]).terms]
    (tmp_path / "b.safetensors").unlink()
    for _ in range(STEPS - 1):
        terms += [next(steps[1]).terms, next(steps[0]).terms]
    next(steps[1])
    assert all(len(each) == 2 for each in terms)  # labels and peers
    # The last exchange but the final files was before step 7.
    assert bits(load_student(tmp_path / "a.safetensors")) != bits(other.parts["copy of a"].module)
    assert [*steps[0], *steps[1]] == []
    assert bits(load_student(tmp_path / "a.safetensors")) == bits(one.student)


def test_worker_resumes_bit_identically(tmp_path: Path) -> None:
    peer = WeightExchange(tmp_path, "b", ["a"], patience=10)
    peer.publish(mlps("b")["b"], 9, 9)
    whole = worker(tmp_path, "a", "b").distil()
    (tmp_path / "a.safetensors").unlink()
    worker(tmp_path, "a", "b").distil(3).save(tmp_path / "loop.npz")
    resumed = worker(tmp_path, "a", "b").resume(tmp_path / "loop.npz").distil()
    assert bits(resumed.student) == bits(whole.student)


def train_until_killed(folder: Path) -> None:
    def kill(step: Any) -> None:
        if step.step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    worker(folder, "b", "a").distil(callback=kill)


def test_worker_goes_on_when_another_is_killed(tmp_path: Path) -> None:
    first = WeightExchange(tmp_path, "a", ["b"], patience=10)
    first.publish(mlps("a")["a"], 0, STEPS)  # the other one waits for it
    codes = run_processes({"b": partial(train_until_killed, tmp_path)})
    assert codes == {"b": -signal.SIGKILL}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]
    (tmp_path / "a.safetensors").unlink()
    loop, terms, clock = worker(tmp_path, "a", "b"), [], Clock()
    loop.method._exchange._clock = clock  # type: ignore[attr-defined]
    for step in loop.steps():
        terms.append(set(step.terms))
        if step.step == 3:
            clock.now = 31.0
    assert terms == [{"a/soft", "a/peers"}] * 3 + [{"a/soft"}] * (STEPS - 3)


def test_worker_rejects(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="worker 'a' with the peers \\[\\]; expected at least one"):
        worker(tmp_path, "a", "")
    with pytest.raises(ValueError, match="worker 'a' with the peers \\['a'\\]; expected"):
        worker(tmp_path, "a", "a")
    with pytest.raises(ValueError, match="patience=0; expected"):
        worker(tmp_path, "a", "b", patience=0)
    with pytest.raises(ValueError, match=r"peers=\['b'\] without a folder"):
        Distiller(mlps("ab"), FixedSource(), Codistillation(peers="b"), total_steps=1)
    method = Codistillation(folder=tmp_path, peers="c")
    with pytest.raises(ValueError, match=r"students \['a', 'b'\] of a worker; expected one"):
        Distiller(mlps("ab"), FixedSource(), method, total_steps=1)
    peer = WeightExchange(tmp_path, "b", ["a"], patience=10)
    peer.publish(MLP(SHAPE, ACTIONS, 6), 0, 9)
    with pytest.raises(ValueError, match=r"b\.safetensors has a student .*'width': 6.*; expected"):
        worker(tmp_path, "a", "b").distil()
    with pytest.raises(FileExistsError, match=r"a\.safetensors exists, from another training"):
        worker(tmp_path, "a", "b").distil()
    (tmp_path / "a.safetensors").unlink()
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"b\.safetensors is not a whole safetensors file"):
        worker(tmp_path, "a", "b").distil()
