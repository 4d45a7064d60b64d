"""What the page of compared jobs shows besides the reports."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.comparisons.live import LiveComparison
from api.jobs.schemas import JobObject
from api.pages.jobs.view import JobRow, build_row
from shared.domain.states import JobState
from shared.metrics.names import METRICS_BY_TASK_TYPE
from shared.report.comparison import Comparison, Pair
from shared.report.page import JobSection
from shared.report.page.tables import SettingRow, build_setting_rows


class ComparedRow(NamedTuple):
    """A compared job: under which title it stands here, and its row of the list of jobs."""

    title: str
    row: JobRow
    section: JobSection


class MissingSeeds(NamedTuple):
    """A job that has too few scores for any difference to be shown."""

    title: str
    job_id: str
    scores: int
    open: int
    """Runs that have not ended yet."""
    needed: int
    """Seeds that every job of the comparison needs."""
    can_extend: bool

    @property
    def more(self) -> int:
        return max(0, self.needed - self.scores - self.open)


class PairRow(NamedTuple):
    """A pair of jobs in the table of the differences."""

    pair: Pair
    tests: Mapping[str, float | None]
    """The p-values that decide, after Holm's adjustment where there are several pairs."""


def list_compared_rows(live: LiveComparison) -> list[ComparedRow]:
    return [
        ComparedRow(section.title, build_row(job), section)
        for job, section in zip(live.jobs, live.sections, strict=True)
    ]


def list_pair_rows(comparison: Comparison) -> list[PairRow]:
    """List the pairs with the p-values of the tests by name."""
    return [
        PairRow(
            pair, {test.name: test.p if test.p_holm is None else test.p_holm for test in pair.tests}
        )
        for pair in comparison.pairs
    ]


def list_differing_settings(sections: Sequence[JobSection]) -> list[SettingRow]:
    """List the settings of the recipes, and what else the jobs were made of, that differ."""
    recipes = build_setting_rows([section.recipe for section in sections])
    facts = build_setting_rows([section.facts for section in sections])
    own = {"job", "published model", "time"}  # these always differ
    skipped = own | {row.name for row in recipes}
    shown = [*recipes, *(row for row in facts if row.name not in skipped)]
    return [row for row in shown if row.differs]


def list_missing_seeds(live: LiveComparison) -> list[MissingSeeds]:
    """List the jobs that need more seeds before any difference can be shown."""
    pairs = [pair for pair in live.comparison.pairs if pair.verdict.seeds_needed is not None]
    needed = max((pair.verdict.seeds_needed or 0 for pair in pairs), default=0)
    concerned = {job_id for pair in pairs for job_id in (pair.a, pair.b)}
    found = [
        _count_missing_seeds(job, section, needed)
        for job, section in zip(live.jobs, live.sections, strict=True)
        if job.id in concerned
    ]
    return [missing for missing in found if missing.scores < needed]


def _count_missing_seeds(job: JobObject, section: JobSection, needed: int) -> MissingSeeds:
    report = section.report
    scores = sum(run.status == "succeeded" and run.score is not None for run in report.runs)
    summary = job.runs_summary
    return MissingSeeds(
        title=section.title,
        job_id=job.id,
        scores=scores,
        open=summary.queued + summary.running + summary.paused,
        needed=needed,
        can_extend=job.status != JobState.CANCELLED,
    )


def list_shared_metrics(jobs: Sequence[JobObject]) -> list[str]:
    """List the metrics in which all jobs can be compared: their tasks are the same."""
    task = jobs[0].task
    kind = task.get("type") if isinstance(task, dict) else task.type
    return [
        name for type_, names in METRICS_BY_TASK_TYPE.items() if type_ == kind for name in names
    ]
