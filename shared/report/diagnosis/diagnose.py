"""Order of the diagnosis: which group of runs is checked for which problem."""

from shared.domain.states import RunState
from shared.report.diagnosis.degenerate_runs import diagnose_degenerate_runs, diagnose_imbalance
from shared.report.diagnosis.facts import JobFacts, RunFacts, RunGroup
from shared.report.diagnosis.trained_runs import (
    diagnose_divergence,
    diagnose_instability,
    diagnose_overfitting,
    diagnose_short_training,
    diagnose_truncation,
    is_overfitted,
    is_still_improving,
    is_unsteady,
)

DIVERGED_ERROR_CODE = "nan_loss"


def diagnose_job(job: JobFacts) -> list[str]:
    """List the findings as sentences, the gravest first; empty if there are none."""
    ended = [run for run in job.runs if run.status in (RunState.SUCCEEDED, RunState.FAILED)]
    finished = [
        run for run in ended if run.status == RunState.SUCCEEDED and run.evidence is not None
    ]
    degenerate = RunGroup.of_runs(job, [run for run in finished if run.degenerate], len(ended))
    diverged = [run for run in ended if run.error_code == DIVERGED_ERROR_CODE]
    findings = [
        *diagnose_divergence(RunGroup.of_runs(job, diverged, len(ended))),
        *diagnose_degenerate_runs(degenerate),
        *diagnose_imbalance(degenerate),
    ]
    sound = [run for run in finished if not run.degenerate]
    # if most runs learned nothing, the advice on instability could contradict that on their cause
    if not degenerate.is_majority_of(finished):
        unsteady = [run for run in sound if is_unsteady(run)]
        findings += diagnose_instability(RunGroup.of_runs(job, unsteady, len(ended)))
    findings += _diagnose_sound_runs(job, sound, len(ended))
    findings += diagnose_truncation(RunGroup.of_runs(job, finished, len(ended)))
    return findings


def _diagnose_sound_runs(job: JobFacts, sound: list[RunFacts], total: int) -> list[str]:
    overfitted = [run for run in sound if is_overfitted(run)]
    improving = [run for run in sound if is_still_improving(run, job.recipe)]
    return [
        *diagnose_overfitting(RunGroup.of_runs(job, overfitted, total), sound),
        *diagnose_short_training(RunGroup.of_runs(job, improving, total), sound),
    ]
