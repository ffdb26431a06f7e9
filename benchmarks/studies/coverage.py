"""Coverage of the confidence intervals of this package, by simulation.

Samples of n runs are drawn from distributions like those of the figures' results, whose true
quantity is known; an interval of 95% should contain it in 95% of the samples. An interval that does
so in fewer than 93% is marked wherever it is shown, by the rule of `intervals.few_runs`.

Where results/ has tables of single runs, samples are also drawn from those, with replacement: the
stored runs are the distribution, and their mean, geometric mean or median is the true quantity.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.intervals import (
    FEW_RUNS_MARK,
    UNKNOWN_KIND,
    IntervalEstimate,
    few_runs,
    format_interval,
    geometric_mean_interval,
    mean_interval,
    proportion_interval,
    quantile_ranks,
)
from dynamaze.benchmarks.harness.analysis.plots import (
    REFERENCE,
    line_with_band,
    number_ticks,
    panels,
)
from dynamaze.benchmarks.harness.analysis.resampling import crossing_interval, median_ratio
from dynamaze.benchmarks.harness.analysis.statistics import (
    censored_at,
    interquartile_mean,
    kaplan_meier,
    paired_difference,
    probability_of_improvement,
    restricted_mean,
    stratified_bootstrap,
)
from dynamaze.benchmarks.harness.analysis.summaries import fraction_interval
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    make_table,
    read_csv,
    rows_where,
    stack,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.curves import interval_columns, interval_of
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner
from dynamaze.common.arrays import BoolArray, FloatArray
from dynamaze.common.options import Range, Runs
from dynamaze.common.validation import checked_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LEAST = 0.93
"""Intervals that cover less are marked."""

Draw = Callable[[np.random.Generator, int, int], FloatArray]
"""Draws (n, samples, ...) results from a generator, n and the number of samples."""


class Check(NamedTuple):
    """An interval of samples of a distribution."""

    interval: str
    kind: str  # of interval and data, a key of FEW_RUNS_BY_KIND
    truth: float
    covers: Callable[[FloatArray, float, np.random.Generator], BoolArray]
    """Tells of (n, samples, ...) results in which samples the interval contains the truth."""
    share: float = 1.0  # of the samples that are used: less for what is not vectorised
    most: int = 500  # runs


class DataSet(NamedTuple):
    """A distribution of results, and the intervals that are shown of such results."""

    title: str
    draw: Draw
    checks: tuple[Check, ...]


MOST_RESULTS = 10**7
"""Results of the samples of a batch, which fill the memory."""


@dataclass(frozen=True)
class CoverageConfig(ExperimentConfig):
    """Coverage of the intervals: data like those of the figures, and stored runs."""

    name: ClassVar[str] = "coverage"
    title: ClassVar[str] = "Coverage of the 95% intervals"
    swept: ClassVar[tuple[str, ...]] = ("data", "stored")

    runs: Runs = 10
    """Batches of samples of each distribution."""
    samples: Annotated[int, Range(1, limit=10**5)] = 1000
    """Samples of each batch, for each n."""
    numbers: tuple[Annotated[int, Range(2, limit=10**4)], ...] = (2, 3, 5, 10, 30, 100, 500)
    """Numbers n of runs."""
    repetitions: Annotated[int, Range(1, limit=10**5)] = 400
    """Bootstrap samples of each interval."""
    data: tuple[str, ...] = ()
    """Distributions, by default all."""
    stored: Annotated[int, Range(0, limit=10**4)] = 6
    """Columns of the tables of single runs in results/ that are drawn from, at most."""

    @property
    def settings(self) -> Sequence[Setting]:
        """The distributions, and the stored numbers."""
        named: list[tuple[str, tuple[float, ...]]] = [
            (name, ()) for name in self.data or data_sets()
        ]
        named += stored_numbers(self.output / "results", self.stored)
        return [Setting(arguments, self.runs, arguments[0]) for arguments in named]

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "share of samples whose 95% interval contains the true value, in %, with its own "
            f"interval; n runs in each sample; {FEW_RUNS_MARK}: the interval is marked as one of "
            "too few runs where it is shown"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for an unknown distribution, or a number that is too small.
        """
        super().check()
        for name in self.data:
            checked_choice("data", name, data_sets())
        if self.samples * max(self.numbers) > MOST_RESULTS:
            raise ValueError(
                f"samples={self.samples} of up to {max(self.numbers)} runs; expected at most "
                f"{MOST_RESULTS // max(self.numbers)}"
            )


