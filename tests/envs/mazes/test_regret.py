"""Regret in a maze that changes, compared with recursion and with propagated probabilities."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from dynamaze.envs import Dynamics, FiniteMDP, Schedule, read_schedule
from dynamaze.envs.mazes.optimal_values import optimal_values
from dynamaze.envs.mazes.regret import BLOCK, ClairvoyantValues, StationaryValues

GAMMA = 0.8

# A wall appears where an agent may stand, a path opens, a goal moves, a pocket opens and closes.
OPEN = "S..\n#..\nG.."
SCHEDULES: dict[str, tuple[str, dict[int, Any]]] = {
    "a wall appears": (OPEN, {3: "S.#\n#.#\nG..", 5: OPEN, 6: "S.#\n#.#\nG.."}),
    "a path opens": ("S.#\n.#G\n...", {4: "S..\n.#G\n..."}),
    "the goal moves": ("S..\n..G", {2: {"goal": (1, 0)}, 9: {"goal": (0, 2), "goal_reward": 3}}),
    "a pocket": ("S.#.\nG.#.", {1: "S...\nG.#.", 2: "S.#.\nG.#.", 90: "S.#.\nG..."}),
    "slips": ("S..\n.#G\n...", {3: {"slip_probability": 0.5}, 6: {"slip_probability": 0.0}}),
    "rewards": ("S..\n.#G", {4: {"step_reward": 0.3, "wall_reward": -1}, 7: {"step_reward": -0.2}}),
    "every step": ("S..\n..G", {k: {"slip_probability": k / 50} for k in range(1, 45)}),
    "nothing": ("S..\n.#G", {}),
}


@pytest.fixture(params=sorted(SCHEDULES))
def schedule(request: pytest.FixtureRequest) -> Schedule:
    layout, changes = SCHEDULES[request.param]
    return read_schedule(layout, changes)


def mdps_of(schedule: Schedule) -> list[FiniteMDP]:
    return [Dynamics(layout).mdp for layout in schedule.layouts]


def recursion(schedule: Schedule, end: int) -> Any:
    """Return the optimal action value of (world step, state, action) before an end step."""
    tables = [mdp.to_toy_text() for mdp in mdps_of(schedule)]

    @cache
    def action_value(step: int, state: int, action: int) -> float:
        return sum(
            p * (reward + (0.0 if terminated else GAMMA * value(step + 1, following)))
            for p, following, reward, terminated in tables[schedule.phase_at(step)][state][action]
        )

    @cache
    def value(step: int, state: int) -> float:
        if step == end:
            return 0.0
        return max(action_value(step, state, action) for action in range(4))

    return action_value


def test_clairvoyant_values_equal_recursion(schedule: Schedule) -> None:
    end = schedule.steps[-1] + 150  # what comes later is worth less than 1e-13
    expected = recursion(schedule, end)
    found = ClairvoyantValues(schedule, GAMMA)
    for step in range(end - 1, -1, -1):  # so that the recursion is never deep
        known = [
            [expected(step, s, a) for a in range(4)] for s in range(schedule.layouts[0].num_cells)
        ]
        if step > schedule.steps[-1] + 1:
            continue
        q = found.action_values(step)
        np.testing.assert_allclose(q, known, rtol=0, atol=1e-11)
        np.testing.assert_array_equal(found.values(step), q.max(axis=1))
        np.testing.assert_array_equal(found.regret(step), q.max(axis=1, keepdims=True) - q)
        assert (found.regret(step) >= 0).all()
        assert (found.regret(step).min(axis=1) == 0).all()


def test_clairvoyant_policy_waits() -> None:
    # The detour takes 5 steps; the gap beside the start opens for the step taken at 3.
    schedule = read_schedule("S#G\n.#.\n...", {3: "S.G\n.#.\n..."})
    start, gamma = 0, 0.9
    clairvoyant, stationary = ClairvoyantValues(schedule, gamma), StationaryValues(schedule, gamma)
    assert [clairvoyant.values(t)[start] for t in range(4)] == pytest.approx(
        [gamma**4, gamma**3, gamma**2, gamma]
    )
    assert [stationary.values(t)[start] for t in range(4)] == pytest.approx(
        [gamma**5] * 3 + [gamma]
    )
    down = 2
    assert clairvoyant.regret(2)[start] == pytest.approx([0, 0, gamma**2 - gamma**3, 0])
    assert stationary.regret(2)[start, down] == 0


def test_stationary_values_hold_per_phase() -> None:
    schedule = read_schedule("blocking")
    found = StationaryValues(schedule, GAMMA)
    for step, phase in ((0, 0), (1000, 1), (999, 0), (10**15, 1), (3, 0)):
        values = optimal_values(schedule.layouts[phase], GAMMA)
        np.testing.assert_array_equal(found.values(step), values)
        q = Dynamics(schedule.layouts[phase]).mdp.backup(values, GAMMA)
        np.testing.assert_array_equal(found.action_values(step), q)
        np.testing.assert_array_equal(found.regret(step), q.max(axis=1, keepdims=True) - q)


def test_clairvoyant_equals_stationary_early() -> None:
    schedule = read_schedule("shortcut", slip_probability=0.2)
    stationary, clairvoyant = StationaryValues(schedule), ClairvoyantValues(schedule)
    for step in (0, 1, 500, 3000, 3001, 2**52):
        np.testing.assert_allclose(
            clairvoyant.action_values(step), stationary.action_values(step), rtol=0, atol=1e-10
        )
    assert np.abs(clairvoyant.action_values(2999) - stationary.action_values(2999)).max() > 0.01


def test_query_order_is_irrelevant() -> None:
    schedule = read_schedule(
        "S.#.\nG.#.", {200: "S...\nG.#.", 230: "S.#.\nG.#.", 431: "S...\nG..."}
    )
    assert 3 * BLOCK < 200
    steps = np.random.default_rng(0).permutation(460).tolist()
    queried = ClairvoyantValues(schedule, 0.95)
    by_step = {step: queried.action_values(step) for step in steps}
    inorder = ClairvoyantValues(schedule, 0.95)
    for step in range(460):
        np.testing.assert_array_equal(by_step[step], inorder.action_values(step))
        if step < 459:  # each is one backup of the next
            backup = Dynamics(schedule.layouts[schedule.phase_at(step)]).mdp.backup
            following = by_step[step + 1].max(axis=1)
            np.testing.assert_allclose(by_step[step], backup(following, 0.95), rtol=0, atol=1e-12)


def evaluate(schedule: Schedule, policies: np.ndarray, begin: int) -> tuple[float, float]:
    """Return the expected discounted return and sum of regrets of an episode, exactly.

    Args:
        schedule: the phases.
        policies: (steps, S, A) the policy at each step.
        begin: the world step at which the episode begins.
    """
    mdps, values = mdps_of(schedule), ClairvoyantValues(schedule, GAMMA)
    chance = mdps[0].start.copy()
    total = loss = 0.0
    for t, policy in enumerate(policies):
        mdp = mdps[schedule.phase_at(begin + t)]
        joint = chance[:, None] * policy  # (S, A)
        outcome = joint[:, :, None] * mdp.probability  # (S, A, K)
        total += GAMMA**t * (outcome * mdp.reward).sum()
        loss += GAMMA**t * (joint * values.regret(begin + t)).sum()
        chance = np.zeros_like(chance)
        np.add.at(chance, mdp.next_state, outcome * ~mdp.terminated)
    return float(total), float(loss)


@pytest.mark.parametrize("begin", [0, 1, 3])
def test_regrets_sum_to_loss(schedule: Schedule, begin: int) -> None:
    start = Dynamics(schedule.layouts[0]).mdp.start
    best = float(start @ ClairvoyantValues(schedule, GAMMA).values(begin))
    rng = np.random.default_rng(begin)
    shape = (150, len(start), 4)
    for policies in (
        rng.dirichlet(np.ones(4), size=shape[:2]),
        np.eye(4)[rng.integers(4, size=shape[:2])],
    ):
        total, loss = evaluate(schedule, policies, begin)
        assert best - total == pytest.approx(loss, abs=1e-11)
        assert total <= best + 1e-12


def greedy(values: StationaryValues | ClairvoyantValues, begin: int) -> np.ndarray:
    """Return (150, S, A) the policy that takes the first of the best actions."""
    return np.array([np.eye(4)[values.regret(begin + t).argmin(axis=1)] for t in range(150)])


def test_clairvoyant_policy_is_best(schedule: Schedule) -> None:
    clairvoyant, stationary = ClairvoyantValues(schedule, GAMMA), StationaryValues(schedule, GAMMA)
    best = float(Dynamics(schedule.layouts[0]).mdp.start @ clairvoyant.values(0))
    total, loss = evaluate(schedule, greedy(clairvoyant, 0), 0)
    assert (total, loss) == (pytest.approx(best, abs=1e-12), pytest.approx(0, abs=1e-12))
    total, loss = evaluate(schedule, greedy(stationary, 0), 0)
    assert total + loss == pytest.approx(best, abs=1e-11)


def test_undiscounted_policy_waits() -> None:
    opens = read_schedule("SG#.", {10_000: "SG.."})
    found = ClairvoyantValues(opens, 1.0)
    for step in (0, 5_000, 9_999, 10_000):
        assert found.values(step).tolist() == [1, 0, 1, 1]


def test_undiscounted_endless_cell_has_no_regret() -> None:
    costs = {"goal_reward": 1.0, "step_reward": -1.0, "wall_reward": -2.0}
    schedule = read_schedule("SG##.", {30: {"layout": "SG#..", **costs}, 60: "SG##."})
    for values in (StationaryValues(schedule, 1.0), ClairvoyantValues(schedule, 1.0)):
        assert values.values(60).tolist() == [1, 0, 1, -np.inf, -np.inf]
        assert values.regret(60)[4].tolist() == [0, 0, 0, 0]
        assert values.regret(60)[0].tolist() == [2, 0, 2, 2]
        assert not np.isnan([values.regret(step) for step in range(70)]).any()
    for_long = read_schedule("SG##.", {1: {"layout": "SG##.", **costs}, 10**9: {"goal_reward": 9}})
    found = ClairvoyantValues(for_long, 1.0)
    # At the end it is best to wait against a wall, for -2 a step.
    for before, best in ((0, 9), (1, 7), (2, 5), (3, 3), (4, 1), (5, 1), (10**9 - 1, 1)):
        step = 10**9 - before
        assert found.values(step).tolist() == [best, 0, best, -np.inf, -np.inf]


def test_undiscounted_always_slipping_is_finite() -> None:
    schedule = read_schedule(
        "S.\n.G",
        {5: {"slip_probability": 0.0, "step_reward": -1, "wall_reward": -1, "layout": "S#\n.G"}},
        slip_probability=1.0,
    )
    assert not np.isnan([ClairvoyantValues(schedule, 1.0).regret(step) for step in range(8)]).any()


def test_clairvoyant_reports_divergence() -> None:
    costs = {"step_reward": -1.0, "wall_reward": -1.0}
    schedule = read_schedule("SG#.", {1: costs, 2**52: "SG.."})
    found = ClairvoyantValues(schedule, 1.0, max_sweeps=500)
    assert found.values(2**52).tolist() == [1, 0, 1, 0]
    with pytest.raises(RuntimeError, match=r"of phase 1 still change 500 steps before the phase"):
        found.values(1)
    assert np.isfinite(ClairvoyantValues(schedule, 0.9).values(0)).all()


def test_undiscounted_endless_reward_raises() -> None:
    schedule = read_schedule("S.G", {7: {"step_reward": 1.0}})
    for values in (StationaryValues(schedule, 1.0), ClairvoyantValues(schedule, 1.0)):
        with pytest.raises(ValueError, match="endless positive reward; expected gamma below 1"):
            values.values(7)


def test_clairvoyant_rejects_episode_changes() -> None:
    schedule = read_schedule("S.G", {"episode 2": "SG."})
    assert StationaryValues(schedule, 0.5).values(1)[0] == 0.5
    assert StationaryValues(schedule, 0.5).values(2)[0] == 1.0
    with pytest.raises(ValueError, match="changes by episodes; expected changes at world steps"):
        ClairvoyantValues(schedule)


@pytest.mark.parametrize("kind", [StationaryValues, ClairvoyantValues])
def test_arguments_are_checked(kind: Any) -> None:
    schedule = read_schedule("blocking")
    for gamma in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="gamma="):
            kind(schedule, gamma)
    for step in (-1, 0.5):
        with pytest.raises(ValueError, match="world_step="):
            kind(schedule).regret(step)
    with pytest.raises(ValueError, match="max_sweeps="):
        ClairvoyantValues(schedule, max_sweeps=0)


@pytest.mark.parametrize("kind", [StationaryValues, ClairvoyantValues])
def test_results_are_writable_copies(kind: Any) -> None:
    values = kind(read_schedule("blocking"))
    for step in (0, 999, 1000):
        for query in (values.action_values, values.values, values.regret):
            first = query(step).copy()
            query(step).fill(np.nan)
            np.testing.assert_array_equal(query(step), first)
