"""Reports: one self-contained HTML file for each experiment, and `dynamaze bench report`.

A report has the summary tables and plots of the experiment's last sweep, its configuration, the
counts of its runs, failures with their tracebacks, versions, machine and command. It loads nothing
from anywhere and needs no script. An experiment ends with

    store.end_sweep(sweep, tables, title=..., sections=..., caption=..., pictures=[png])
    write_report(folder / f"{name}.html", stored_report(store, name))
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from dynamaze.benchmarks.harness.analysis.intervals import FEW_RUNS_NOTE
from dynamaze.benchmarks.harness.analysis.table import Lines
from dynamaze.benchmarks.harness.reports.export import file_stem, stored_experiments
from dynamaze.benchmarks.harness.reports.run_metrics import metric_lines
from dynamaze.benchmarks.harness.store.database import Store, StoredGroup, StoreError, Sweep
from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.options import ResultsFolder
from dynamaze.common.validation import checked_choice
from dynamaze.common.version import __version__

MAX_TRACEBACKS = 50
"""Failed runs whose tracebacks are shown; the others are listed by number."""


class FailedRun(NamedTuple):
    """Failed run, as shown."""

    label: str
    number: int
    attempts: int
    error: str


@dataclass(frozen=True)
class Report:
    """Contents of a report; only the title is needed."""

    title: str
    sections: Mapping[str, Lines] = field(default_factory=dict)
    """Title -> lines, the first of which has the names of the columns."""
    caption: str = ""
    pictures: Sequence[bytes] = ()
    """PNG or SVG documents."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Option -> value, as JSON."""
    runs: Lines = field(default_factory=list)
    """Counts of runs, as lines with a header."""
    failures: Sequence[FailedRun] = ()
    command: str = ""
    """The command that makes it again."""
    machines: Lines = field(default_factory=list)
    """Versions and machines, as lines with a header."""
    began: str = ""
    note: str = ""
    """Warning at the top."""


def stored_report(store: Store, experiment: str) -> Report:
    """Return the report of the last completed sweep of an experiment, else of the last one.

    Args:
        store: has the sweep and its runs.
        experiment: the experiment's name in the store.

    Raises:
        StoreError: if the store has no such experiment, or a damaged run that the report needs.
    """
    sweeps = store.sweeps(experiment)
    groups = store.groups(experiment)
    if not groups and not sweeps:
        known = sorted({stored.group.experiment for stored in store.groups()})
        name = "memory" if store.path is None else os.fspath(store.path)
        raise StoreError(f"{name}: no runs of {experiment!r}; expected one of {known}")
    sweep = _last_sweep(sweeps)
    if sweep is not None and sweep.group_ids:
        members = set(sweep.group_ids)
        groups = [stored for stored in groups if stored.id in members]
    if sweep is None or sweep.ended is None:
        means = _without_empty_columns(metric_lines(store, groups))
        report = Report(
            experiment,
            {"Stored runs, means": means},
            FEW_RUNS_NOTE,
            note="This sweep has not ended; the command continues it.",
        )
    else:
        pictures = store.sweep_pictures(sweep.id)
        report = Report(sweep.title or experiment, sweep.sections, sweep.caption, pictures)
    provenance = sweep.provenance if sweep else {}
    return replace(
        report,
        configuration=json.loads(sweep.configuration) if sweep else {},
        runs=_run_lines(groups),
        failures=[failed for stored in groups for failed in _failed_runs(store, stored)],
        command=provenance.get("command", ""),
        machines=machine_lines(store, [stored.id for stored in groups], provenance),
        began=_time(sweep.began) if sweep else "",
    )


def _last_sweep(sweeps: Sequence[Sweep]) -> Sweep | None:
    """Return the last sweep that has ended, else the last one."""
    ended = [sweep for sweep in sweeps if sweep.ended is not None]
    return next(reversed(ended or sweeps), None)


def _failed_runs(store: Store, stored: StoredGroup) -> list[FailedRun]:
    if not stored.failed:
        return []
    setting = ", ".join(filter(None, (stored.group.label, stored.group.environment)))
    return [
        FailedRun(setting, failure.number, failure.attempts, failure.error)
        for failure in store.failures(stored.id)
    ]


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report as one HTML file, atomically, and create its folder if it is missing.

    Raises:
        OSError: if the file cannot be written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, report_html(report).encode())


