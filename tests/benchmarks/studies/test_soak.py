"""The soak test, with few steps."""

from __future__ import annotations

import math

import pytest

from dynamaze.benchmarks.studies.soak import SoakConfig, SoakPart, check, main, run


def test_short_run_matches_exact_values(capsys: pytest.CaptureFixture[str]) -> None:
    parts = run(SoakConfig(steps=2e6, num_envs=100))
    assert [part.steps for part in parts] == [200_000] * 10
    check(parts)  # false-alarm rate 6e-6, seed fixed
    main(SoakConfig(steps=1e4, num_envs=10))
    assert "sigma" in capsys.readouterr().out


def test_check_detects_drift() -> None:
    good = SoakPart(steps=1000, goals=9, sigmas=0.5, memory=100.0, rate=1.0)
    check([good, good._replace(memory=math.nan)])
    with pytest.raises(RuntimeError, match=r"part 2: 9 goals, -7\.0 standard deviations off"):
        check([good, good._replace(sigmas=-7.0)])
    with pytest.raises(RuntimeError, match="900 MB more memory"):
        check([good, good._replace(memory=1000.0)])


def test_run_rejects_few_steps() -> None:
    with pytest.raises(ValueError, match="steps=5 of 4 environments; expected >= 40"):
        run(SoakConfig(steps=5, num_envs=4))
    with pytest.raises(ValueError, match="of 0 environments"):
        run(SoakConfig(num_envs=0))