def run(config: CoverageConfig, runner: Runner | None = None) -> Tables:
    """Run the experiment.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        One table, with the columns data, interval, kind, n, coverage_mean, coverage_low,
        coverage_high (the 95% interval of a proportion), samples, marked (1 or 0) and runs.
    """
    config.check()
    tables = []
    for batches in (runner or Runner()).run(trial, config):
        covered = np.sum([batch["covered"] for batch in batches], axis=0)
        samples = np.sum([batch["samples"] for batch in batches], axis=0)
        columns = {name: batches[0][name] for name in ("data", "interval", "kind", "n")}
        tables.append(
            make_table(
                **columns,
                **interval_columns("coverage", proportion_interval(covered, samples)),
                samples=samples,
                marked=[
                    int(few_runs(kind, n))
                    for kind, n in zip(columns["kind"], columns["n"], strict=True)
                ],
                runs=config.runs,
            )
        )
    return {config.name: stack(tables)}


def trial(config: CoverageConfig, name: str, numbers: tuple[float, ...], batch: int) -> Table:
    """Return a row for each interval and number of runs: in how many samples it covers.

    Args:
        config: the settings.
        name: of a distribution; the title of stored numbers.
        numbers: the stored numbers that are drawn from; empty for a distribution.
        batch: number of the run.
    """
    data = stored_data(name, np.array(numbers)) if numbers else data_sets(config.repetitions)[name]
    # Each distribution has random numbers of its own.
    stream = np.random.SeedSequence(config.seed, spawn_key=(batch, zlib.crc32(name.encode())))
    rng = np.random.default_rng(stream)
    rows = []
    for n in config.numbers:
        samples = data.draw(rng, n, config.samples)
        for check in data.checks:
            if n > check.most:
                continue
            used = samples[:, : max(1, round(check.share * config.samples))]
            covers = check.covers(used, check.truth, rng)
            rows.append(
                {
                    "data": data.title,
                    "interval": check.interval,
                    "kind": check.kind,
                    "n": n,
                    "covered": int(covers.sum()),
                    "samples": covers.size,
                }
            )
    return from_rows(rows)


# -- distributions -----------------------------------------------------------------------------


@cache
def data_sets(repetitions: int = 400) -> dict[str, DataSet]:
    """Return the distributions by name.

    Args:
        repetitions: bootstrap samples of each interval.
    """
    return {
        "normal": DataSet(
            "Normal",
            lambda rng, n, samples: rng.normal(16.0, 2.0, (n, samples)),
            (student("mean", 16.0),),
        ),
        **{
            f"two-modes-{round(100 * share)}": DataSet(
                f"Reward with two modes, {share:.0%} of the runs in the upper one",
                two_modes(share),
                (student("mean" if share >= 0.3 else "time", 60.0 + 140.0 * share),),
            )
            for share in (0.5, 0.37, 0.3, 0.14)
        },
        "lognormal": DataSet(
            "Updates until solved, lognormal (sigma 1)",
            lambda rng, n, samples: rng.lognormal(8.0, 1.0, (n, samples)),
            (student("skewed", math.exp(8.5)), geometric(math.exp(8.0)), median(math.exp(8.0))),
        ),
        "geometric-steps": DataSet(
            "Steps of a first episode, exponential",
            lambda rng, n, samples: rng.exponential(870.0, (n, samples)),
            (
                student("time", 870.0),
                geometric(870.0 * math.exp(-np.euler_gamma)),
                median(870.0 * math.log(2)),
            ),
        ),
        **{
            f"share-{round(100 * share)}": DataSet(
                f"Share, {share:.0%} of the runs succeed",
                successes(share),
                (Check("Wilson, widened", "proportion", share, covers_share),),
            )
            for share in (0.01, 0.37, 0.99)
        },
        "mazes-2": DataSet(
            "Success rate in n mazes, 2% of the mazes fail in part",
            lambda rng, n, samples: (
                1 - (rng.random((n, samples)) < 0.02) * rng.random((n, samples))
            ),
            (Check("as a share", "proportion", 0.99, covers_fraction),),
        ),
        **{f"recovery-{round(100 * share)}": recovery_data(share) for share in (0.2, 0.86)},
        "stopped": DataSet(
            "Recovery time, 20% of the runs stop early",
            stopped_runs,
            (
                Check("restricted mean", "time", mean_until(700.0), covers_restricted, 0.1),
                Check("Kaplan-Meier at 500", "survival", math.exp(-1), covers_survival, 0.1),
            ),
        ),
        "mazes": DataSet(
            "Paired difference, 3 seeds in each of n mazes",
            paired_mazes,
            (Check("Student, by maze", "mean", 1.0, covers_paired),),
        ),
        "crossing": DataSet(
            "Difference of two curves, 0 after 40% of the updates",
            differences_of_curves,
            (
                Check(
                    "crossing of the mean, bootstrap",
                    "crossing",
                    0.4,
                    lambda curves, truth, rng: covers_crossing(curves, truth, rng, repetitions),
                    0.1,
                    most=100,
                ),
            ),
        ),
        "ratio": DataSet(
            "Updates of two methods, lognormal (sigma 0.8 and 0.3)",
            two_lognormals,
            (
                Check(
                    "ratio of medians, bootstrap",
                    "bootstrap",
                    40.0,
                    lambda counts, truth, rng: covers_ratio(counts, truth, rng, repetitions),
                    0.1,
                    most=100,
                ),
            ),
        ),
        "scores": DataSet(
            "Scores in 4 mazes, two modes in each",
            scores_of_tasks,
            (
                Check(
                    "interquartile mean, bootstrap",
                    "bootstrap",
                    true_interquartile_mean(),
                    lambda scores, truth, rng: covers_bootstrap(scores, truth, rng, repetitions),
                    0.1,
                ),
                Check(
                    "probability of improvement, bootstrap",
                    "bootstrap",
                    NormalDist().cdf(0.5 / math.sqrt(2)),
                    lambda scores, truth, rng: covers_improvement(
                        scores.shape, truth, rng, repetitions
                    ),
                    0.05,
                    most=30,
                ),
            ),
        ),
    }


