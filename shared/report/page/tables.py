"""Rows and columns of the page's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from shared.recipe.pilot_schemas import PilotCandidate, PilotSearch, PilotSettings
from shared.report.details import ClassScores
from shared.report.page.cells import format_value
from shared.report.page.publishable import build_publishable_rows
from shared.report.page.section import JobSection
from shared.report.schemas import ReportedRun

SHOWN_SETTINGS = {"max_steps"}
"""Settings of a candidate that are shown even if all candidates have the same value."""
PILOT_RESULTS = PilotCandidate.model_fields.keys() - PilotSettings.model_fields.keys()
MAX_CLASSES = 30
"""Number of labels in a job's table; with more, the weakest are shown."""


@dataclass(frozen=True)
class SettingRow:
    name: str
    values: list[str]
    differs: bool


@dataclass(frozen=True)
class PilotTable:
    title: str
    search: PilotSearch
    columns: list[str]
    """Settings, then results, each in order of first appearance."""


def build_tables(jobs: Sequence[JobSection]) -> dict[str, Any]:
    """Build the template's variables that are tables."""
    names = (baseline.name for job in jobs for baseline in job.report.baselines)
    return {
        "facts": build_setting_rows([job.facts for job in jobs]),
        "settings": build_setting_rows([job.recipe for job in jobs]),
        "seeds": _build_seed_rows(jobs),
        "baselines": list(dict.fromkeys(names)),
        "classes": _build_class_tables(jobs),
        "max_classes": MAX_CLASSES,
        "pilots": _build_pilot_tables(jobs),
        "publishable": build_publishable_rows(jobs),
    }


def _build_class_tables(jobs: Sequence[JobSection]) -> list[tuple[str, list[ClassScores]]]:
    return [
        (job.title, _select_weakest_classes(job.report.per_class))
        for job in jobs
        if job.report.per_class
    ]


def _build_pilot_tables(jobs: Sequence[JobSection]) -> list[PilotTable]:
    return [build_pilot_table(job.title, job.report.pilots) for job in jobs if job.report.pilots]


def build_pilot_table(title: str, pilots: Mapping[str, Any]) -> PilotTable:
    """Build the table of a job's pilots, as they are stored."""
    search = PilotSearch.model_validate(pilots)
    names = [
        name
        for name in dict.fromkeys(name for candidate in search.candidates for name in candidate)
        if name in PILOT_RESULTS or name in SHOWN_SETTINGS or _varies(search, name)
    ]
    columns = sorted(names, key=lambda name: name in PILOT_RESULTS)
    return PilotTable(title, search, columns)


def _varies(search: PilotSearch, name: str) -> bool:
    """Return whether a setting has different values among the candidates."""
    return len({str(candidate.get(name)) for candidate in search.candidates}) > 1


def build_setting_rows(columns: Sequence[Mapping[str, object]]) -> list[SettingRow]:
    """Build one row for each name that any column has, in order of first appearance."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = ([format_value(column.get(name)) for column in columns] for name in names)
    return [
        SettingRow(name, values, len(set(values)) > 1)
        for name, values in zip(names, rows, strict=True)
    ]


def _build_seed_rows(jobs: Sequence[JobSection]) -> list[tuple[ReportedRun | None, ...]]:
    """Build rows of runs by index, one column per job."""
    return list(zip_longest(*(job.report.runs for job in jobs)))


def _select_weakest_classes(classes: list[ClassScores]) -> list[ClassScores]:
    """List all labels in their order or, if there are too many, those with the lowest F1."""
    if len(classes) <= MAX_CLASSES:
        return classes
    return sorted(classes, key=lambda one: one.f1.mean if one.f1.mean is not None else -1.0)[
        :MAX_CLASSES
    ]
