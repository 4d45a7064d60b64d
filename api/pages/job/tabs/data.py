"""The tab of the data: the job's files, how they were read and split, and every caution."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from api.files.listing import list_existing_files
from api.files.schemas import FileObject
from api.jobs.schemas import JobObject
from api.pages.job.page import JobPage, Tab
from shared.datasets.profile.schemas import TextLength
from shared.domain.job_facts import DatasetFacts, LabelCount
from shared.domain.task import Task

FIELDS: Final = ("training_file", "validation_file", "test_file", "unlabelled_file")
SHOWN_LABELS: Final = 20


class DataFile(NamedTuple):
    """One of the job's files."""

    title: str
    """What it is for."""
    id: str
    name: str
    file: FileObject | None
    """None if it was deleted."""
    sha256: str | None
    source: str | None
    """Reference to the hub that it came from."""


def build(shown: JobPage) -> dict[str, object]:
    job = shown.job
    facts = DatasetFacts.model_validate(job.dataset)
    found = list_existing_files(shown.page.services, [getattr(job, field) for field in FIELDS])
    existing = {file.id: file for file in found}
    labels = sorted(facts.labels or [], key=_rank_label)
    return {
        "files": _list_files(job, facts, existing),
        "task": job.task if isinstance(job.task, Task) else None,
        "split": job.split if isinstance(job.split, Mapping) else job.split.model_dump(),
        "facts": facts,
        "labels": labels[:SHOWN_LABELS],
        "more_labels": len(labels) - SHOWN_LABELS,
        "text_length": _find_text_length(job, existing.get(job.training_file)),
        "duplicates": _count_duplicates(existing.get(job.training_file)),
        "cautions": shown.report.get("warnings") or job.warnings,
    }


def _rank_label(one: LabelCount) -> tuple[int, str]:
    return -one.count, one.label


def _list_files(
    job: JobObject, facts: DatasetFacts, existing: Mapping[str, FileObject]
) -> list[DataFile]:
    names, hub = facts.filenames or {}, facts.hub or {}
    files = []
    for field in FIELDS:
        file_id: str | None = getattr(job, field)
        if file_id is None:
            continue
        file = existing.get(file_id)
        name = file.filename if file is not None else names.get(field, file_id)
        digest: str | None = getattr(facts, field.replace("_file", "_sha256"))
        source = hub[field].asked if field in hub else None
        title = field.removesuffix("_file").replace("_", " ")
        files.append(DataFile(title, file_id, name, file, digest, source))
    return files


def _find_text_length(job: JobObject, file: FileObject | None) -> TextLength | None:
    """Return the lengths in the file's profile, if it has the columns that the job reads."""
    profile = None if file is None else file.profile
    if profile is None or profile.detected is None or not isinstance(job.task, Task):
        return None
    detected: Any = profile.detected
    names = ("text_column", "text_pair_column")
    is_same = all(getattr(detected, name) == getattr(job.task, name) for name in names)
    return profile.text_length if is_same else None


def _count_duplicates(file: FileObject | None) -> int | None:
    return None if file is None or file.profile is None else file.profile.duplicates


TAB = Tab("data", "Data", 50, "job/data.html.j2", build)
