"""The network of a base model without its weights, built before anything is allocated.

config.json is data from a stranger. ``shared.encoders.validation`` bounds its numbers; building the
network on torch's meta device, which stores no numbers, shows whether transformers accepts all of
it, and how large the result is.
"""

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from shared.domain.errors import ModelNotAllowed
from shared.encoders.validation import check_model_folder
from shared.encoders.validation.memory import estimate_training_bytes
from shared.infra.machine_memory import read_machine_memory
from worker.training.errors import BaseModelUnreadable
from worker.training.model.transformers_logging import silence_transformers


def check_base_model(base_model: Path) -> None:
    """Check a base model's folder and the network that its config.json describes.

    A job's model was checked when the job was created, and may have been replaced since. Raise
    BaseModelUnreadable if it cannot be used, or needs more memory than this machine has.
    """
    check_base_folder(base_model)
    network = build_empty_network(base_model)
    check_network_size(base_model.name, network, read_machine_memory())


def check_base_folder(base_model: Path) -> None:
    """Check the files of a base model's folder. Raise BaseModelUnreadable if one is unfit.

    Links may lead anywhere here: the worker has checked where they lead.
    """
    try:
        check_model_folder(base_model, root=Path(base_model.absolute().anchor))
    except ModelNotAllowed as unfit:
        raise BaseModelUnreadable(unfit.message, param="model") from None


def build_empty_network(base_model: Path) -> PreTrainedModel:
    """Return the base model's network on the meta device, under the family's head.

    Raise BaseModelUnreadable if transformers does not accept its config.json.
    """
    try:
        with silence_transformers(), torch.device("meta"):
            config = AutoConfig.from_pretrained(
                base_model,
                local_files_only=True,
                trust_remote_code=False,
                num_labels=2,  # the head of a job is another one
            )
            network: PreTrainedModel = AutoModelForSequenceClassification.from_config(
                config, trust_remote_code=False
            )
    # whatever transformers raises for a value that it did not expect
    except Exception as error:
        raise BaseModelUnreadable(
            f"The config.json of {base_model.name} describes no network that transformers can "
            f"build: {error}",
            param="model",
        ) from error
    return network


def check_network_size(name: str, network: PreTrainedModel, memory_bytes: int) -> None:
    """Raise BaseModelUnreadable if training the network needs more than ``memory_bytes``."""
    needed = estimate_training_bytes(sum(tensor.numel() for tensor in network.parameters()))
    if needed > memory_bytes:
        raise BaseModelUnreadable(
            f"{name} needs about {needed / 1e9:,.1f} GB to be trained, and this machine has "
            f"{memory_bytes / 1e9:,.1f} GB. Choose a smaller model.",
            param="model",
        )