def recovery_data(share: float) -> DataSet:
    """Return recovery times of runs of 3000 steps, of which a share recovers, exponentially."""
    recovered = share * (1 - math.exp(-3000.0 / 500.0))
    middle = -500.0 * math.log(1 - 0.5 / share) if share > 0.5 else np.inf
    return DataSet(
        f"Recovery time, {share:.0%} of the runs recover",
        lambda rng, n, samples: recovery_times(rng, (n, samples), share),
        (
            Check(
                "restricted mean",
                "time",
                share * mean_until(3000.0) + (1 - share) * 3000.0,
                covers_restricted_3000,
            ),
            Check(
                "Kaplan-Meier at 500",
                "survival",
                1 - share * (1 - math.exp(-1)),
                covers_survival_3000,
                0.1,
            ),
            Check("fraction recovered", "proportion", recovered, covers_recovered),
            median(middle),
        ),
    )


def recovery_times(rng: np.random.Generator, shape: tuple[int, int], share: float) -> FloatArray:
    """Return times until recovery, infinite for the runs that do not recover."""
    times = rng.exponential(500.0, shape)
    return np.where((rng.random(shape) < share) & (times <= 3000.0), times, np.inf)


def stopped_runs(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
    """Return (n, samples, 2) times and whether they are events; a fifth of the runs stop early."""
    times = rng.exponential(500.0, (n, samples))
    stop = np.where(rng.random((n, samples)) < 0.2, rng.uniform(0, 700.0, (n, samples)), 3000.0)
    return np.stack([np.minimum(times, stop), times <= stop], axis=-1)


def mean_until(horizon: float) -> float:
    """Return the mean of exponential times of mean 500, of which at most the horizon counts."""
    return 500.0 * (1 - math.exp(-horizon / 500.0))


def two_modes(share: float) -> Draw:
    """Return normal numbers round 200 with a probability, else round 60."""

    def draw(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
        modes = np.where(rng.random((n, samples)) < share, 200.0, 60.0)
        return modes + rng.normal(0, 10, (n, samples))

    return draw


def successes(share: float) -> Draw:
    """Return ones with a probability, else zeros."""
    return lambda rng, n, samples: (rng.random((n, samples)) < share).astype(np.float64)


def paired_mazes(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
    """Return (n, samples, 3) differences: a maze has one of its own, and a seed too."""
    maze = 1.0 + rng.normal(0, 2.0, (n, samples, 1))
    return np.asarray(maze + rng.normal(0, 1.0, (n, samples, 3)))


UPDATES = np.linspace(0, 1, 21)
"""Points of the curves of `differences_of_curves`."""


def differences_of_curves(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
    """Return (n, samples, points) curves whose mean is negative, then 0 at 0.4 and positive."""
    lead, late, noise = (rng.normal(size=(n, samples, count)) for count in (1, 1, UPDATES.size))
    mean = 4 * UPDATES * (UPDATES - 0.4)
    return np.asarray((1 + lead) * mean + late * UPDATES + 0.3 * noise)


def two_lognormals(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
    """Return (n, samples, 2) updates of two methods, whose medians are 4000 and 100."""
    return np.array([4000.0, 100.0]) * rng.lognormal(0.0, [0.8, 0.3], (n, samples, 2))


TASKS = np.array([0.2, 0.35, 0.45, 0.5])
"""Scores of the lower mode in each maze; the upper one is 0.4 above, and has 63% of the runs."""


def scores_of_tasks(rng: np.random.Generator, n: int, samples: int) -> FloatArray:
    """Return (n, samples, tasks) scores."""
    shape = (n, samples, TASKS.size)
    return np.asarray(TASKS + 0.4 * (rng.random(shape) < 0.63) + rng.normal(0, 0.05, shape))


@cache
def true_interquartile_mean() -> float:
    """Return the interquartile mean of the distribution of `scores_of_tasks`."""
    grid = np.linspace(-0.5, 1.5, 20_001)
    normal = np.vectorize(NormalDist(0, 0.05).cdf)
    parts = [0.37 * normal(grid - low) + 0.63 * normal(grid - low - 0.4) for low in TASKS]
    cumulative = np.clip(np.mean(parts, axis=0), 0.25, 0.75)
    # The mean of the quantiles from 0.25 to 0.75.
    return float(np.sum((grid[1:] + grid[:-1]) / 2 * np.diff(cumulative)) / 0.5)


@cache
def stored_numbers(folder: Path, most: int) -> list[tuple[str, tuple[float, ...]]]:
    """Return titles and numbers of the tables of single runs, the most skewed of each column.

    Args:
        folder: of the tables; none may be there.
        most: number of columns.
    """
    found: list[tuple[str, tuple[float, ...]]] = []
    for path in sorted(folder.glob("*.csv")):
        table = read_csv(path)
        if "run" not in table:
            continue
        groups = _groups_of_runs(table)
        for name, values in table.items():
            own = [values[rows] for rows in groups if values.dtype.kind == "f"]
            usable = [each for each in own if np.isfinite(each).all() and np.ptp(each) > 0]
            if usable and len(found) < most:
                chosen = max(usable, key=lambda each: abs(_skewness(each)))
                found.append((f"Stored: {path.stem}, {name}", tuple(chosen.tolist())))
    return found


def _groups_of_runs(table: Table, least: int = 30) -> list[BoolArray]:
    """Return the rows of each setting of a table that has a row for each run, and enough runs."""
    names = sorted(
        (name for name in table if name != "run"), key=lambda name: _is_result(table, name)
    )
    for count in range(len(names) + 1):
        # Columns of numbers are settings too, as far as they are needed to tell rows apart.
        if count < len(names) and not _is_result(table, names[count]):
            continue
        keys = [table[name].astype(str) for name in names[:count]]
        settings = np.stack([*keys, np.full(table["run"].size, "")], axis=1)
        labels = np.unique(settings, axis=0, return_inverse=True)[1].ravel()
        if np.unique(np.stack([labels, table["run"]]), axis=1).shape[1] == labels.size:
            groups = [labels == label for label in range(labels.max() + 1)]
            return [rows for rows in groups if rows.sum() >= least]
    return []


def _is_result(table: Table, name: str) -> bool:
    return table[name].dtype.kind == "f"


def stored_data(title: str, numbers: FloatArray) -> DataSet:
    """Return stored numbers as a distribution, with the intervals that fit unknown numbers."""
    checks = [student(UNKNOWN_KIND, float(numbers.mean()))]
    if (numbers > 0).all():
        checks.append(geometric(float(np.exp(np.log(numbers).mean()))))
    middle = np.sort(numbers)[math.ceil(numbers.size / 2) - 1]
    return DataSet(
        title,
        lambda rng, n, samples: rng.choice(numbers, (n, samples)),
        (*checks, median(float(middle))),
    )


def _skewness(numbers: FloatArray) -> float:
    return float(np.mean((numbers - numbers.mean()) ** 3) / numbers.std() ** 3)


# -- intervals ---------------------------------------------------------------------------------


def student(kind: str, truth: float) -> Check:
    """Return the check of Student's interval of the mean."""
    return Check("Student", kind, truth, lambda data, true, _: within(mean_interval(data), true))


def geometric(truth: float) -> Check:
    """Return the check of the interval of the geometric mean."""
    return Check(
        "geometric mean",
        "geometric",
        truth,
        lambda data, true, _: within(geometric_mean_interval(data), true),
    )


def median(truth: float) -> Check:
    """Return the check of the interval of the median."""
    return Check("median, order statistics", "median", truth, covers_median)


def within(interval: IntervalEstimate, truth: float) -> BoolArray:
    """Return which intervals contain a number; equal numbers may differ by rounding."""
    slack = 1e-9 * abs(truth) if math.isfinite(truth) else 0.0
    return np.asarray((interval.low <= truth + slack) & (interval.high >= truth - slack))


def covers_median(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples the interval of the median contains it; it may be infinite."""
    # As `median_interval`, for all samples at once.
    low, high = np.clip(quantile_ranks(len(data)), 1, len(data)) - 1
    ends = np.sort(data, axis=0)
    return within(IntervalEstimate(ends[low], ends[low], ends[high]), truth)


def covers_share(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples the interval of the proportion of ones contains it."""
    return within(proportion_interval(data.sum(axis=0), len(data)), truth)


def covers_fraction(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples the interval of a mean of fractions contains it."""
    return within(fraction_interval(data), truth)


def covers_recovered(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples the interval of the fraction of finite times contains it."""
    return covers_share(np.isfinite(data) * 1.0, truth, rng)


def covers_restricted_3000(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples of times, infinite without recovery, the restricted mean covers."""
    # Without earlier censoring it is Student's interval, which is computed for all samples at once.
    return within(mean_interval(np.minimum(data, 3000.0)), truth)


def covers_restricted(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples with censoring the restricted mean covers, where it is known."""
    return np.array(
        [
            within(restricted_mean(times, observed == 1, 700.0), truth)
            for times, observed in _pairs(data)
            if times.max() >= 700.0 or observed[times.argmax()] == 1
        ],
        dtype=np.bool_,
    )


def covers_survival_3000(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples of times, infinite without recovery, Kaplan-Meier's band covers."""
    return np.array(
        [within(kaplan_meier(*censored_at(times, 3000.0)).at(500.0), truth) for times in data.T]
    )


def covers_survival(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples with censoring Kaplan-Meier's band covers at step 500."""
    return np.array(
        [
            within(kaplan_meier(times, observed == 1).at(500.0), truth)
            for times, observed in _pairs(data)
        ]
    )


def _pairs(data: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    for sample in np.moveaxis(data, 1, 0):
        yield sample[:, 0], sample[:, 1]


def covers_paired(data: FloatArray, truth: float, rng: np.random.Generator) -> BoolArray:
    """Return in which samples the interval of the difference contains it, paired by maze."""
    n, samples, seeds = data.shape
    differences = np.moveaxis(data, 2, 1).reshape(n * seeds, samples)
    mazes = np.repeat(np.arange(n), seeds)
    return within(paired_difference(differences, np.zeros_like(differences), mazes), truth)


def covers_crossing(
    data: FloatArray, truth: float, rng: np.random.Generator, repetitions: int
) -> BoolArray:
    """Return in which samples of curves the interval of the mean's crossing contains it."""
    return np.array(
        [
            within(crossing_interval(UPDATES, each, rng=rng, resamples=repetitions), truth)
            for each in np.moveaxis(data, 1, 0)
        ]
    )


def covers_ratio(
    data: FloatArray, truth: float, rng: np.random.Generator, repetitions: int
) -> BoolArray:
    """Return in which samples of two methods the interval of the ratio of medians contains it."""
    return np.array(
        [
            within(median_ratio(first, second, rng=rng, resamples=repetitions), truth)
            for first, second in np.moveaxis(data, (2, 1), (1, 0))
        ]
    )


def covers_bootstrap(
    data: FloatArray, truth: float, rng: np.random.Generator, repetitions: int
) -> BoolArray:
    """Return in which samples the bootstrap interval of the interquartile mean contains it."""
    return np.array(
        [
            within(
                stratified_bootstrap(interquartile_mean, each, rng=rng, repetitions=repetitions),
                truth,
            )
            for each in np.moveaxis(data, 1, 0)
        ]
    )


def covers_improvement(
    shape: tuple[int, ...], truth: float, rng: np.random.Generator, repetitions: int
) -> BoolArray:
    """Return in which samples the interval of the probability of improvement contains it.

    Args:
        shape: (n, samples, tasks) of the scores of each of two methods, normal ones, of which the
            first are higher by half a standard deviation.
        truth: the probability.
        rng: draws them.
        repetitions: bootstrap samples.
    """
    n, samples, tasks = shape
    found = []
    for _ in range(samples):
        first, second = rng.normal(0.5, 1.0, (n, tasks)), rng.normal(0.0, 1.0, (n, tasks))
        interval = stratified_bootstrap(
            probability_of_improvement, first, second, rng=rng, repetitions=repetitions
        )
        found.append(within(interval, truth))
    return np.array(found)


# -- plot and summary --------------------------------------------------------------------------


def plot(tables: Tables, config: CoverageConfig) -> Figure:
    """Plot coverage against the number of runs, a panel for each distribution."""
    table = tables[config.name]
    titles = distinct(table, "data")
    rows = (len(titles) + 2) // 3
    figure, grid = panels(rows, 3, size=(13, 0.6 + 2.8 * rows), sharey=True)
    for axes, title in zip(grid.flat, titles, strict=False):
        own = rows_where(table, data=title)
        for name in distinct(own, "interval"):
            curve = rows_where(own, interval=name)
            colour = line_with_band(axes, curve["n"], interval_of(curve, "coverage"), label=name)
            shown = curve["marked"] == 0
            axes.plot(curve["n"][shown], curve["coverage_mean"][shown], "o", color=colour)
        axes.axhline(LEAST, **REFERENCE)
        axes.set(xscale="log", ylim=(0.6, 1.01), xlabel="Runs n")
        axes.set_title(title)
        number_ticks(axes, np.unique(table["n"]))
        axes.legend(fontsize=7)
    for axes in grid.flat[len(titles) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Coverage")
    figure.suptitle(
        "Coverage of the 95% intervals, with its own 95% interval; points: shown without a mark; "
        f"n = {table['samples'].min()} to {table['samples'].max()} samples"
    )
    return figure


def summary(tables: Tables, config: CoverageConfig) -> dict[str, Lines]:
    """Return a section for each distribution, one of all, and one of those without a mark."""
    table = tables[config.name]
    sections: dict[str, Lines] = {}
    for title in distinct(table, "data"):
        own = rows_where(table, data=title)
        names = distinct(own, "interval")
        lines: Lines = [("n", *names)]
        for n in np.unique(own["n"]):
            cells = (coverage_text(rows_where(own, n=n, interval=name)) for name in names)
            lines.append((str(n), *cells))
        sections[title] = lines
    sections["All of them, in %"] = overview(table)
    shown = rows_where(table, marked=0)
    below = shown["coverage_mean"] < LEAST
    lowest = int(shown["coverage_mean"].argmin())
    sections["Intervals without a mark"] = [
        ("cases", f"below {LEAST:.0%}", "lowest coverage"),
        (
            str(below.size),
            str(int(below.sum())),
            f"{coverage_text({name: column[[lowest]] for name, column in shown.items()})}: "
            f"{shown['data'][lowest]}, {shown['interval'][lowest]}, n={shown['n'][lowest]}",
        ),
    ]
    return sections


def overview(table: Table) -> Lines:
    """Return a line for each distribution and interval: the coverage by the number of runs."""
    numbers = np.unique(table["n"])
    lines: Lines = [("data", "interval", *(f"n={n}" for n in numbers))]
    for title in distinct(table, "data"):
        own = rows_where(table, data=title)
        for row, name in enumerate(distinct(own, "interval")):
            cells = []
            for n in numbers:
                case = rows_where(own, interval=name, n=n)
                mark = f" {FEW_RUNS_MARK}" if case["marked"].any() else ""
                cells.append(
                    f"{100 * case['coverage_mean'][0]:.1f}{mark}" if case["n"].size else "-"
                )
            lines.append((title if row == 0 else "", name, *cells))
    return lines


def coverage_text(row: Table) -> str:
    """Return the coverage of a row, its interval and its mark; "-" for no row."""
    if not row["n"].size:
        return "-"
    percent = IntervalEstimate(*(100 * part for part in interval_of(row, "coverage")))
    text = format_interval(percent, few=bool(row["marked"][0]))
    below = not row["marked"][0] and row["coverage_mean"][0] < LEAST
    return f"{text} below {LEAST:.0%}" if below else text


if __name__ == "__main__":
    run_script(__file__)
