"""Suites of settings by their names, and the setting that a text names."""

from __future__ import annotations

from typing import Any

from dynamaze.benchmarks.adaptation.gym_settings import GYM_SETTINGS, GYM_SUITE
from dynamaze.benchmarks.adaptation.settings import OWN, SETTINGS, SUITE, SuiteSetting
from dynamaze.benchmarks.harness.agent_runs.resolver import import_name
from dynamaze.common.validation import did_you_mean

SUITES: dict[str, dict[str, SuiteSetting]] = {SUITE: SETTINGS, GYM_SUITE: {**GYM_SETTINGS}}
"""Lists of settings. The names of settings differ between them, too."""

LISTED = {name: setting for settings in SUITES.values() for name, setting in settings.items()}
"""The settings of all suites, by name."""


def find_setting(text: str) -> SuiteSetting:
    """Return the setting that a text names.

    Args:
        text: a name of `LISTED`, also as `adaptation-v1/NAME`; or `module:name` or
            `path/file.py:name` of one's own.

    Raises:
        ValueError: for an unknown name, another version, or an object that is no setting.
    """
    if ":" in text:
        return checked_setting(import_name("setting", text), text)
    suite, _, name = text.rpartition("/")
    if suite and suite not in SUITES:
        raise ValueError(
            f"setting {text!r} is of suite {suite}; expected one of {', '.join(SUITES)}, or "
            "module:name"
        )
    known = SUITES[suite] if suite else LISTED
    if name not in known:
        raise ValueError(
            f"setting {text!r}; expected one of {', '.join(known)}, or module:name"
            f"{did_you_mean(name, known)}"
        )
    return known[name]


def checked_setting(setting: Any, text: str) -> SuiteSetting:
    """Return a setting after checking that it may be run beside the listed ones.

    Raises:
        ValueError: for another version, one that differs from the listed one, or another object.
    """
    if not isinstance(setting, SuiteSetting):
        raise ValueError(f"setting {text!r} is a {type(setting).__name__}; expected a SuiteSetting")
    known = (*SUITES, OWN)
    if setting.suite not in known:
        raise ValueError(
            f"setting {text!r} is of suite {setting.suite}; expected one of {', '.join(known)}"
        )
    if setting.suite != OWN and SUITES[setting.suite].get(setting.name) != setting:
        raise ValueError(
            f"setting {text!r} differs from that of {setting.suite}; expected suite={OWN!r} for "
            "one's own"
        )
    return setting
