"""Names of published models (``ft:<base>:<organization>:<suffix>:<hash>``), of runs, of resume
states and of the files in a model folder.

The model of a run also has a name with its seeds (``…:seed-<s>``), and one with its checkpoint
(``…:seed-<s>:ckpt-step-<n>``).
"""

import re

from shared.domain.states import Purpose

FINE_TUNED_PREFIX = "ft:"
_RUN_SUFFIX = re.compile(r":seed-\d+(-\d+)?(:fold-\d+)?$")
_CHECKPOINT_SUFFIX = re.compile(r":ckpt-step-\d+$")

WEIGHTS_FILE = "model.safetensors"
HEAD_WEIGHTS_FILE = "head.safetensors"
"""The head's weights of a model whose head is not the family's own (``recipe.pooling``)."""
HEAD_FILE = "head.json"
"""How such a model pools and which head it has."""
GRAPH_FILE = "model.onnx"
"""The ONNX graph that a model is served from; it refers to the bytes of the weights file beside
it.
"""


def get_base_name(model: str) -> str:
    """Return the base model that a fine-tuned one descends from; any other name is returned
    unchanged.
    """
    if not model.startswith(FINE_TUNED_PREFIX):
        return model
    return ":".join(get_published_name(model).split(":")[1:-3])


def get_published_name(model: str) -> str:
    """Return the id of the best model of the job that a fine-tuned model comes from."""
    return _RUN_SUFFIX.sub("", _CHECKPOINT_SUFFIX.sub("", model))


def list_possible_ids(name: str) -> list[str]:
    """List the ids that the model with this name may be stored under."""
    without_checkpoint = _CHECKPOINT_SUFFIX.sub("", name)
    return list(dict.fromkeys((name, without_checkpoint, get_published_name(name))))


def build_model_id(base_model: str, organization: str, suffix: str | None, job_id: str) -> str:
    """Build the id of a job's best model, always the same for a job. Blanks in the suffix
    become hyphens; without a suffix its place stays empty.

    ``base_model`` may be a fine-tuned model: the id then names the model that it started from.
    """
    base_name, suffix_part = get_base_name(base_model), "-".join((suffix or "").split())
    return f"{FINE_TUNED_PREFIX}{base_name}:{organization}:{suffix_part}:{job_id[-8:]}"


def build_kept_model_id(model: str, init_seed: int, data_seed: int, fold: int | None) -> str:
    """Build the id of another run's model from its seed, its data seed if different, and its
    fold.
    """
    seed = f"{model}:seed-{init_seed}"
    data = "" if data_seed == init_seed else f"-{data_seed}"
    return f"{seed}{data}" if fold is None else f"{seed}{data}:fold-{fold}"


def build_checkpoint_model_id(model: str, step: int) -> str:
    """Build the id of a checkpoint; ``model`` is the id with the run's seeds."""
    return f"{model}:ckpt-step-{step}"


def format_run_title(purpose: str, index: int, seed: int) -> str:
    """Describe a run at the start of a sentence: ``Run 0 (seed 3)``, ``Pilot 2 (seed
    2147483648)``.
    """
    if purpose == Purpose.BASELINES:
        return "The scoring of the baselines"
    if purpose == Purpose.DISTILLATION:
        return "The distillation"
    return f"{'Pilot' if purpose == Purpose.PILOT else 'Run'} {index} (seed {seed})"


def format_state_name(step: int) -> str:
    """Name the folder of a resume state by its step; the last part of ``runs.state``."""
    return f"state-{step}"


def parse_state_step(prefix: str) -> int:
    """Parse the step from the name of a resume state."""
    return int(prefix.rpartition("-")[2])