def _run_lines(groups: Iterable[StoredGroup]) -> Lines:
    lines: Lines = [("setting", "environment", "n", "failed", "seconds a run")]
    for stored in groups:
        mean = f"{stored.seconds / stored.done:.3g}" if stored.done else ""
        label, environment = stored.group.label, stored.group.environment
        lines.append((label, environment, str(stored.done), str(stored.failed), mean))
    return _without_empty_columns(lines)


def _without_empty_columns(lines: Lines) -> Lines:
    kept = [at for at in range(len(lines[0])) if any(line[at] for line in lines[1:])]
    return [tuple(line[at] for at in kept) for line in lines] if kept else lines


def machine_lines(
    store: Store, group_ids: Iterable[int], default: Mapping[str, Any] | None = None
) -> Lines:
    """Return versions and machines, with a column for each set-up under which runs took place.

    Args:
        store: has the runs.
        group_ids: their groups.
        default: provenance that is shown if there are no runs.
    """
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for provenance, runs in store.provenances(group_ids):
        counts[_set_up(provenance)] += runs
    if default and not counts:
        counts[_set_up(default)] += 0
    set_ups = [dict(set_up) for set_up, _ in counts.most_common()]
    names = dict.fromkeys(name for set_up in set_ups for name in set_up)
    return [
        ("", *(f"{runs} runs" for _, runs in counts.most_common())),
        *((name, *(set_up.get(name, "") for set_up in set_ups)) for name in names),
    ]


def _set_up(provenance: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return names and texts of versions and machine, in the order in which they are shown."""
    versions = [(name, str(text)) for name, text in provenance.get("versions", {}).items()]
    others = [
        (title, str(provenance[name]))
        for name, title in _MACHINE.items()
        if provenance.get(name) not in (None, "")
    ]
    return (*versions, *others)


_MACHINE = {
    "revision": "revision of dynamaze",
    "host": "host",
    "cpu": "processor",
    "cores": "cores",
    "platform": "system",
}
"""Parts of a provenance -> their titles in a report."""


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


# -- HTML --------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --link: #06c; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; } .note { border-left: .25rem solid #c60; padding-left: .75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; }
th { border-bottom: 2px solid var(--line); } td { border-bottom: 1px solid var(--line); }
.cells td { white-space: nowrap; } @media (max-width: 40rem) { table { font-size: .875rem; } }
 .long td { overflow-wrap: anywhere; min-width: 6rem; }
img { max-width: 100%; height: auto; background: white; border-radius: .25rem; }
pre { overflow-x: auto; background: var(--soft); padding: .75rem; border-radius: .25rem; }
.command { white-space: pre-wrap; } .command span { white-space: pre; }
summary { cursor: pointer; padding: .2rem 0; } footer { margin-top: 2rem; font-size: .85rem; }
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The browser itself loads nothing from anywhere, and runs nothing."""


def report_html(report: Report) -> str:
    """Return a report as an HTML document."""
    title = _text(report.title)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
    ]
    if report.note:
        parts.append(f'<p class="note">{_text(report.note)}</p>')
    if report.failures:
        parts.append(
            f'<p class="note">{len(report.failures)} runs failed; the numbers are of the others. '
            '<a href="#failures">Tracebacks</a></p>'
        )
    for name, lines in report.sections.items():
        if name != report.title:
            parts.append(f"<h2>{_text(name)}</h2>")
        parts.append(_table(name, lines))
    if report.caption:
        parts.append(f"<p><em>{_text(report.caption)}</em></p>")
    parts += [_picture(picture, report.title) for picture in report.pictures]
    if report.command:
        # Lines end between words alone: "--runs" may not be divided.
        words = " ".join(f"<span>{_text(word)}</span>" for word in report.command.split(" "))
        parts.append(f'<h2>Make it again</h2>\n<pre class="command">{words}</pre>')
    if report.configuration:
        rows: Lines = [
            ("option", "value"),
            *((name, shown(value)) for name, value in report.configuration.items()),
        ]
        parts.append(f"<h2>Configuration</h2>\n{_table('Configuration', rows, 'long')}")
    if report.runs:
        parts.append(f"<h2>Runs</h2>\n{_table('Runs', report.runs)}")
    if report.failures:
        parts.append(_failures(report.failures))
    if report.machines:
        parts.append(
            f"<h2>Versions and machine</h2>\n"
            f"{_table('Versions and machine', report.machines, 'long')}"
        )
    began = f", began {report.began}" if report.began else ""
    parts += [f"<footer>DynaMaze {__version__}{_text(began)}</footer>", "</body>", "</html>"]
    return "\n".join(parts) + "\n"


