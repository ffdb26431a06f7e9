"""Planning on a linear expectation model: which feature is updated next, and how.

Compiled rules on the arrays of a `LinearExpectation`. With one action they evaluate a policy, with
several they look for the best. `priorities` (n,) is the queue: 0 for a feature that is not in it;
the highest comes first, of equal ones the lowest number.
"""

from __future__ import annotations

import numpy as np

from dynamaze.common.compiled import compiled

SWEEPS = ("random", "pwma", "mg")
"""Which feature is updated next: any, or by prioritised sweeping without predecessors of a pair of
features (Peng and Williams 1993, Moore and Atkeson 1993) or after McMahan and Gordon (2005)."""


@compiled
def back_up(theta, leads, rewards, feature, gamma, step_size):
    """Update theta at a unit basis vector by the model; gives the error that was found."""
    best = -np.inf
    for action in range(len(rewards)):
        following = 0.0
        for after in range(len(theta)):
            following += leads[action, feature, after] * theta[after]
        best = max(best, rewards[action, feature] + gamma * following)
    error = best - theta[feature]
    theta[feature] += step_size * error
    return error


@compiled
def back_up_all(theta, leads, rewards, features, gamma, step_size):
    """Update theta at each of some unit basis vectors, in their order."""
    for place in range(len(features)):
        back_up(theta, leads, rewards, features[place], gamma, step_size)


@compiled
def link(leads, before, after):
    """How much of a feature follows another, by the action for which it is most."""
    most = 0.0
    for action in range(len(leads)):
        most = max(most, abs(leads[action, before, after]))
    return most


@compiled
def push(priorities, feature, priority, threshold):
    """Queue a feature; if it is queued already, the higher priority counts."""
    if priority >= threshold and priority > priorities[feature]:
        priorities[feature] = priority


@compiled
def hand_on(leads, priorities, feature, change, threshold):
    """Queue the features that lead to one whose value was found wrong."""
    for before in range(len(priorities)):
        push(priorities, before, link(leads, before, feature) * abs(change), threshold)


@compiled
def queue_changes(leads, priorities, changes, threshold, to_predecessors):
    """Queue what changes (n,) of the values concern: the features or those that lead to them."""
    for feature in range(len(changes)):
        if changes[feature] != 0.0:
            if to_predecessors:
                hand_on(leads, priorities, feature, changes[feature], threshold)
            else:
                push(priorities, feature, abs(changes[feature]), threshold)


@compiled
def sweep_queue(
    theta, leads, rewards, priorities, steps, gamma, step_size, threshold, to_predecessors, by_pops
):
    """So many steps by priority, or as many as the queue has; gives how many.

    With `to_predecessors` ("pwma") the popped feature is updated, and its change handed on;
    without ("mg") those that lead to the popped one are updated, and queued by their errors. Each
    update is a step, or with `by_pops` each pop.
    """
    done = 0
    while done < steps:
        feature = priorities.argmax()
        if priorities[feature] == 0.0:
            break
        priorities[feature] = 0.0
        if to_predecessors:
            error = back_up(theta, leads, rewards, feature, gamma, step_size)
            hand_on(leads, priorities, feature, error, threshold)
            done += 1
            continue
        updates = 0
        for before in range(len(priorities)):
            if link(leads, before, feature) > 0.0:
                error = back_up(theta, leads, rewards, before, gamma, step_size)
                push(priorities, before, abs(error), threshold)
                updates += 1
        done += 1 if by_pops else updates
    return done
