"""Runner: what it runs and stores, failures, claims of other processes, and plans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.running import runner as runner_module
from dynamaze.benchmarks.harness.running.live_view import SweepProgress
from dynamaze.benchmarks.harness.running.runner import (
    DryRunEnd,
    Runner,
    RunsFailedError,
    column,
    run_seed,
)
from dynamaze.benchmarks.harness.store.database import RunRecord, Store, encode_table

from .. import toy_sweeps as toy
from ..toy_sweeps import EXPECTED, ToyConfig, begun, values


@pytest.fixture
def config(tmp_path: Path) -> ToyConfig:
    marks = tmp_path / "marks"
    marks.mkdir()
    return ToyConfig(marks=marks)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "runs.sqlite") as store:
        yield store


class RecordingView:
    """View that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, progress: SweepProgress) -> None:
        self.lines.append(progress.line().partition(" runs")[0])

    update = end = begin


def test_runner_returns_tables_in_order(config: ToyConfig) -> None:
    results = Runner().run(toy.trial, config)
    assert values(results) == EXPECTED
    np.testing.assert_array_equal(results[1][3]["value"], [30, 10 / 3])


def test_run_seed_is_spawned_seed() -> None:
    spawned = np.random.SeedSequence(5).spawn(3)
    assert run_seed(5, 2).generate_state(4).tolist() == spawned[2].generate_state(4).tolist()


def test_runner_runs_only_missing(config: ToyConfig, store: Store) -> None:
    runner = Runner(store=store)
    few = replace(config, factors=(1,), runs=2)
    runner.run(toy.trial_marking, few)
    assert set(begun(config)) == {"1_0", "1_1"}
    assert values(runner.run(toy.trial_marking, config)) == EXPECTED
    assert values(runner.run(toy.trial_marking, few)) == [[0, 1]]
    assert begun(config) == {f"{factor}_{number}": 1 for factor in (1, 10) for number in range(4)}


def test_runner_reruns_for_other_options(config: ToyConfig, store: Store) -> None:
    runner = Runner(store=store)
    runner.run(toy.trial, config)
    assert values(runner.run(toy.trial, replace(config, seed=7)))[0] == [7, 8, 9, 10]


