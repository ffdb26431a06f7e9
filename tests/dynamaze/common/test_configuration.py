"""Configuration from the signature of a constructor."""

import copy
import inspect
from dataclasses import dataclass

import numpy as np
import pytest

from dynamaze.common.configuration import Configurable, flat_arguments, set_checked
from dynamaze.common.deprecation import renamed_arguments


class Walker(Configurable):
    """Object with a required and an optional argument."""

    @renamed_arguments(pace="speed")
    def __init__(self, steps, *, speed=1.0, weights=None):
        self.converted = int(steps)


class Runner(Walker):
    """Object whose constructor calls that of its base."""

    def __init__(self, distance=10):
        super().__init__(distance, speed=3.0)


class Sprinter(Runner):
    """Object with the inherited constructor."""


def test_get_params_with_defaults():
    assert Walker(5).get_params() == {"steps": 5, "speed": 1.0, "weights": None}


def test_get_params_of_outermost_constructor():
    assert Runner().get_params() == {"distance": 10}
    assert Sprinter(7).get_params() == {"distance": 7}


def test_get_params_with_old_name():
    with pytest.warns(DeprecationWarning, match="speed"):
        assert Walker(5, pace=2.0).get_params()["speed"] == 2.0


def test_repr_shows_what_differs():
    assert repr(Walker(5)) == "Walker(steps=5)"
    assert repr(Walker(5, speed=2)) == "Walker(steps=5, speed=2)"
    assert repr(Sprinter()) == "Sprinter()"
    assert repr(Walker(5, weights=np.zeros(2))) == "Walker(steps=5, weights=array([0., 0.]))"


def test_signature_and_errors_unchanged():
    assert list(inspect.signature(Walker).parameters) == ["steps", "speed", "weights"]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'steps'"):
        Walker()


def test_get_params_of_keywords():
    class Jogger(Walker):
        def __init__(self, steps, **more):
            super().__init__(steps, **more)

    assert Jogger(5, speed=2.0).get_params() == {"steps": 5, "speed": 2.0}
    assert repr(Jogger(5, speed=2.0)) == "Jogger(steps=5, speed=2.0)"


def test_get_params_without_constructor():
    class Plain(Configurable):
        pass

    assert (Plain().get_params(), repr(Plain())) == ({}, "Plain()")


def test_copies_keep_arguments():
    assert copy.deepcopy(Walker(5)).get_params()["steps"] == 5


@dataclass(frozen=True)
class Stride:
    """Settings that are checked and converted."""

    length: float = 1.0

    def __post_init__(self):
        set_checked(self, length=float(self.length))


class Hiker(Configurable):
    """Object with settings."""

    def __init__(self, stride=Stride(), *, load=0):
        self.stride = stride


def test_settings_are_flattened():
    hiker = Hiker(Stride(2), load=3)
    assert isinstance(hiker.stride.length, float)
    assert flat_arguments(hiker.get_params()) == {"length": 2.0, "load": 3}
    assert repr(hiker) == "Hiker(stride=Stride(length=2.0), load=3)"
    assert repr(Hiker(Stride(1))) == "Hiker()"
