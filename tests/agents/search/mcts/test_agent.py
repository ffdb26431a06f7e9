"""Monte-Carlo tree search: convergence of the values, reuse of the tree, and the agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import (
    LatestOutcome,
    MaximumLikelihood,
    Spaces,
    Step,
    StoredExperience,
    TableValues,
    TimeBonus,
    Transitions,
)
from dynamaze.agents.core.transitions import one_transition
from dynamaze.agents.models.protocol import Outcomes
from dynamaze.agents.models.table_copy import TableCopy
from dynamaze.agents.models.true import TrueModel
from dynamaze.agents.search.agent import search_depth
from dynamaze.agents.search.mcts.agent import TreeSearch, TreeSearchPlanning, TreeSettings
from dynamaze.agents.search.mcts.uct import NONE, ROOT, USED
from dynamaze.common.storage import CheckpointError

SameBits = Callable[[Any, Any], None]
STATES, ACTIONS, GAMMA = 6, 3, 0.9


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def random_process(seed: int, outcomes: int) -> TableCopy:
    """Return an exact model of a random MDP, in which each pair has `outcomes` outcomes."""
    chance = np.random.default_rng(seed)
    model = TableCopy(STATES, ACTIONS)
    for pair in range(STATES * ACTIONS):
        following = chance.permutation(STATES)[:outcomes]
        model.put(
            pair,
            Outcomes(
                following,
                chance.dirichlet(np.ones(outcomes)),
                chance.random(outcomes),
                chance.random(outcomes) < 0.1,
            ),
        )
    return model


def exact_values(model: Any, depth: int, leaf: Any = 0.0) -> Any:
    """Return (states, actions) optimal returns of `depth` steps, by backward induction."""
    values = np.zeros(model.num_states) + leaf
    q = np.zeros((model.num_states, model.num_actions))
    for _ in range(depth):
        for state in range(model.num_states):
            for action in range(model.num_actions):
                one = model.distribution(state, action)
                goes_on = np.where(one.terminated, 0.0, values[one.next_observation])
                q[state, action] = one.probability @ (one.reward + GAMMA * goes_on)
        values = q.max(axis=1)
    return q


def table(q: Any = 0.0, gamma: float = GAMMA) -> TableValues:
    values = TableValues(STATES, ACTIONS, learning_rate=1.0, gamma=gamma)
    values.q[...] = q
    return values


def root_value(planning: TreeSearchPlanning, model: Any, values: Any, seed: int) -> tuple[Any, Any]:
    """Return the mean return of all simulations, and those of each action."""
    found, visits = planning.search(values, model, np.array([0]), rng(seed))
    return (found * visits).sum() / visits.sum(), found[0]


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transpositions", [False, True])
@pytest.mark.parametrize("outcomes", [1, 3])
def test_root_values_converge_to_exact(outcomes: int, transpositions: bool) -> None:
    """The bias is O(log n / n) (Kocsis and Szepesvari 2006, theorem 6), from below.

    The seeds are fixed, so there is no false alarm; over 100 other seeds in tenfold steps the mean
    error of 20 processes always shrank to between 0.09 and 0.42 of what it was.
    """
    errors = []
    for simulations in (1000, 10_000, 100_000):
        planning = TreeSearchPlanning(
            simulations, depth=3, settings=TreeSettings(transpositions=transpositions)
        )
        apart = []
        for seed in range(8):
            model = random_process(seed, outcomes)
            truth = exact_values(model, 3)[0].max()
            apart.append(truth - root_value(planning, model, table(), seed)[0])
        errors.append(np.mean(apart))
    assert 0 < errors[2] < 0.01
    assert errors[1] < 0.45 * errors[0]
    assert errors[2] < 0.45 * errors[1]


def test_one_step_search_has_logarithmic_regret() -> None:
    """UCB1's regret: of an action with gap D about 2 c^2 log(n) / D^2 or fewer of n choices."""
    model = TableCopy(STATES, ACTIONS)
    for pair, reward in enumerate([0.0, 0.5, 1.0]):
        model.put(pair, Outcomes(np.array([1]), np.ones(1), np.array([reward]), np.array([True])))
    for simulations in (100, 10_000, 1_000_000):
        planning = TreeSearchPlanning(simulations, settings=TreeSettings(exploration_constant=0.5))
        found, visits = planning.search(table(), model, np.array([0]), rng())
        np.testing.assert_allclose(found[0], [0.0, 0.5, 1.0], atol=1e-12)
        # Nothing is random: an action is tried until about 1 = mean + 0.5 sqrt(log(n) / visits).
        expected = 0.25 * np.log(simulations) / np.array([1.0, 0.25])
        assert (np.abs(visits[0, :2] - expected) < 0.35 * expected + 1).all()
        assert visits.sum() == simulations