def shown(value: Any) -> str:
    """Return a described value (`fingerprint.describe`) as a person reads it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, dict):
        return _shown_object(value)
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value)


def _shown_object(value: Mapping[str, Any]) -> str:
    if "partial" in value:
        return _call(shown(value["partial"]), value["arguments"], value["keywords"])
    if "type" in value and isinstance(value.get("fields"), dict):
        return _call(value["type"].rpartition(":")[2], [], value["fields"])
    for kind in ("class", "function", "float", "path", "file", "enum", "environment", "type"):
        if kind in value:
            return str(value[kind])
    return ", ".join(f"{name}: {shown(each)}" for name, each in value.items())


def _call(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> str:
    parts = [*map(shown, arguments), *(f"{key}={shown(each)}" for key, each in keywords.items())]
    return f"{name}({', '.join(parts)})"


def _table(name: str, lines: Lines, kind: str = "cells") -> str:
    header, *rows = lines
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in header)
    body = "\n".join(f"<tr>{''.join(f'<td>{_text(c)}</td>' for c in row)}</tr>" for row in rows)
    # A region that scrolls must be reachable by the keyboard, hence the tabindex.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{_text(name)}">'
        f'<table class="{kind}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>'
        "</table></div>"
    )


def _picture(picture: bytes, title: str) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    content = base64.b64encode(picture).decode()
    return f'<p><img alt="Plot of {_text(title)}" src="data:image/{kind};base64,{content}"></p>'


def _failures(failures: Sequence[FailedRun]) -> str:
    parts = ['<h2 id="failures">Failures</h2>']
    for label, number, attempts, error in failures[:MAX_TRACEBACKS]:
        last = error.strip().splitlines()[-1] if error.strip() else "no message"
        tried = f", tried {attempts} times" if attempts > 1 else ""
        name = f"{label}, run {number}{tried}: {last}"
        parts.append(
            f"<details><summary>{_text(name)}</summary><pre>{_text(error)}</pre></details>"
        )
    if others := failures[MAX_TRACEBACKS:]:
        listed = ", ".join(f"{label}, run {number}" for label, number, *_ in others[:1000])
        more = " ..." if len(others) > 1000 else ""
        parts.append(f"<p>{len(others)} others: {_text(listed)}{more}</p>")
    return "\n".join(parts)


def _text(text: str) -> str:
    """Return text for HTML: escaped, without characters that a document may not have."""
    return escape(_FORBIDDEN.sub("\ufffd", text))


_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters other than tabs and ends of lines, halves of surrogates, and no characters."""


# -- the command -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReportConfig:
    """Write the reports of stored experiments: one HTML file each, results/NAME.html."""

    names: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[NAME ...]")
    ] = ()
    """Experiments; by default all that the store has."""
    store: Path | None = None
    """The store; by default results/runs.sqlite of the output."""
    output: ResultsFolder = Path()
    """Parent of the folder `results/`; the working directory by default."""


def main(config: ReportConfig) -> None:
    """Write the reports and print their paths.

    Raises:
        StoreError: if there is no such store, or it is damaged.
        ValueError: for an experiment that the store does not have.
    """
    for path in write_stored_reports(config):
        print(path.resolve())


def write_stored_reports(config: ReportConfig) -> list[Path]:
    """Write the reports of stored experiments and return their files."""
    folder = config.output / "results"
    with Store(config.store or folder / "runs.sqlite", write=False) as store:
        known = stored_experiments(store)
        names = [
            checked_choice("NAME", name.replace("-", "_"), known) for name in config.names
        ] or known
        paths = []
        for name in names:
            path = folder / f"{file_stem(name)}.html"
            write_report(path, stored_report(store, name))
            paths.append(path)
    return paths
