"""Monte-Carlo tree search with vector actions: double progressive widening, as a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dynamaze.common.arrays import FloatArray
from dynamaze.common.configuration import Configurable
from dynamaze.common.validation import checked_count, checked_number

from ...agent import EnvLike, resolve_env, spaces_of
from ...core.encoders import VECTORS, Vectors
from ...core.rng import Seed, as_sequence, make_generator
from ..agent import SIMULATOR, renamed_model
from ..env_copies import EnvCopies
from ..simulators import make_simulator
from .simulated import SearchResult, SimulatedSearch, SimulatedSettings, Widening

S = TypeVar("S")

SQUARE_ROOT = (1.0, 0.5)
"""Widening to about sqrt(n) children after n visits."""


class ContinuousTreeSearch(Configurable):
    """Policy that searches a tree of sampled actions: UCT with double progressive widening.

    Suited to continuous actions where a decision may take many simulations, and to noisy dynamics.

        from dynamaze.agents import ContinuousTreeSearch

        policy = ContinuousTreeSearch(env, model="simulator", simulations=200, depth=20)
        action, _ = policy.predict(observation)

    A node with n visits has about `factor * n ** exponent` actions, each sampled uniformly from the
    box; an action with n visits has about as many outcomes. The policy learns nothing; a model that
    another agent learns may be passed.

    Args:
        env: environment or its id, or its spaces; its actions must be a bounded `Box`.
        model: "simulator", copies of the environment; or a model of vectors with
            `sample_transitions`.
        simulations: number for each decision.
        depth: steps of a simulation.
        exploration_constant: c of UCB1, in units of returns.
        action_widening: (factor, exponent).
        outcome_widening: (factor, exponent); None for no bound, right for deterministic dynamics.
        leaf_value: value of a new node: a function of (1, d) vectors that returns (1,) values;
            None for the return of random actions.
        gamma: discount factor, in [0, 1].
        seed: determines every random number.

    Raises:
        ValueError: for a number outside its range, or unbounded actions.
        TypeError: for actions that are not a `Box`, or a model that cannot be simulated.
    """

    def __init__(
        self,
        env: EnvLike,
        *,
        model: Any = SIMULATOR,
        simulations: int = 200,
        depth: int = 20,
        exploration_constant: float = 1.0,
        action_widening: tuple[float, float] = SQUARE_ROOT,
        outcome_widening: tuple[float, float] | None = SQUARE_ROOT,
        leaf_value: Callable[[FloatArray], FloatArray] | None = None,
        gamma: float = 0.95,
        seed: Seed = None,
    ) -> None:
        made, model = resolve_env(env), renamed_model(model)
        given = spaces_of(made)
        self.action_space = _checked_box(given.action)
        self.vectors = Vectors(given.observation)
        self.model = EnvCopies(made, observes=VECTORS) if model == SIMULATOR else model
        self._simulator = make_simulator(self.model)
        self._leaf_values = leaf_value
        widening = Widening.read("action_widening", action_widening)
        if widening is None:
            raise TypeError("action_widening=None; expected a pair of factor and exponent")
        self._settings = SimulatedSettings(
            checked_count("simulations", simulations),
            checked_count("depth", depth),
            checked_number("gamma", gamma, 0, 1),
            checked_number("exploration_constant", exploration_constant, 0),
            transpositions=False,
            leaf_value=None if leaf_value is None else self._value_of,
            outcome_widening=Widening.read("outcome_widening", outcome_widening),
            action_widening=widening,
            draw_action=self._draw,
        )
        self.rng = make_generator(as_sequence(seed), 0)

    def search(self, observation: Any) -> SearchResult:
        """Return the tried actions at an observation, with their visits and mean returns.

        Raises:
            ValueError: for an observation outside the space.
        """
        vector = self.vectors.one(observation)
        return SimulatedSearch(self._simulator, self._settings, self.rng).run(vector)

    @overload
    def predict(
        self,
        observation: Any,
        state: None = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], None]: ...

    @overload
    def predict(
        self, observation: Any, state: S, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[npt.NDArray[Any], S]: ...

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Return the most visited action, or those of a batch.

        Args:
            observation: one observation of the space, or a batch of them.
            state: returned unchanged.
            episode_start: not used.
            deterministic: not used; only the simulations are random.

        Raises:
            ValueError: for an observation outside the space.
        """
        vectors, is_single = self.vectors.many(observation)
        chosen = []
        for vector in vectors:
            found = SimulatedSearch(self._simulator, self._settings, self.rng).run(vector)
            chosen.append(found.actions[int(found.visits.argmax())])
        return (chosen[0] if is_single else np.array(chosen)), state

    def _draw(self, rng: np.random.Generator) -> Any:
        low, high = self.action_space.low, self.action_space.high
        return rng.uniform(low, high).astype(self.action_space.dtype)

    def _value_of(self, vector: FloatArray) -> float:
        assert self._leaf_values is not None  # checked in `__init__`
        return float(self._leaf_values(vector[None])[0])


def _checked_box(space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box):
        raise TypeError(f"action space {space}; expected a Box (TreeSearch serves Discrete)")
    if not space.is_bounded():
        raise ValueError(f"action space {space}; expected one with bounds")
    return space
