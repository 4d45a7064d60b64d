"""Names of published models: ``ft:<base>:<organisation>:<suffix>:<hash>``, the best run's by default, other runs' by their seed;
and what a run is called in sentences."""

from shared.states import Purpose


def model_id(base_model: str, organization: str, suffix: str | None, job_id: str) -> str:
    """The same for a job whenever it is asked for; blanks of the suffix become hyphens, no suffix leaves its place empty."""
    return f"ft:{base_model}:{organization}:{'-'.join((suffix or '').split())}:{job_id[-8:]}"


def seed_model_id(model: str, seed: int) -> str:
    return f"{model}:seed-{seed}"


def checkpoint_model_id(model: str, seed: int, step: int) -> str:
    return f"{seed_model_id(model, seed)}:ckpt-step-{step}"


def run_title(purpose: str, index: int, seed: int) -> str:
    """The subject of a sentence about a run."""
    if purpose == Purpose.BASELINES:
        return "The scoring of the baselines"
    return f"{'Pilot' if purpose == Purpose.PILOT else 'Run'} {index} (seed {seed})"
