"""Older names of arguments and methods."""

import inspect
import subprocess
import sys
from dataclasses import dataclass

import pytest

from dynamaze.common.configuration import Configurable
from dynamaze.common.deprecation import find_method, grouped_arguments, renamed_method


@dataclass(frozen=True)
class Style:
    """Settings of a walker."""

    pace: float = 1.0
    gait: str = "trot"


class Walker(Configurable):
    """Object with grouped settings."""

    @grouped_arguments("style", Style, speed="pace")
    def __init__(self, steps, *, style=None):
        self.steps, self.style = steps, Style() if style is None else style

    def walk(self, steps):
        """Return the number of steps."""
        return self.steps + steps

    go = renamed_method("go", "walk")


class OldWalker:
    """Object with the old name of a method only."""

    def go(self, steps):
        """Return the number of steps."""
        return steps


@pytest.mark.parametrize(
    ("given", "expected", "warned"),
    [
        ({"gait": "walk"}, Style(gait="walk"), ["gait= is now called style=Style(gait=...)"]),
        ({"speed": 2.0}, Style(pace=2.0), ["speed= is now called style=Style(pace=...)"]),
        ({"pace": 3.0, "gait": "run"}, Style(3.0, "run"), ["pace= is", "gait= is"]),
    ],
)
def test_grouped_argument_warns(given, expected, warned):
    with pytest.warns(DeprecationWarning, match="will be removed in version 0.3") as warnings:
        walker = Walker(5, **given)
    assert walker.style == walker.get_params()["style"] == expected
    assert walker.steps == 5
    messages = [str(each.message) for each in warnings]
    assert len(messages) == len(warned)
    assert all(message.startswith(start) for message, start in zip(messages, warned, strict=True))


def test_group_is_passed_unchanged():
    style = Style(2.0)
    assert Walker(5, style=style).style is style
    assert Walker(5).get_params() == {"steps": 5, "style": None}
    assert list(inspect.signature(Walker).parameters) == ["steps", "style"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"style": Style(), "pace": 2.0}, "expected style alone"),
        ({"speed": 1.0, "pace": 2.0}, "expected pace alone"),
        ({"style": "bold"}, "style='bold'; expected a Style"),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_grouped_argument_rejects(given, message):
    with pytest.raises(TypeError, match=message):
        Walker(5, **given)


def test_new_arguments_warns_not():
    found = Walker.__init__.new_arguments({"steps": 3, "speed": 2.0})
    assert found == {"steps": 3, "style": Style(2.0)}


def test_renamed_method_warns():
    with pytest.warns(DeprecationWarning, match=r"Walker\.go is now called Walker\.walk"):
        assert Walker(5).go(2) == 7
    with pytest.warns(DeprecationWarning, match=r"OldWalker\.go is now called OldWalker\.walk"):
        assert find_method(OldWalker(), "walk", "go")(3) == 3
    assert find_method(Walker(5), "walk", "go")(3) == 8
    assert find_method(object(), "walk", "go") is None


def test_lazy_package_has_its_modules():
    code = "import dynamaze.agents as agents; agents.models.scored; agents.exploration"
    subprocess.run([sys.executable, "-c", code], check=True)