@pytest.mark.parametrize("transpositions", [False, True])
@pytest.mark.parametrize("leaf_value", ["rollout", "values"])
def test_deterministic_tree_equals_expectimax(leaf_value: str, transpositions: bool) -> None:
    """With all leaves in the tree, the best action's mean approaches the best path's return."""
    q = np.random.default_rng(9).random((STATES, ACTIONS))
    at_the_end = q.max(axis=1) if leaf_value == "values" else 0.0
    planning = TreeSearchPlanning(
        200_000,
        depth=3,
        settings=TreeSettings(
            leaf_value=leaf_value, transpositions=transpositions, exploration_constant=1.5
        ),
    )
    for seed in range(6):
        model = random_process(seed, outcomes=1)
        truth = exact_values(model, 3, at_the_end)[0]
        values = table(q if leaf_value == "values" else 0.0)
        found = planning.action_values(values, model, np.array([0]), rng(seed))[0]
        assert found.max() == pytest.approx(truth.max(), abs=0.02)
        assert (found <= truth + 1e-9).all()  # a mean of returns is never above the best of them
        if np.sort(truth)[-1] - np.sort(truth)[-2] > 0.05:
            assert found.argmax() == truth.argmax()


def test_rollout_equals_random_policy() -> None:
    """With one simulation per action the means are those of the random policy after it."""
    model = random_process(4, outcomes=2)
    policy = np.zeros(STATES)
    for _ in range(5):
        policy = np.array(
            [
                np.mean(
                    [
                        one.probability
                        @ (one.reward + GAMMA * np.where(one.terminated, 0, policy[one[0]]))
                        for one in (model.distribution(state, a) for a in range(ACTIONS))
                    ]
                )
                for state in range(STATES)
            ]
        )
    truth = [
        one.probability @ (one.reward + GAMMA * np.where(one.terminated, 0, policy[one[0]]))
        for one in (model.distribution(0, action) for action in range(ACTIONS))
    ]
    planning = TreeSearchPlanning(ACTIONS, depth=6)
    found = [planning.action_values(table(), model, np.array([0]), rng(s))[0] for s in range(4000)]
    apart = np.abs(np.mean(found, axis=0) - truth)
    # Five standard errors of three means: a false alarm in 600,000.
    assert (apart < 5 * np.std(found, axis=0) / np.sqrt(len(found))).all()


def test_search_handles_batch() -> None:
    model, planning = random_process(1, outcomes=2), TreeSearchPlanning(50, depth=4)
    rows = np.array([3, 0, 3])
    found, visits = planning.search(table(), model, rows, rng(1))
    assert found.shape == visits.shape == (3, ACTIONS)
    assert (visits.sum(axis=1) == 50).all()
    alone = [planning.search(table(), model, rows[:1], rng(1))]
    np.testing.assert_array_equal(alone[0][0][0], found[0])
    again = planning.search(table(), model, rows, rng(1))
    np.testing.assert_array_equal(again[0], found)
    assert not np.array_equal(planning.search(table(), model, rows, rng(2))[0], found)


# -- what is kept ------------------------------------------------------------------------------


def tree_after(planning: TreeSearchPlanning, model: Any, values: Any, seed: int = 0) -> Any:
    planning.action_values(values, model, np.array([0]), rng(seed), learning=True)
    return planning._kept


def numbers_at(planning: TreeSearchPlanning) -> tuple[Any, Any, int]:
    tree: Any = planning._kept
    first = int(tree.numbers[ROOT]) * ACTIONS
    edges = slice(first, first + ACTIONS)
    return tree.visits[edges].copy(), tree.value[edges].copy(), int(tree.total[tree.numbers[ROOT]])


