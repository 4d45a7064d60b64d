"""Names of published models, ``ft:<base>:<organisation>:<suffix>:<hash>``, the best run's by default, other runs' by their seed;
of runs, for people; of the states that paused runs go on from; and of the files of a model's folder."""

import re

from shared.domain.states import Purpose

FINE_TUNED = "ft:"
_OF_A_RUN = re.compile(r":seed-\d+(-\d+)?(:fold-\d+)?$")

WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "model.onnx"
"""Beside the weights, whose bytes it refers to: what a model is served from."""


def base_name(model: str) -> str:
    """The base model that a fine-tuned one descends from, the best run's or another's; any other name is its own."""
    published = _OF_A_RUN.sub("", model)
    return ":".join(published.split(":")[1:-3]) if model.startswith(FINE_TUNED) else model


def model_id(base_model: str, organization: str, suffix: str | None, job_id: str) -> str:
    """The same for a job whenever it is asked for; blanks of the suffix become hyphens, no suffix leaves its place empty.

    ``base_model`` may be a fine-tuned one: the name goes back to where that began.
    """
    return f"{FINE_TUNED}{base_name(base_model)}:{organization}:{'-'.join((suffix or '').split())}:{job_id[-8:]}"


def seed_model_id(model: str, seed: int) -> str:
    return f"{model}:seed-{seed}"


def kept_model_id(model: str, init_seed: int, data_seed: int, fold: int | None) -> str:
    """Of a run that was kept beside the best: its seed, its data seed where that is another, its fold under k-fold."""
    seed = seed_model_id(model, init_seed)
    data = "" if data_seed == init_seed else f"-{data_seed}"
    return f"{seed}{data}" if fold is None else f"{seed}{data}:fold-{fold}"


def checkpoint_model_id(model: str, seed: int, step: int) -> str:
    return f"{seed_model_id(model, seed)}:ckpt-step-{step}"


def run_title(purpose: str, index: int, seed: int) -> str:
    """``Run 0 (seed 3)``, ``Pilot 2 (seed 2147483648)``: a run at the start of a sentence."""
    if purpose == Purpose.BASELINES:
        return "The scoring of the baselines"
    return f"{'Pilot' if purpose == Purpose.PILOT else 'Run'} {index} (seed {seed})"


def state_name(step: int) -> str:
    """Folder of what a run goes on from after a step; the last part of ``runs.state``."""
    return f"state-{step}"


def state_step(prefix: str) -> int:
    """The step that a state was kept after."""
    return int(prefix.rpartition("-")[2])
