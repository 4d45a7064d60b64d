"""Facts that the diagnosis starts from, and groups of runs with the same finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from shared.domain.run_evidence import Evidence
from shared.recipe import Recipe
from shared.report.formatting import capitalize_first, format_fraction, format_number

MAJORITY_SHARE = 0.5
"""Share of the runs from which a finding applies to the job."""


@dataclass(frozen=True)
class RunFacts:
    status: str
    degenerate: bool | None
    error_code: str | None
    best_step: int | None
    evidence: Evidence | None


@dataclass(frozen=True)
class JobFacts:
    recipe: Recipe
    metric: str
    train_rows: int
    labels: Mapping[str, int]
    """Training rows of each label; empty for a regression."""
    max_seq_length: int
    max_positions: int | None
    """Longest input of the model in tokens; None for a job that is older than this fact."""
    runs: tuple[RunFacts, ...]
    """The main runs, ended or not."""
    multi_label: bool = False


@dataclass(frozen=True)
class RunGroup:
    """Runs with the same finding, out of those that ended by themselves."""

    job: JobFacts
    evidence: tuple[Evidence, ...]
    size: int
    total: int

    @classmethod
    def of_runs(cls, job: JobFacts, runs: Sequence[RunFacts], total: int) -> "RunGroup":
        evidence = tuple(run.evidence for run in runs if run.evidence is not None)
        return cls(job, evidence, len(runs), total)

    @property
    def subject(self) -> str:
        """Name the group at the beginning of a sentence: "5 of 6 runs"."""
        return capitalize_first(format_fraction(self.size, self.total, "run"))

    def is_majority_of(self, runs: Sequence[RunFacts]) -> bool:
        return self.size > MAJORITY_SHARE * len(runs)

    def format_mean(self, name: str) -> str:
        """Format the mean of one number of the evidence."""
        return format_number(fmean(getattr(evidence, name) for evidence in self.evidence))
