"""The endurance run, in small."""

from __future__ import annotations

import math

import pytest

from dynamaze.benchmarks.studies.soak import Endurance, Part, check, main, run


def test_a_short_run_is_as_the_exact_numbers_say(capsys: pytest.CaptureFixture[str]) -> None:
    parts = run(Endurance(steps=2e6, num_envs=100))
    assert [part.steps for part in parts] == [200_000] * 10
    check(parts)  # false-alarm rate 6e-6, seed fixed
    main(Endurance(steps=1e4, num_envs=10))
    assert "sigma" in capsys.readouterr().out


def test_what_drifts_is_noticed() -> None:
    good = Part(steps=1000, goals=9, sigmas=0.5, memory=100.0, rate=1.0)
    check([good, good._replace(memory=math.nan)])
    with pytest.raises(RuntimeError, match=r"part 2: 9 goals, -7\.0 standard deviations off"):
        check([good, good._replace(sigmas=-7.0)])
    with pytest.raises(RuntimeError, match="900 MB more memory"):
        check([good, good._replace(memory=1000.0)])


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps=5 of 4 worlds; expected >= 40"):
        run(Endurance(steps=5, num_envs=4))
    with pytest.raises(ValueError, match="of 0 worlds"):
        run(Endurance(num_envs=0))
