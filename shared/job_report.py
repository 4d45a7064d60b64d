"""A job's rows as the report's input: the one place that knows both the tables and ``shared.report``."""

from collections.abc import Sequence
from typing import Any

from shared.db.tables import Job, Run
from shared.report import Baseline, ConfusionMatrix, JobResults, RunResult, StabilityReport, stability_report
from shared.report.shapes import Split
from shared.states import RunState


def report_of(job: Job, runs: Sequence[Run], *, confusion: bool = False) -> StabilityReport:
    """The report as the rows stand; ``runs`` are the job's main runs by index, for ``confusion`` loaded with their results."""
    split: Split = "test" if job.dataset["rows"]["test"] else "validation"
    best = best_run(runs)
    return stability_report(
        JobResults(
            job_id=job.id,
            metric=job.metric,
            split=split,
            planned=len(runs),
            runs=tuple(_result(run, split) for run in runs),
            baselines=tuple(Baseline(**baseline) for baseline in job.baselines.get(split, [])),
            best_run_id=None if best is None else best.id,
            fine_tuned_model=job.fine_tuned_model,
            evaluation_rows=job.dataset["rows"][split],
            confusion_matrix=_confusion(job, best, split) if confusion else None,
        )
    )


def best_run(runs: Sequence[Run]) -> Run | None:
    """The succeeded run with the best validation score; of equal ones the earlier; an undefined score comes last."""
    ended = [run for run in runs if run.status == RunState.SUCCEEDED]

    def rank(run: Run) -> tuple[bool, float, int]:
        score = run.validation_score
        return score is not None, score if score is not None else 0.0, -run.index

    return max(ended, key=rank, default=None)


def _result(run: Run, split: Split) -> RunResult:
    succeeded = run.status == RunState.SUCCEEDED  # a running run's latest evaluation is not its result
    return RunResult(
        run_id=run.id,
        seed=run.seed,
        init_seed=run.init_seed,
        data_seed=run.data_seed,
        status=run.status,
        degenerate=run.degenerate,
        score=(run.test_score if split == "test" else run.validation_score) if succeeded else None,
        validation_score=run.validation_score if succeeded else None,
        test_score=run.test_score if succeeded else None,
    )


def _confusion(job: Job, best: Run | None, split: Split) -> ConfusionMatrix | None:
    if best is None or best.result is None:
        return None
    result: dict[str, Any] | None = best.result.get(split)
    if result is None or result["confusion"] is None:
        return None
    return ConfusionMatrix(labels=job.task["label_names"], matrix=result["confusion"], run_id=best.id)
