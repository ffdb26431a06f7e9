"""The LoCA evaluation: its levels, its phases, its verdict, and the command on toy sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.runner import read_tables
from dynamaze.benchmarks.harness.table import Table, rows_where, stack
from dynamaze.benchmarks.studies.loca import command as loca
from dynamaze.benchmarks.studies.loca.agents import AGENTS
from dynamaze.benchmarks.studies.loca.command import LoCA, LoCAContinuous
from dynamaze.benchmarks.studies.loca.evaluation import (
    EpisodesLook,
    GridLook,
    evaluate_loca,
    live,
    make_look,
    verdict_of,
)
from dynamaze.benchmarks.studies.loca.exact_levels import exact_mdps, levels_of, sliced
from dynamaze.benchmarks.studies.loca.protocol import LifeInPhases, Protocol, run_seed
from dynamaze.envs.loca.tasks import ZONE

RIGHT, LEFT = 1, 3
SHORT = Protocol(steps=(200, 100, 100), every=50, runs=2)


class Knows:
    """Acts by the exact optimal policy of a task, and lives at random."""

    def __init__(self, world: Any, task: str, seed: int = 0) -> None:
        self.world = world
        self.rng = np.random.default_rng(seed)
        mdp = exact_mdps(world.unwrapped)[task]
        self.best = mdp.optimal_action_values(0.97).argmax(axis=1)
        self.observation: Any = None
        self.columns: list[int] = []

    def learn(self, total_timesteps: int) -> None:
        if self.observation is None:
            self.observation = self.world.reset(seed=4)[0]
        for _ in range(total_timesteps):
            self.columns.append(int(self.observation) % 27)
            taken = self.world.step(int(self.rng.integers(4)))
            self.observation = self.world.reset()[0] if taken[2] or taken[3] else taken[0]

    def predict(self, observation: Any, deterministic: bool = False) -> tuple[Any, None]:
        assert deterministic
        return self.best[observation], None


class Turncoat(Knows):
    """Knows what is optimal, and of the change once it has seen it."""

    def __init__(self, world: Any, seed: int) -> None:
        super().__init__(world, "A", seed)
        self.new = Knows(world, "B").best

    def learn(self, total_timesteps: int) -> None:
        if self.world.lived == 200:
            self.best = self.new
        super().learn(total_timesteps)


# -- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slip", "task", "optimum", "other"),
    [
        (0.25, "A", 2.596, 1.745),
        (0.25, "B", 1.295, 0.873),
        (0.0, "A", 2.846, 1.543),
        (0.0, "B", 1.423, 0.771),
    ],
)
def test_the_levels_are_exact(slip: float, task: str, optimum: float, other: float) -> None:
    protocol = Protocol(options={"slip_probability": slip})
    found = levels_of(exact_mdps(protocol.make_world()), task, 0.97, 40)
    assert found == pytest.approx((optimum, other), abs=5e-4)


@pytest.mark.parametrize("task", ["A", "B"])
def test_who_knows_the_other_task_gets_its_level(task: str) -> None:
    look = GridLook(SHORT)
    levels = levels_of(exact_mdps(SHORT.make_world()), task, 0.97, 40)
    world = SHORT.make_world()
    assert look(Knows(world, "AB"[task == "A"]), task) == pytest.approx(levels.other, abs=1e-12)
    best = look(Knows(world, task), task)
    assert levels.optimum - 2e-4 < best <= levels.optimum  # it does not count the 40 steps


def test_the_exact_look_is_the_mean_of_episodes() -> None:
    agent = Knows(SHORT.make_world(), "A")
    episodes = EpisodesLook(replace(SHORT, look_episodes=3000), 1)
    # Returns deviate by less than 0.9: a mean of 3000 is beyond 6 deviations once in 5e8 times.
    assert episodes(agent, "B") == pytest.approx(GridLook(SHORT)(agent, "B"), abs=0.1)


class Threshold:
    """Goes right from a column on, otherwise left."""

    def __init__(self, column: float) -> None:
        self.column = column

    def predict(self, observation: Any, deterministic: bool) -> tuple[int, None]:
        return (RIGHT if observation[1] >= self.column else LEFT), None


@pytest.mark.parametrize("task", ["A", "B"])
def test_the_levels_of_a_point_are_the_means_of_episodes(task: str) -> None:
    protocol = Protocol("continuous", look_episodes=800, options={"noise": 0.1})
    mdps = {name: sliced(name, 1.0, 0.1) for name in ("A", "B")}
    levels = levels_of(mdps, task, 0.97, 40)
    for name, level in ((task, levels.optimum), ("AB"[task == "A"], levels.other)):
        best = mdps[name].optimal_action_values(0.97).argmax(axis=1)
        first = int(np.flatnonzero(best == 1)[0])
        column = 1 + first / 20
        found = EpisodesLook(protocol, 3)(Threshold(column), task)
        # Returns deviate by less than 0.75: a mean of 800 is beyond 6 deviations once in 5e8 times.
        assert found == pytest.approx(level, abs=6 * 0.75 / 800**0.5)


def test_twice_as_many_slices_change_no_level() -> None:
    def levels(slices: int) -> list[Any]:
        mdps = {task: sliced(task, 1.0, 0.1, slices) for task in ("A", "B")}
        return [levels_of(mdps, task, 0.97, 40) for task in ("A", "B")]

    np.testing.assert_allclose(levels(5), levels(10), atol=0.03)
    np.testing.assert_allclose(levels(10), levels(20), atol=0.01)


def test_the_slices_of_a_point_make_a_process() -> None:
    mdp = sliced("A", 1.0, 0.3, 4)
    np.testing.assert_allclose(mdp.probability.sum(axis=2), 1.0, atol=1e-12)
    assert mdp.probability.min() >= 0
    zone = (ZONE - 1) * 4
    happens = mdp.probability[zone:] > 0
    assert (mdp.reward[zone:][happens] != 2).all()  # from the zone nobody reaches T2
    stays = happens & ~mdp.terminated[zone:]
    assert (mdp.next_state[zone:][stays] >= zone).all()
    assert set(np.unique(mdp.reward)) == {0.0, 2.0, 4.0}


# -- phases ------------------------------------------------------------------------------------


def test_a_life_goes_from_phase_to_phase_by_itself() -> None:
    world = LifeInPhases(SHORT.make_world(), SHORT)
    agent = Knows(world, "A")
    agent.learn(400)
    assert world.lived == 400
    assert set(agent.columns[200:300]) == {ZONE}
    assert min(agent.columns[:200]) < 10
    assert min(agent.columns[300:]) < 20


def test_an_episode_is_cut_after_its_steps_and_at_the_end_of_a_phase() -> None:
    protocol = Protocol(steps=(30, 30, 30), every=10, episode_steps=20)
    world = LifeInPhases(protocol.make_world(slip_probability=0), protocol)
    cuts = []
    world.reset(seed=0)
    for step in range(90):
        _, _, terminated, truncated, _ = world.step(0)
        assert not terminated
        if truncated:
            cuts.append(step + 1)
            with pytest.raises(Exception, match="after the end of an episode"):
                world.step(0)
            world.reset(seed=step)  # who seeds every reset does not go back to task A
    assert cuts == [20, 30, 50, 60, 80, 90]
    assert (world.unwrapped.task, world.unwrapped.starts) == ("B", "all")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"world": "gird"}, "did you mean 'grid'"),
        ({"steps": (100, 100)}, "expected those of 3 phases"),
        ({"steps": (1000, 750, 500)}, "750 steps of phase 2; expected a multiple of every=500"),
        ({"every": 0}, "every=0"),
        ({"last": 0}, "last=0"),
        ({"gamma": 1}, "gamma=1"),
        ({"near": 1.5}, "near=1.5"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**arguments)


# -- the evaluation ----------------------------------------------------------------------------


def test_who_turns_with_the_task_is_adaptive_and_who_does_not_is_not() -> None:
    turns = evaluate_loca(Turncoat, SHORT)
    assert turns["step"].tolist() == [*range(50, 401, 50)] * 2
    assert turns["phase"].tolist() == [1, 1, 1, 1, 2, 2, 3, 3] * 2
    verdict = verdict_of(turns, SHORT)
    assert (verdict.adaptive, verdict.near) == ("yes", ("yes", "yes", "yes"))
    for task, near in (("A", ("yes", "no", "no")), ("B", ("no", "yes", "yes"))):
        stays = verdict_of(evaluate_loca(lambda world, _, t=task: Knows(world, t), SHORT), SHORT)  # type: ignore[misc]
        assert (stays.adaptive, stays.near) == ("no", near)
        assert stays.shares[1].mean == pytest.approx(float(task == "B"), abs=1e-3)


def table_of(shares: list[list[float]]) -> Table:
    """Of each run the share of the way in each phase."""
    rows = [
        (run, 10 * phase + look, phase, 1 + share + (look == 1), 2.0, 1.0)
        for run, own in enumerate(shares)
        for phase, share in enumerate(own, 1)
        for look in (1, 2)
    ]
    names = ("run", "step", "phase", "discounted_return", "optimum", "other")
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


@pytest.mark.parametrize(
    ("shares", "near", "adaptive"),
    [
        ([[0.95, 0.95, 0.0], [0.951, 0.95, 0.1]], ("yes", "yes", "no"), "yes"),
        ([[0.95, 0.8, 1.0], [0.951, 0.95, 1.0]], ("yes", "undecided", "yes"), "undecided"),
        ([[0.95, 0.1, 1.0], [0.8, 0.1, 1.0]], ("undecided", "no", "yes"), "no"),
        ([[0.5, 0.95, 1.0], [0.5, 0.95, 1.0]], ("no", "yes", "yes"), "no"),
    ],
)
def test_the_verdict_is_undecided_where_the_interval_straddles_the_line(
    shares: list[list[float]], near: tuple[str, ...], adaptive: str
) -> None:
    verdict = verdict_of(table_of(shares), replace(SHORT, last=0.5))  # of two looks the last
    assert (verdict.near, verdict.adaptive) == (near, adaptive)
    assert verdict.shares[0].mean == pytest.approx((shares[0][0] + shares[1][0]) / 2)


def test_of_one_run_nothing_is_said() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        verdict_of(rows_where(table_of([[1.0] * 3] * 2), "run", 0))


def test_the_same_seed_gives_the_same_looks() -> None:
    def make(world: Any, seed: int) -> DynaQ:
        return DynaQ(world, seed=seed, gamma=0.97)

    first, again = live(make, SHORT, 1), live(make, SHORT, 1)
    assert {name: column.tolist() for name, column in first.items()} == {
        name: column.tolist() for name, column in again.items()
    }
    assert run_seed(SHORT, 0) != run_seed(SHORT, 1)


class Broken(Knows):
    """Does what it should, but for what a test takes from it."""


@pytest.mark.parametrize(
    ("attribute", "value", "error", "message"),
    [
        ("learn", None, TypeError, "has no method 'learn'"),
        ("predict", 3, TypeError, "has no method 'predict'"),
        ("learn", lambda _, steps: None, ValueError, r"lived 0 steps .*; expected 50"),
        (
            "predict",
            lambda *_, **__: (4, None),
            ValueError,
            "gave the action .*4.*; expected one of",
        ),
        ("predict", lambda *_, **__: ([0.5, 1], None), ValueError, "gave the action"),
    ],
)
def test_what_is_no_agent_is_refused(
    attribute: str,
    value: Any,
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Broken, attribute, value)
    with pytest.raises(error, match=message):
        evaluate_loca(lambda world, _: Broken(world, "A"), SHORT)


def test_an_agent_of_sb3_goes_on_from_call_to_call() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    made = []

    def make(world: Any, seed: int) -> Any:
        made.append(
            sb3.DQN(
                "MlpPolicy",
                world,
                seed=seed,
                learning_starts=20,
                train_freq=5,
                policy_kwargs={"net_arch": [4]},
            )
        )
        return made[-1]

    table = live(make, SHORT, 0)
    assert made[0].num_timesteps == 400
    assert table["step"][-1] == 400
    with pytest.raises(ValueError, match=r"learn\(50\) of PPO lived 64 steps"):
        live(lambda world, seed: sb3.PPO("MlpPolicy", world, n_steps=64, device="cpu"), SHORT, 0)


# -- the command -------------------------------------------------------------------------------

TOY = LoCA(runs=2, slow_runs=2, workers=1, steps=(50, 50, 50), every=50)
TOY_POINT = LoCAContinuous(runs=2, slow_runs=2, workers=1, steps=(20, 20, 20), every=20)


def test_every_agent_of_the_table_lives(tmp_path: Path) -> None:
    names = tuple(name for name in AGENTS["grid"] if name != "sb3_dqn")
    loca.main(replace(TOY, agents=names, output=tmp_path))
    tables = read_tables(tmp_path / "results", "loca")
    assert tables["loca"]["agent"].tolist() == list(names)
    assert set(tables["loca"]["adaptive"]) <= {"yes", "no", "undecided"}
    assert len(tables["loca_curves"]["run"]) == 3 * 2 * len(names)
    assert (tmp_path / "results" / "loca.png").read_bytes().startswith(b"\x89PNG")


def test_every_agent_of_the_points_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynamaze.benchmarks.studies.loca.protocol.Protocol.look_episodes", 2)
    tables = loca.run(TOY_POINT)
    assert tables["loca_continuous"]["agent"].tolist() == TOY_POINT.names
    assert (tables["loca_continuous"]["runs"] == 2).all()
    assert loca.plot(tables, TOY_POINT).axes


def test_summary_and_picture_come_from_the_stored_looks() -> None:
    names = ("q_learning", "maximum_likelihood")
    looks = [
        {"agent": np.full(12, name), **table_of([[1.0, share, 1.0], [1.0, share, 1.0]])}
        for name, share in zip(names, (0.2, 0.95), strict=True)
    ]
    tables = {"loca_curves": stack(looks)}
    config = replace(TOY, near=0.9)
    lines = loca.summary(tables, config)
    assert [line[0] for line in lines[1:]] == list(names)
    assert [line[-1] for line in lines[1:]] == ["no", "yes"]
    figure = loca.plot(tables, config)
    assert figure.axes[0].get_title() == "q learning: no (2 runs)"


def test_dqn_only_takes_part_where_it_is_asked_for() -> None:
    assert "sb3_dqn" not in LoCA().names
    assert "sb3_dqn" in LoCA(sb3=True).names
    assert LoCA(agents=("sb3_dqn",)).names == ["sb3_dqn"]
    runs = [name for _, name, _ in LoCA(runs=6, slow_runs=3).jobs]
    assert (runs.count("q_learning"), runs.count("linear")) == (6, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents": ("latest",)}, "agents: 'latest'.*did you mean 'latest_outcome'"),
        ({"runs": 1}, "runs=1; expected at least 2"),
        ({"steps": (70, 50, 50)}, "expected a multiple of every=50"),
        ({"slip_probability": 2.0}, "slip_probability=2"),
    ],
)
def test_a_wrong_option_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loca.main(replace(TOY, **changes))


def test_a_look_fits_the_world() -> None:
    assert isinstance(make_look(SHORT, 0), GridLook)
    assert isinstance(make_look(Protocol("continuous"), 0), EpisodesLook)
