"""Tree search where actions are vectors: double progressive widening, as a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.validation import checked_number

from ...agent import make_env, spaces_of
from ...core.encoders import VECTORS, Vectors
from ...core.rng import Seed, as_sequence, make_generator
from ...core.spaces import Spaces
from ..agent import COPIES, check_positive
from ..env_copies import WorldCopies
from ..simulators import make_simulator
from .simulated import Found, SimulatedRule, SimulatedSearch, Widening

SQUARE_ROOT = (1.0, 0.5)


class ContinuousTreeSearch:
    """Searches a tree of drawn actions before each action: UCT with double progressive widening.

        from dynamaze.agents import ContinuousTreeSearch

        policy = ContinuousTreeSearch(env, model="copies", simulations=200, depth=20)
        action, _ = policy.predict(observation)

    A node of n visits has about factor * n ** exponent actions, each drawn at random from the box;
    an action with n visits has so many outcomes. It learns nothing; a model that is learned by
    another agent may be handed over.

    Args:
        env: an environment or its id, or only its spaces; its actions must be a `Box` with bounds.
        model: "copies", of the environment; or a model of vectors that imagines what follows.
        simulations: for each decision.
        depth: steps of a simulation.
        exploration_constant: c of UCB1, in units of returns.
        action_widening: (factor, exponent).
        outcome_widening: (factor, exponent); None for no bound, right where nothing is random.
        leaf_values: what follows a new node, a function of (1, d) vectors that gives (1,) values;
            None for the return of actions drawn at random.
        gamma: discount, in [0, 1].
        seed: settles every random number.

    Raises:
        ValueError: for a number outside its range, or actions without bounds.
        TypeError: for actions that are no `Box`, or a model that cannot be simulated.
    """

    def __init__(
        self,
        env: str | gym.Env[Any, Any] | Spaces,
        *,
        model: Any = COPIES,
        simulations: int = 200,
        depth: int = 20,
        exploration_constant: float = 1.0,
        action_widening: tuple[float, float] = SQUARE_ROOT,
        outcome_widening: tuple[float, float] | None = SQUARE_ROOT,
        leaf_values: Callable[[FloatArray], FloatArray] | None = None,
        gamma: float = 0.95,
        seed: Seed = None,
    ) -> None:
        made = env if isinstance(env, Spaces) else make_env(env)
        given = spaces_of(made)
        self.action_space = _checked_box(given.action)
        self.vectors = Vectors(given.observation)
        self.model = WorldCopies(made, observes=VECTORS) if model == COPIES else model
        self._simulator = make_simulator(self.model)
        self._leaf_values = leaf_values
        widening = Widening.read("action_widening", action_widening)
        if widening is None:
            raise TypeError("action_widening=None; expected a pair of factor and exponent")
        self._rule = SimulatedRule(
            check_positive("simulations", simulations),
            check_positive("depth", depth),
            checked_number("gamma", gamma, 0, 1),
            checked_number("exploration_constant", exploration_constant, 0),
            merges=False,
            leaf_values=None if leaf_values is None else self._value_of,
            outcomes=Widening.read("outcome_widening", outcome_widening),
            actions=widening,
            draw_action=self._draw,
        )
        self.rng = make_generator(as_sequence(seed), 0)

    def search(self, observation: Any) -> Found:
        """The actions that were tried at an observation, their visits and mean returns.

        Raises:
            ValueError: for an observation outside the space.
        """
        vector = self.vectors.one(observation)
        return SimulatedSearch(self._simulator, self._rule, self.rng).run(vector)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """The action that was simulated most, or the actions for a batch.

        Args:
            observation: one observation of the space, or a batch of them.
            state: handed back as it is.
            episode_start: not used.
            deterministic: not used; chance is in the simulations alone.

        Raises:
            ValueError: for an observation outside the space.
        """
        vectors, is_single = self.vectors.many(observation)
        chosen = []
        for vector in vectors:
            found = SimulatedSearch(self._simulator, self._rule, self.rng).run(vector)
            chosen.append(found.actions[int(found.visits.argmax())])
        return (chosen[0] if is_single else np.array(chosen)), state

    def _draw(self, rng: np.random.Generator) -> Any:
        low, high = self.action_space.low, self.action_space.high
        return rng.uniform(low, high).astype(self.action_space.dtype)

    def _value_of(self, vector: FloatArray) -> float:
        assert self._leaf_values is not None  # settled when it was made
        return float(self._leaf_values(vector[None])[0])


def _checked_box(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"action space {space}; expected a Box (TreeSearch serves Discrete)")
    if not space.is_bounded():
        raise ValueError(f"action space {space}; expected one with bounds")
    return space
