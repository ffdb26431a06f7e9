"""Options of methods on the command line and in TOML files."""

from dataclasses import dataclass

import pytest

from dynamaze.benchmarks.distillation.method_options import MethodConfig
from dynamaze.benchmarks.harness.command_line import UsageError, named_option, parse_options


@dataclass(frozen=True)
class Config(MethodConfig):
    """A command."""

    steps: int = 3
    """Training steps."""


def parsed(*words):
    return parse_options("test", Config, words)


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "soft", "--method.temperature", "2.5"),
        ("--method=soft", "--method.temperature=2.5"),
        ("--method.temperature", "2.5"),
    ],
)
def test_method_and_its_settings(words):
    config = parsed("--steps", "4", *words)
    assert config.steps == 4
    assert config.method.make().config == {"temperature": 2.5}
    assert str(config.method) == "soft --method.temperature 2.5"


def test_settings_in_a_file(tmp_path):
    path = tmp_path / "options.toml"
    path.write_text("steps = 5\n[method]\nname = 'soft'\ntemperature = 3.0\n")
    config = parsed("--config", str(path), "--method.temperature", "4")
    assert (config.steps, config.method.make().config) == (5, {"temperature": 4.0})


def test_unknown_methods_and_settings_are_refused():
    with pytest.raises(ValueError, match="method='sort'; expected one of"):
        parsed("--method", "sort")
    with pytest.raises(UsageError, match=r"--method\.heat"):
        parsed("--method", "soft", "--method.heat", "2")


def test_errors_name_the_setting():
    config = parsed("--method.temperature", "0")
    assert named_option("temperature=0.0; expected", config) == "--method.temperature=0.0; expected"
    assert named_option("heat=0.0; expected", config) is None