@pytest.mark.parametrize("transpositions", [False, True])
def test_reuse_keeps_subtree(transpositions: bool) -> None:
    model, values = MaximumLikelihood(STATES, ACTIONS), table()
    states, actions = np.divmod(np.arange(STATES * ACTIONS), ACTIONS)
    following = np.random.default_rng(3).integers(STATES, size=STATES * ACTIONS)
    no = np.zeros(STATES * ACTIONS, dtype=bool)
    model.update(Transitions(states, actions, np.arange(18) / 18, following, no))
    planning = TreeSearchPlanning(
        400, depth=6, settings=TreeSettings(transpositions=transpositions)
    )
    tree = tree_after(planning, model, values)
    action, state = 2, int(following[2])
    below = [
        node
        for node in range(tree.numbers[USED])
        if tree.time[node] == 1
        and tree.state[node] == state
        and (transpositions or tree.parent[node] == action)
    ]
    first = below[0] * ACTIONS
    wanted = tree.visits[first : first + ACTIONS].copy(), tree.value[first : first + ACTIONS].copy()
    total = int(tree.total[below[0]])
    real = one_transition(0, action, 2 / 18, state, False)
    model.update(real)  # the prediction is unchanged
    planning.record_transition(values, model, real)
    visits, means, kept = numbers_at(planning)
    np.testing.assert_array_equal(visits, wanted[0])
    np.testing.assert_array_equal(means, wanted[1])
    assert kept == total > 0
    before = int(tree.numbers[USED])
    planning.action_values(values, model, np.array([state]), rng(1), learning=True)
    assert numbers_at(planning)[2] == total + 400
    assert before < tree.numbers[USED] <= planning.max_nodes


@pytest.mark.parametrize("transpositions", [False, True])
def test_reuse_adds_simulations(transpositions: bool) -> None:
    """A corridor that is walked down: n simulations before the move and n after it, or 2n at once,
    are as good; and without reuse there are n."""
    env = gym.make("DynaMaze-v0", layout="S......G")
    env.reset(seed=0)
    model, values = TrueModel(env), TableValues(8, 4, learning_rate=1.0, gamma=0.9)
    for reuse, expected in ((True, 2), (False, 1)):
        planning = TreeSearchPlanning(
            300, depth=12, settings=TreeSettings(reuse=reuse, transpositions=transpositions)
        )
        planning.action_values(values, model, np.array([0]), rng(), learning=True)
        planning.record_transition(values, model, one_transition(0, 1, 0.0, 1, False))
        planning.action_values(values, model, np.array([1]), rng(), learning=True)
        if reuse:
            tree: Any = planning._kept
            more = tree.total[tree.numbers[ROOT]]
            assert 300 < more < expected * 300
            assert tree.state[tree.numbers[ROOT]] == 1
        else:
            assert planning._kept is None


def test_tree_is_dropped_after_model_change() -> None:
    model, values = LatestOutcome(STATES, ACTIONS), table()
    planning = TreeSearchPlanning(50, depth=5)
    model.update(one_transition(0, 1, 0.0, 1, False))

    def learn_step(state: int, action: int, reward: float, following: int, ends: bool) -> Any:
        tree = tree_after(planning, model, values)
        real = one_transition(state, action, reward, following, ends)
        model.update(real)
        planning.record_transition(values, model, real)
        return tree.numbers[ROOT]

    assert learn_step(0, 1, 0.0, 1, False) != NONE  # as predicted
    assert learn_step(0, 1, 0.5, 1, False) == NONE  # another reward
    assert learn_step(0, 0, 0.0, 0, False) == NONE  # for the first time, though as predicted
    assert learn_step(0, 1, 0.5, 2, False) == NONE  # another next state
    assert learn_step(0, 1, 0.5, 2, False) != NONE
    assert learn_step(0, 1, 0.5, 2, True) == NONE  # the end
    assert learn_step(1, 1, 0.5, 2, False) == NONE  # from a state other than the root


class Versioned(MaximumLikelihood):
    """Model whose predictions a version identifies, but not those of a wrapper around it."""

    version = "1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeBonus(MaximumLikelihood(STATES, ACTIONS), STATES, ACTIONS, kappa=0.1),
        lambda: TimeBonus(Versioned(STATES, ACTIONS), STATES, ACTIONS, kappa=0.1),
        lambda: StoredExperience(STATES, ACTIONS),
    ],
)
def test_model_without_version_keeps_no_tree(make: Any) -> None:
    model, values, planning = make(), table(), TreeSearchPlanning(50, depth=5)
    real = one_transition(0, 1, 0.0, 1, False)
    model.update(real)
    tree = tree_after(planning, model, values)
    model.update(real)
    planning.record_transition(values, model, real)
    assert tree.numbers[ROOT] == NONE


