"""Trial: a checkpoint of each of eight environments of equal spaces is loaded into each other.

It is checked that

1. in the same environment the agent continues bit-identically;
2. in another one the learned part is kept, one warning names both, and a new episode begins, with
   the same observations and rewards as in an environment that was never used before;
3. files without origins, as earlier versions wrote them, continue, begin a new episode with one
   warning, or are refused in one sentence.

    python tests/trials/load_elsewhere.py --steps 2000
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TransformReward

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, DynaQPlus, PrioritisedSweeping, QLearning, TreeSearch
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint

ENVIRONMENTS: dict[str, Callable[[], gym.Env[Any, Any]]] = {
    "static": lambda: gym.make("DynaMaze-v0"),
    "slippery": lambda: gym.make("DynaMaze-v0", slip_probability=0.2, max_episode_steps=40),
    "rewards": lambda: TransformReward(gym.make("DynaMaze-v0"), abs),
    "blocking": lambda: gym.make("DynaMazeBlocking-v0"),
    "shortcut": lambda: gym.make("DynaMazeShortcut-v0"),
    "episodes": lambda: gym.make("DynaMaze-v0", layout="blocking", changes={"episode 2": "dyna"}),
    "drifting": lambda: gym.make("DynaMazeDrifting-v0"),
    "generated": lambda: gym.make("DynaMazeGenerated-v0", size=(6, 9), observation="index"),
}
AGENTS: dict[str, tuple[Any, dict[str, Any], Callable[[], dict[str, Any]]]] = {
    "DynaQ": (DynaQ, {}, dict),
    "DynaQPlus": (DynaQPlus, {}, dict),
    "QLearning": (QLearning, {}, dict),
    "PrioritisedSweeping": (DynaQ, {}, lambda: {"planning": PrioritisedSweeping(3)}),
    "TreeSearch": (TreeSearch, {"simulations": 8}, dict),
}
"""Class, arguments, and new objects that `load` needs, too."""

CONTINUED, RESTARTED, REFUSED = "continued", "new episode", "refused"


def load(kind: str, path: Path, env: gym.Env[Any, Any]) -> tuple[str, Any]:
    """Load a checkpoint: what came of it, and the agent or the message."""
    cls, _, objects = AGENTS[kind]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loaded = cls.load(path, env, **objects())
        except CheckpointError as error:
            return REFUSED, str(error)
    if not caught:
        return CONTINUED, loaded
    assert len(caught) == 1, [str(each.message) for each in caught]
    assert loaded.observation is None
    loaded.message = str(caught[0].message)
    return RESTARTED, loaded


def record(agent: Any, steps: int) -> list[tuple[Any, ...]]:
    """Let an agent learn; return its actions and what came of them."""
    seen: list[tuple[Any, ...]] = []
    agent.learn(steps, lambda step: seen.append((*step[1:6], step.info)))
    return seen


def check_new_episode(agent: Any, name: str, steps: int) -> None:
    """Compare the steps of an agent after a restart with those in an unused environment."""
    unused = ENVIRONMENTS[name]()
    unused.reset(seed=agent.env_seed)
    for action, *outcome in record(agent, steps):
        expected = unused.step(action)
        assert outcome == [expected[1], expected[0], *expected[2:]], (name, outcome, expected)
        if outcome[2] or outcome[3]:
            unused.reset()


def forget_origin(path: Path) -> None:
    """Rewrite a checkpoint without the names of its environment, as earlier versions wrote it."""
    arrays, document = read_checkpoint(path)
    del document["environment"]
    for name in ("environment", "configuration"):
        del document["world"]["state"][name]
    write_checkpoint(path, arrays, document)


def run_trial(folder: Path, agents: list[str], steps: int, after: int = 40) -> Counter[str]:
    """Load checkpoints of some agents in all pairs of environments; return counts of outcomes."""
    counts: Counter[str] = Counter()
    for kind, source in itertools.product(agents, ENVIRONMENTS):
        cls, arguments, objects = AGENTS[kind]
        agent = cls(ENVIRONMENTS[source](), seed=0, **arguments, **objects()).learn(steps)
        path = folder / f"{kind}-{source}.npz"
        agent.save(path)
        q, num_timesteps, expected = agent.values.q.copy(), agent.num_timesteps, None
        for target, make in ENVIRONMENTS.items():
            outcome, loaded = load(kind, path, make())
            assert outcome == (CONTINUED if source == target else RESTARTED), (source, target)
            np.testing.assert_array_equal(loaded.values.q, q)
            assert loaded.num_timesteps == num_timesteps
            if outcome == RESTARTED:
                assert loaded.message.count("configuration") == 3, loaded.message
                check_new_episode(loaded, target, after)
            else:
                expected = expected or record(agent, after)
                assert record(loaded, after) == expected
            counts[outcome] += 1
        forget_origin(path)
        for target, make in ENVIRONMENTS.items():
            outcome, loaded = load(kind, path, make())
            if source == target:
                assert outcome == CONTINUED
                assert record(loaded, after) == expected
            elif outcome == REFUSED:
                assert "\n" not in loaded
            else:
                loaded.learn(after)
            counts[f"{outcome} without origin"] += 1
    return counts


def main() -> None:
    """Run the trial, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1500, help="before each checkpoint")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for outcome, count in sorted(run_trial(Path(name), list(AGENTS), options.steps).items()):
            print(f"{outcome}: {count}")


if __name__ == "__main__":
    main()
