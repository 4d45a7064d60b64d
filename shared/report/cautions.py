"""The one list of a job's cautions: those of its plan, its files and its runs, the worst first.

Reports, pages, model cards, comparisons, dry runs and the command line all show this list, so a
caution that one reader sees reaches every reader.
"""

from collections.abc import Iterable, Sequence

from shared.domain.job_facts import JobWarning
from shared.report.schemas import Caution, Severity, StabilityReport

HIGH_CODES = (
    "leakage",
    "no_training",
    "constant_labels",
    "metric_undefined",
    "metric_cannot_discriminate",
    "pilots_failed",
    "pilots_degenerate",
    "label_not_in_training",
    "label_not_in_test",
    "label_not_in_validation",
)
"""The scores do not measure what they seem to, or training cannot have worked; gravest first."""
LOW_CODES = frozenset(
    {
        "checkpoint_chosen_on_same_rows",
        "class_names_of_file",
        "label_on_every_row",
        "lists_of_one_label",
        "n_epochs_taken_at_its_word",
        "number_format",
        "selection_effect",
        "task_type_inferred",
        "threads_by_run_count",
        "unlabelled_duplicates",
        "unlabelled_labels_ignored",
        "unused_columns_ignored",
        "validation_share_raised",
    }
)
"""How something was read or decided; the scores hold as they stand."""
PROGRESS_CODES = frozenset({"runs_open", "undefined_statistics"})
"""Cautions that only say that an open job has not ended, as its status does."""
_RANKS: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}


def merge_cautions(warnings: Iterable[JobWarning], found: Iterable[Caution]) -> list[Caution]:
    """Return a job's warnings and the cautions found in its runs, each once, the worst first."""
    stored = (make_caution(warning.code, warning.message) for warning in warnings)
    return rank_cautions([*stored, *found])


def make_caution(code: str, message: str) -> Caution:
    """Return a caution with the severity of its code; an unknown code counts as medium."""
    severity: Severity = "medium"
    if code in HIGH_CODES:
        severity = "high"
    elif code in LOW_CODES:
        severity = "low"
    return Caution(code=code, message=message, severity=severity)


def rank_cautions(cautions: Iterable[Caution]) -> list[Caution]:
    """Return each caution once, the worst first; equally grave ones keep their order."""
    return sorted(dict.fromkeys(cautions), key=_rank_caution)


def _rank_caution(caution: Caution) -> tuple[int, int]:
    position = HIGH_CODES.index(caution.code) if caution.code in HIGH_CODES else len(HIGH_CODES)
    return _RANKS[caution.severity], position


def select_plan_cautions(report: StabilityReport) -> list[Caution]:
    """Return the report's cautions without those that only say that runs are open."""
    if not report.provisional:
        return report.warnings
    return [caution for caution in report.warnings if caution.code not in PROGRESS_CODES]


def list_high_cautions(cautions: Sequence[Caution]) -> list[Caution]:
    """Return the cautions to read before the scores."""
    return [caution for caution in cautions if caution.severity == "high"]
