"""Thread limits during learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents.learners import ProbabilisticEnsemble, gaussian_process, threads
from dynamaze.agents.learners.gaussian_process import GaussianProcess

threadpoolctl = pytest.importorskip("threadpoolctl", reason="limiting threads needs threadpoolctl")
torch = pytest.importorskip("torch", reason="limiting torch's threads needs torch")


@pytest.fixture
def two_threads() -> Any:
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        yield


def blas_threads() -> set[int]:
    found = threadpoolctl.threadpool_info()
    return {each["num_threads"] for each in found if each["user_api"] == "blas"}


def test_one_blas_thread_restores_number(two_threads: None) -> None:
    threads.one_blas_thread()  # loads all libraries there are
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with threads.one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_one_torch_thread_restores_number() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads.one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_limit_without_threadpoolctl(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    threads._controller.cache_clear()
    monkeypatch.setattr(threads, "import_module", missing)
    before = blas_threads()
    with threads.one_blas_thread():
        assert blas_threads() == before
    threads._controller.cache_clear()


@pytest.mark.parametrize("budget", [100, 5000])
def test_large_gaussian_process_limits_tuning_only(
    budget: int, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[int]] = {}

    def spy(name: str) -> None:
        original: Callable[..., Any] = getattr(GaussianProcess, name)

        def watched(self: Any, *arguments: Any) -> Any:
            seen[name] = blas_threads()
            return original(self, *arguments)

        monkeypatch.setattr(GaussianProcess, name, watched)

    tuned = gaussian_process.tune_hyperparameters

    def watched_tuning(*arguments: Any) -> Any:
        seen["tune_hyperparameters"] = blas_threads()
        return tuned(*arguments)

    monkeypatch.setattr(gaussian_process, "tune_hyperparameters", watched_tuning)
    spy("_append")
    spy("_correlation")
    before = blas_threads()
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    learner = GaussianProcess(2, 1, budget=budget)
    learner.update(x, np.sin(x[:, :1]))
    assert seen["tune_hyperparameters"] == {1}
    assert seen["_append"] == ({1} if budget == 100 else before)
    learner.predict(x)
    assert seen["_correlation"] == ({1} if budget == 100 else before)


def test_ensemble_learns_on_one_thread(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = ProbabilisticEnsemble(2, 1, members=2, hidden=(4,))
    seen = []
    original = learner.networks.differentiate

    def watched(*arguments: Any) -> float:
        seen.append(blas_threads())
        return original(*arguments)

    monkeypatch.setattr(learner.networks, "differentiate", watched)
    learner.update(np.ones((2, 2)), np.ones((2, 1)))
    learner.gradient_step()
    assert seen == [{1}] * 5
