"""The facts of a job on the report's page: model, task, data, seeds and machine, as displayed."""

from collections.abc import Mapping, Sequence

from shared.db.tables import Job, Run
from shared.domain.task import TaskType
from shared.report import StabilityReport
from shared.report.formatting import format_count

MISSING = "–"
MAX_NAMED_LABELS = 6
_TASK_NAMES = {
    TaskType.SINGLE_LABEL: "single-label classification",
    TaskType.MULTI_LABEL: "multi-label classification",
    TaskType.REGRESSION: "regression",
}


def describe_job(
    job: Job, runs: Sequence[Run], report: StabilityReport, filenames: Mapping[str, str]
) -> dict[str, str]:
    """Describe the job; ``filenames`` are those of its files that still exist, by ID."""
    row_counts = job.dataset.rows.by_split.items()
    recipe = job.resolved_recipe
    return {
        "job": job.id,
        "base model": _describe_base_model(job),
        "published model": job.fine_tuned_model or MISSING,
        "task": _describe_task(job),
        "max_seq_length": _describe_length(job),
        "metric": f"{report.metric}, on the {report.split} rows",
        "seeds": _describe_seeds(runs),
        "rows": ", ".join(f"{count} {split}" for split, count in row_counts if count),
        **_describe_unlabelled_file(job, filenames),
        "training file": _describe_file(job, "training_file", filenames) or MISSING,
        "validation file": _describe_file(job, "validation_file", filenames) or _name_split(job),
        "test file": _describe_file(job, "test_file", filenames) or _name_test_rows(job),
        "device": ", ".join(sorted({run.device for run in runs if run.device})) or MISSING,
        "threads": str(job.threads),
        "precision": MISSING if recipe is None else recipe.precision,
        "time": _format_time(job),
    }


def _describe_base_model(job: Job) -> str:
    """Name the model, and for a model of the hub the commit."""
    if job.hub_model is None:
        return job.model
    return f"{job.model} (hub commit {job.hub_model.commit})"


def _describe_task(job: Job) -> str:
    task = job.task
    kind = _TASK_NAMES.get(TaskType(task.type)) if task.type in list(TaskType) else task.type
    texts = [
        _name_column(column)
        for column in (task.text_column, task.text_pair_column)
        if column is not None
    ]
    parts = [
        f"{'texts' if len(texts) > 1 else 'text'} from {' and '.join(texts)}",
        f"labels from {_name_column(task.label_column)}",
    ]
    names = task.label_names
    if len(names) > MAX_NAMED_LABELS:
        parts.append(format_count(len(names), "label"))
    elif names:
        parts.append(f"{format_count(len(names), 'label')}: {', '.join(names)}")
    return f"{kind}; {'; '.join(parts)}"


def _name_column(column: str | int | None) -> str:
    return f"column {column}" if isinstance(column, int) else f"“{column}”"


def _describe_length(job: Job) -> str:
    length, limit = job.task.max_seq_length, job.dataset.max_positions
    at_most = "" if limit is None else f" (the model reads at most {limit})"
    return f"{length} tokens{at_most}"


def _describe_seeds(runs: Sequence[Run]) -> str:
    """Name the seeds of the runs, both kinds if they differ, and the folds."""
    init, data = {run.init_seed for run in runs}, {run.data_seed for run in runs}
    text = _format_numbers(init)
    if any(run.init_seed != run.data_seed for run in runs):
        text = f"init {text}; data {_format_numbers(data)}"
    folds = {run.fold for run in runs if run.fold is not None}
    return f"{text}; {format_count(len(folds), 'fold')}" if folds else text or MISSING


def _format_numbers(numbers: set[int]) -> str:
    """Format whole numbers: "0 to 4" for consecutive ones, else one by one."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))


def _describe_file(job: Job, field: str, filenames: Mapping[str, str]) -> str | None:
    """Name a file of the job, also after it was deleted; None if the job has none."""
    file_id: str | None = getattr(job, field)
    if file_id is None:
        return None
    if file_id in filenames:
        return filenames[file_id]
    name = (job.dataset.filenames or {}).get(field, file_id)
    digest = getattr(job.dataset, field.replace("_file", "_sha256"))
    return f"{name} (deleted{f'; SHA-256 {digest}' if digest else ''})"


def _describe_unlabelled_file(job: Job, filenames: Mapping[str, str]) -> dict[str, str]:
    """Name the file of a distillation's further texts; empty for a job without one."""
    name = _describe_file(job, "unlabelled_file", filenames)
    if name is None:
        return {}
    return {"unlabelled file": f"{name}: {job.dataset.rows.unlabelled or 0} new texts"}


def _name_split(job: Job) -> str:
    folds = job.dataset.folds
    if folds is not None:
        return f"{folds} parts of the training file, in turn"
    return "part of the training file" if job.dataset.rows.validation else MISSING


def _name_test_rows(job: Job) -> str:
    if not job.dataset.rows.test:
        return MISSING
    if getattr(job.split, "halve_validation", False):
        return "half of the validation rows"
    return "part of the training file"


def _format_time(job: Job) -> str:
    """Format the time from creation to the end, in the largest unit of one or more."""
    if job.finished_at is None:
        return MISSING
    seconds = max(0, round(job.finished_at - job.created_at))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