@pytest.mark.parametrize("transpositions", [False, True])
@pytest.mark.parametrize("max_nodes", [1, 7, 60, 200])
def test_max_nodes_bounds_tree(max_nodes: int, transpositions: bool) -> None:
    agent = TreeSearch(
        "DynaMaze-v0",
        simulations=100,
        depth=30,
        settings=TreeSettings(max_nodes=max_nodes, transpositions=transpositions),
        seed=0,
    ).learn(60)
    tree: Any = agent.planning._kept
    assert tree.state.size == max_nodes
    assert tree.numbers[USED] <= max_nodes
    root = int(tree.numbers[ROOT])
    assert root == NONE or tree.total[root] >= 0


# -- the agent ---------------------------------------------------------------------------------


def episodes(agent: TreeSearch, steps: int) -> list[Step]:
    """Return the last steps of the episodes that terminate."""
    ends: list[Step] = []
    agent.learn(steps, lambda step: ends.append(step) if step.terminated else None)
    return ends


@pytest.mark.parametrize("transpositions", [False, True])
@pytest.mark.parametrize("reuse", [False, True])
def test_tree_search_solves_known_maze(reuse: bool, transpositions: bool) -> None:
    agent = TreeSearch(
        "DynaMaze-v0",
        simulations=500,
        settings=TreeSettings(reuse=reuse, transpositions=transpositions),
        seed=0,
    )
    ends = episodes(agent, 400)
    # A shortest path has 14 steps; a random walk takes 800 on average.
    assert len(ends) >= 6


def test_tree_search_solves_toy_text() -> None:
    lake = TreeSearch("FrozenLake-v1", simulations=4000, gamma=0.99, depth=60, seed=0)
    ends = episodes(lake, 800)
    # Random play reaches the goal in 1.5 % of its episodes, the best in 74 %.
    assert np.mean([step.episode_return for step in ends]) > 0.1
    taxi = TreeSearch(
        "Taxi-v4",
        simulations=5000,
        gamma=0.99,
        depth=20,
        settings=TreeSettings(exploration_constant=50.0),
        seed=0,
    )  # illegal moves have reward -10, so that returns differ much
    world: Any = gym.make("Taxi-v4").unwrapped
    inside, there = 4, 0  # passenger in the taxi, destination in the corner (0, 0)
    moves = {(1, 0): 1, (0, 1): 3, (0, 0): 5}  # north, west, and drop off
    rows = [world.encode(*cell, inside, there) for cell in moves]
    actions, _ = taxi.predict(np.array(rows), deterministic=True)
    assert actions.tolist() == list(moves.values())


def test_tree_search_follows_change() -> None:
    """The goal moves to the other side, and the agent follows from that step on."""
    env = gym.make("DynaMaze-v0", layout="..S..G", changes={2: "G.S..."})
    agent = TreeSearch(env, simulations=4000, depth=8, seed=0)
    seen: list[Step] = []
    agent.learn(6, seen.append)
    assert [step.action for step in seen] == [1, 1, 3, 3, 3, 3]
    assert [step.terminated for step in seen] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("latest_outcome", {}),
        ("maximum_likelihood", {}),
        ("stored_experience", {}),
        ("latest_outcome", {"transpositions": True}),
    ],
)
def test_learned_model_solves_maze(model: str, more: dict[str, Any]) -> None:
    settings = TreeSettings(first_play_urgency=1.0, **more)
    agent = TreeSearch("DynaMaze-v0", model=model, simulations=200, settings=settings, seed=0)
    ends = episodes(agent, 1500)
    # A random walk takes 800 steps an episode.
    assert len(ends) > 20
    assert np.median([step.episode_length for step in ends[5:]]) < 45