def test_runner_begins_with_each_setting(
    config: ToyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[tuple[int, int]] = []

    def trial(config: ToyConfig, factor: int, number: int) -> Table:
        order.append((factor, number))
        return toy.trial(config, factor, number)

    monkeypatch.setattr(runner_module, "code_digest", lambda *objects: "same")
    assert values(Runner().run(trial, config)) == EXPECTED
    assert order[:2] == [(1, 0), (10, 0)]
    assert order[2:] == [(1, 1), (1, 2), (1, 3), (10, 1), (10, 2), (10, 3)]


def test_runner_plan_counts_missing(config: ToyConfig, store: Store) -> None:
    runner = Runner(store=store)
    assert runner.plan(toy.trial, config).seconds is None
    runner.run(toy.trial, replace(config, factors=(1,), runs=2))
    plan = runner.plan(toy.trial, config)
    assert (plan.stored, plan.missing) == (2, 6)
    assert plan.seconds is not None


def test_plan_leaves_out_compilation(config: ToyConfig, store: Store) -> None:
    few = replace(config, factors=(1,), runs=3)
    runner = Runner(store=store, workers=2)
    runner.run(toy.trial, few)
    store._connection.execute("UPDATE runs SET seconds = CASE number WHEN 0 THEN 60 ELSE 2 END")
    assert runner.plan(toy.trial, replace(few, runs=7)).seconds == 4.0


def test_equal_settings_run_once(config: ToyConfig) -> None:
    twice = replace(config, factors=(1, 1))
    assert values(Runner().run(toy.trial_marking, twice)) == [EXPECTED[0], EXPECTED[0]]
    assert set(begun(config).values()) == {1}


def test_stopped_sweep_keeps_finished_runs(
    config: ToyConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(config: ToyConfig, factor: int, number: int) -> object:
        if factor == 10:
            raise KeyboardInterrupt
        return toy.trial_marking(config, factor, number)

    monkeypatch.setattr(runner_module, "code_digest", lambda *objects: "same")
    with pytest.raises(KeyboardInterrupt):
        Runner(store=store).run(stop, config)
    stored = sum(each.done for each in store.groups())
    before = sum(begun(config).values())
    assert 1 <= stored <= before
    assert values(Runner(store=store).run(toy.trial_marking, config)) == EXPECTED
    assert sum(begun(config).values()) == 8 + before - stored


def test_failing_run_stops_no_other(config: ToyConfig, store: Store) -> None:
    expected = (
        r"^1 of 8 runs of toy failed, first run 2 of 'factor 10': ValueError: run 2 cannot be run; "
        r"`dynamaze bench report --store .*` lists them, --retry-failed runs them again$"
    )
    with pytest.raises(RunsFailedError) as caught:
        Runner(store=store).run(toy.trial_failing, config)
    assert re.match(expected, str(caught.value))
    assert "toy_sweeps.py" in caught.value.__notes__[0]
    ((setting, failure),) = caught.value.failures
    assert (setting.arguments, failure.number) == ((10,), 2)
    assert failure.error.startswith("Traceback")
    assert "trial_failing" in failure.error
    kept = Runner(store=store).run(toy.trial_failing, config, failures="keep")
    assert values(kept) == [EXPECTED[0], [0, 10, None, 30]]


def test_failed_runs_are_retried_on_demand(
    config: ToyConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "code_digest", lambda *objects: "same")
    Runner(store=store).run(toy.trial_failing, config, failures="keep")
    assert values(Runner(store=store).run(toy.trial, config, failures="keep"))[1][2] is None
    assert values(Runner(store=store, retry_failed=True).run(toy.trial, config)) == EXPECTED


def test_runner_rejects_unknown_failures(config: ToyConfig) -> None:
    with pytest.raises(ValueError, match=r"failures='kep'.*did you mean 'keep'"):
        Runner().run(toy.trial, config, failures="kep")  # type: ignore[call-overload]


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 10**6}, {"run_limit": 0.0}])
def test_runner_rejects_numbers(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(options))}=.*; expected a (whole )?number"):
        Runner(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("outcome", [KeyboardInterrupt(), GeneratorExit(), SystemExit(3), None, {}])
def test_odd_outcomes_are_failures(outcome: object, config: ToyConfig) -> None:
    """Also Ctrl-C, which reaches no thread or process of an executor, but may be raised there."""

    def trial(config: ToyConfig, factor: int, number: int) -> Table:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[return-value]

    with ThreadPoolExecutor(1) as executor:
        runner = Runner(executor=executor)
        assert values(runner.run(trial, config, failures="keep")) == [[None] * 4] * 2


def test_interrupted_run_ends_sweep(config: ToyConfig) -> None:
    def trial(config: ToyConfig, factor: int, number: int) -> Table:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner().run(trial, config)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"other": np.zeros(2)}, "run 1 has no column 'value'; it has other"),
        ({"value": np.zeros(3)}, r"column 'value' of run 1 has shape \(3,\); expected \(2,\)"),
    ],
)
def test_column_names_odd_run(table: Table, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        column([{"value": np.zeros(2)}, table], "value")


def test_damaged_run_is_run_again(config: ToyConfig, store: Store) -> None:
    Runner(store=store).run(toy.trial_marking, config)
    store._execute("UPDATE runs SET body = x'00' WHERE number = 3")
    with pytest.warns(RuntimeWarning, match="2 damaged runs of toy are run again"):
        assert values(Runner(store=store).run(toy.trial_marking, config)) == EXPECTED
    assert begun(config)["10_3"] == 2


def test_claimed_runs_are_waited_for(
    config: ToyConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another driver has two runs: it records one of them, and gives the other one back."""
    monkeypatch.setattr(runner_module, "code_digest", lambda *objects: "same")
    assert store.path is not None
    other = Store(store.path)
    view = RecordingView()
    runner = Runner(store=store, view=view)
    first = Runner(store=other).run(toy.trial, replace(config, factors=(1,), runs=1))
    (group,) = (each.id for each in store.groups())
    assert other.claim(group, [1, 2]) == [1, 2]

    def sleep(seconds: float) -> None:
        """Take the place of `time.sleep`: the other driver ends here."""
        record = encode_table(first[0][0])
        other.record(group, [RunRecord(1, record)])
        other.close()

    monkeypatch.setattr(runner_module.time, "sleep", sleep)
    results = runner.run(toy.trial_marking, replace(config, factors=(1,)))
    assert values(results)[0][1] == values(first)[0][0]
    assert set(begun(config)) == {"1_2", "1_3"}
    assert view.lines[-1] == "toy: 4 of 4"


def test_dry_run_tells_plan(config: ToyConfig, store: Store) -> None:
    runner = Runner(store=store, dry_run=True)
    with pytest.raises(DryRunEnd, match=r"^toy: 0 runs are stored, 8 are missing; their duration"):
        runner.run(toy.trial_marking, config)
    assert not begun(config)
    Runner(store=store).run(toy.trial_failing, replace(config, runs=3), failures="keep")
    store._execute("UPDATE runs SET seconds = 60")
    with pytest.raises(DryRunEnd) as caught:
        runner.run(toy.trial_failing, config)
    assert str(caught.value) == (
        "toy: 5 runs are stored, 1 failed, 2 are missing; about 2:00 with 1 worker"
    )


def test_dry_run_reads_complete_sweep(config: ToyConfig, store: Store) -> None:
    Runner(store=store).run(toy.trial, config)
    assert values(Runner(store=store, dry_run=True).run(toy.trial, config)) == EXPECTED


def test_sweep_is_recorded(config: ToyConfig, store: Store) -> None:
    runner = Runner(store=store)
    runner.run(toy.trial, config)
    (sweep,) = store.sweeps("toy")
    assert (sweep.ended, len(sweep.group_ids)) == (None, 2)
    runner.end_sweeps({"toy": {"n": np.array([1])}}, title="Toy")
    (sweep,) = store.sweeps("toy")
    assert sweep.ended is not None
    assert sweep.title == "Toy"
