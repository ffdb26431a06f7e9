"""The compiled rules of a table model that is scored."""

from __future__ import annotations

from typing import Any, NamedTuple

from dynamaze.common.compiled import compiled

from ..core.kernels import believe, doubt, draw, expect, follow, observe, rule, share, trust
from ..core.rng import high_unit, next_word
from .scores import Scores, note_score, overall_trust, pair_doubt
from .second_opinion import Opinion, note_opinion

TRIES = 20
"""How often another pair is drawn where those drawn are not trusted."""


class ScoredTable(NamedTuple):
    """A model's record and its scores."""

    model: Any
    scores: Scores
    opinion: Opinion


@rule(observe, ScoredTable)
@compiled
def observe_scored(table, num_actions, state, action, reward, next_state, terminated):
    """Score the model's prediction, then let it learn."""
    pair = state * num_actions + action
    probability, entropy, count = believe(table.model, num_actions, pair, next_state, terminated)
    note_score(table.scores, pair, probability, entropy, count)
    observe(table.model, num_actions, state, action, reward, next_state, terminated)
    scores, opinion = table.scores, table.opinion
    if opinion.regret.size:
        after, _, _ = believe(table.model, num_actions, pair, next_state, terminated)
        note_opinion(opinion, scores, num_actions, pair, next_state, terminated, probability, after)
        observe(opinion.counts, num_actions, state, action, reward, next_state, terminated)


@rule(draw, ScoredTable)
@compiled
def draw_scored(table, num_actions, rng):
    """A simulated transition of the model inside, of a distrusted pair the less likely."""
    deserved = table.scores.pair_share
    pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    for _ in range(TRIES - 1):
        if deserved[pair] >= 1.0:
            break
        word, rng = next_word(rng)
        if high_unit(word) < deserved[pair]:
            break
        pair, reward, next_state, terminated, rng = draw(table.model, num_actions, rng)
    return pair, reward, next_state, terminated, rng


@rule(doubt, ScoredTable)
@compiled
def doubt_scored(table, num_actions, pair):
    """How likely the world has changed since the pair was last tried."""
    return pair_doubt(table.scores, pair)


@rule(share, ScoredTable)
@compiled
def share_scored(table):
    """The trust in the model as a whole."""
    return overall_trust(table.scores)


@rule(trust, ScoredTable)
@compiled
def trust_scored(table, pair):
    """The share of its draws that a pair deserves."""
    return table.scores.pair_share[pair]


@rule(follow, ScoredTable)
@compiled
def follow_scored(table, num_actions, pair, rng):
    """What follows in the model inside."""
    return follow(table.model, num_actions, pair, rng)


@rule(expect, ScoredTable)
@compiled
def expect_scored(table, num_actions, pair, q, gamma):
    """What the model inside expects."""
    return expect(table.model, num_actions, pair, q, gamma)


@rule(believe, ScoredTable)
@compiled
def believe_scored(table, num_actions, pair, next_state, terminated):
    """What the model inside holds."""
    return believe(table.model, num_actions, pair, next_state, terminated)