def test_first_play_urgency_ends_simulation() -> None:
    model, values = LatestOutcome(STATES, ACTIONS), table()
    model.update(one_transition(0, 1, 0.25, 1, True))
    rows = np.array([0])
    optimistic = TreeSearchPlanning(
        50, depth=5, settings=TreeSettings(first_play_urgency=2.0, exploration_constant=0.1)
    )
    np.testing.assert_allclose(
        optimistic.action_values(values, model, rows, rng())[0], [2.0, 0.25, 2.0]
    )
    pessimistic = TreeSearchPlanning(
        50, depth=5, settings=TreeSettings(first_play_urgency=-2.0, exploration_constant=0.1)
    )
    assert pessimistic.action_values(values, model, rows, rng())[0].argmax() == 1
    by_model = TreeSearchPlanning(4000, depth=2, settings=TreeSettings(exploration_constant=0.1))
    found = by_model.action_values(values, model, rows, rng())[0]
    assert found[1] == pytest.approx(0.25)
    assert (found[[0, 2]] <= 0.25 * GAMMA).all()  # nothing happens, then at best the known one
    # An untried pair further away counts by the discount.
    model.update(one_transition(1, 0, 0.0, 0, False))
    model.update(one_transition(0, 0, 0.0, 0, False))
    model.update(one_transition(0, 2, 0.0, 3, False))
    for action in range(3):
        model.update(one_transition(3, action, 0.0, 3, True))
    there = optimistic.action_values(values, model, np.array([1]), rng())[0]
    assert there[0] == pytest.approx(0.25 * GAMMA, abs=0.1)


def test_first_play_urgency_explores_all() -> None:
    agent = TreeSearch(
        "DynaMaze-v0", model="latest_outcome", settings=TreeSettings(first_play_urgency=1.0), seed=1
    )
    tried = set()
    agent.learn(12, lambda step: tried.add((step.observation, step.action)))
    assert len(tried) == 12  # never a tried pair while an untried one is near


def test_predict_leaves_agent_unchanged(same_bits: SameBits) -> None:
    queried, quiet = (TreeSearch("DynaMaze-v0", simulations=60, seed=3) for _ in range(2))
    for agent in (queried, quiet):
        agent.learn(20)
    before = queried.planning.get_state()
    queried.predict(np.arange(54))
    queried.action_probabilities(7)
    np.testing.assert_equal(queried.planning.get_state(), before)
    same_bits(queried.learn(40), quiet.learn(40))


def test_action_probabilities_are_visit_shares() -> None:
    agent = TreeSearch(
        "DynaMaze-v0", simulations=300, settings=TreeSettings(exploration_constant=0.3), seed=0
    )
    env: Any = gym.make("DynaMaze-v0")
    probabilities = agent.action_probabilities(np.arange(54))
    assert probabilities.shape == (54, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    beside_the_goal = 17
    assert probabilities[beside_the_goal].argmax() == 0
    assert probabilities[beside_the_goal, 0] > 0.5
    assert agent.action_probabilities(17).shape == (1, 4)
    assert env.observation_space == agent.spaces.observation


ARGUMENTS: list[dict[str, Any]] = [
    {},
    {
        "model": "maximum_likelihood",
        "settings": TreeSettings(transpositions=True, first_play_urgency=1.0),
    },
    {"model": "latest_outcome", "settings": TreeSettings(max_nodes=90), "epsilon": 0.1},
    {"model": "stored_experience"},
    {"settings": TreeSettings(leaf_value="values", reuse=False), "values": "table"},
    {"model": "simulator", "simulations": 8, "depth": 5},
]


@pytest.mark.parametrize("given", ARGUMENTS)
def test_tree_search_resumes_bit_identically(
    given: dict[str, Any], same_bits: SameBits, tmp_path: Path
) -> None:
    world: dict[str, Any] = {"changes": {25: "shortcut"}, "slip_probability": 0.1}

    def make() -> Any:
        return gym.make("DynaMaze-v0", layout="blocking", **world)

    arguments = {"simulations": 40, "depth": 20, "seed": 5, **given}
    straight = TreeSearch(make(), **arguments).learn(60)
    halfway = TreeSearch(make(), **arguments).learn(31)
    halfway.save(tmp_path / "agent")
    resumed = TreeSearch.load(tmp_path / "agent", make())
    halfway.learn(29)
    resumed.learn(29)
    np.testing.assert_equal(halfway.planning.get_state(), resumed.planning.get_state())
    assert halfway.rng.bit_generator.state["state"]["state"].tolist() == (
        resumed.rng.bit_generator.state["state"]["state"].tolist()
    )
    same_bits(straight, resumed)


def test_loaded_agent_searches_without_env(tmp_path: Path) -> None:
    agent = TreeSearch("DynaMaze-v0", simulations=200, seed=0)
    agent.save(tmp_path / "agent")
    loaded = TreeSearch.load(tmp_path / "agent")
    rows = np.arange(54)
    np.testing.assert_array_equal(
        loaded.predict(rows, deterministic=True)[0], agent.predict(rows, deterministic=True)[0]
    )
    alone = TreeSearch(Spaces(*agent.spaces), simulations=20)
    with pytest.raises(RuntimeError, match="knows no environment yet"):
        alone.predict(3)


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"simulations": 0}, r"simulations=0; expected a whole number in \[1, "),
        ({"simulations": 3}, "simulations=3 with 4 actions"),
        ({"depth": 0}, "depth=0"),
        ({"depth": None, "gamma": 1.0}, "depth=None with gamma=1"),
        ({"model": "truth"}, "did you mean 'true'"),
    ],
)
def test_tree_search_rejects_invalid_argument(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TreeSearch("DynaMaze-v0", **arguments)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"exploration_constant": -1.0}, "exploration_constant"),
        ({"leaf_value": "rolout"}, "did you mean 'rollout'"),
        ({"max_nodes": 0}, "max_nodes"),
        ({"first_play_urgency": np.inf}, "first_play_urgency"),
        ({"outcome_widening": (0.0, 0.5)}, "factor of outcome_widening"),
        ({"outcome_widening": (1.0, 2.0)}, "exponent of outcome_widening"),
    ],
)
def test_tree_settings_reject_invalid_value(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TreeSettings(**wrong)


def test_tree_search_rejects_model() -> None:
    with pytest.raises(TypeError, match="outcome_widening=3"):
        TreeSearch("DynaMaze-v0", settings=TreeSettings(outcome_widening=3))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="provides no Markov decision process"):
        TreeSearch("Blackjack-v1")
    with pytest.raises(TypeError, match="does not count visits"):
        TreeSearch("DynaMaze-v0", model="simulator", settings=TreeSettings(first_play_urgency=1.0))
    with pytest.raises(ValueError, match="num_states=5; expected 54"):
        TreeSearch("DynaMaze-v0", model=LatestOutcome(5, 4))
    with pytest.raises(ValueError, match="expected a depth"):
        search_depth(None, 1.0)


def test_depth_ends_undiscounted_search() -> None:
    """An environment that never terminates, without discounting: the return has `depth` steps."""
    model = LatestOutcome(1, 1)
    model.update(one_transition(0, 0, 1.0, 0, False))
    values = TableValues(1, 1, learning_rate=1.0, gamma=1.0)
    planning = TreeSearchPlanning(10, depth=7)
    assert planning.action_values(values, model, np.array([0]), rng())[0, 0] == 7.0


def test_set_state_rejects_invalid_tree(tmp_path: Path) -> None:
    agent = TreeSearch("DynaMaze-v0", simulations=30, depth=9, seed=0).learn(7)
    state = agent.planning.get_state()
    assert state["tree.numbers"][USED] > 1
    for name in ("tree.state", "tree.parent", "tree.choice"):
        wrong = {**state, name: np.full_like(state[name], 10**6)}
        with pytest.raises(ValueError, match=r"from 1000000 .* in the planner's state"):
            agent.planning.set_state(wrong)
    for numbers in ([0, 0, 0], [5, 5, 0], [10**6, 0, 0]):
        wrong = {**state, "tree.numbers": np.array(numbers)}
        with pytest.raises(ValueError, match="in the planner's state"):
            agent.planning.set_state(wrong)
    for name in [name for name in state if name.startswith("tree.")]:
        with pytest.raises(ValueError, match="in the planner's state"):
            agent.planning.set_state({key: state[key] for key in state if key != name})
    np.testing.assert_equal(agent.planning.get_state(), state)
    agent.save(tmp_path / "agent")
    (tmp_path / "agent").write_bytes((tmp_path / "agent").read_bytes()[:-50])
    with pytest.raises(CheckpointError):
        TreeSearch.load(tmp_path / "agent")
