"""From an ID and a revision to the ``HubModel`` that a job stores: a few small requests."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from shared.domain.errors import HubNotAllowed, ModelNotAllowed, ModelNotFound
from shared.domain.hub_model import HubModel
from shared.encoders.catalogue import EncoderFacts
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.client import HubClient
from shared.encoders.hub.ids import (
    COMMIT_PATTERN,
    DEFAULT_REVISION,
    REVISION_PATTERN,
    is_allowed,
    is_hub_id,
    require_allowed,
)
from shared.encoders.hub.needed_files import CONFIG_FILE, select_needed_files
from shared.encoders.hub.session import build_unreachable_error
from shared.encoders.sentence_pooling import (
    POOLING_FILES,
    read_pooling,
    select_sentence_pooling,
)
from shared.encoders.validation import CheckedModel
from shared.encoders.validation.config_rules import parse_config
from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.json_files import MAX_SETTINGS_BYTES, read_json_object
from shared.encoders.validation.memory import check_memory
from shared.encoders.validation.model_kinds import find_family
from shared.infra.settings import Settings

WEIGHTS_SUFFIX = ".safetensors"
FLOAT32_BYTES = 4
SPARE_BYTES = 256 * 1024 * 1024
"""Disk space that is left free for everything else."""


class HubModels:
    """The models of the hub that an installation may use, as jobs are planned with them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cache = HubCache(settings.resolved_hub_cache)

    def resolve(self, model: str, revision: str | None) -> HubModel:
        """Return the model at the commit that ``revision`` names now (default: ``main``).

        A commit that is in the cache, and any revision in offline mode, needs no request. Raises
        HubNotAllowed, ModelNotFound, ModelNotAllowed for an unfit model, HubNotReachable.
        """
        require_allowed(self._settings.hub_models, model)
        revision = revision or DEFAULT_REVISION
        _require_revision(revision)
        cached = self._find_cached(model, revision)
        if cached is not None:
            self._require_memory(cached)
            return cached
        if self._settings.hub_offline:
            raise ModelNotFound(
                f"{model} at {revision} is not in the cache of hub models, and the hub is not "
                "asked in offline mode (HF_HUB_OFFLINE).",
                param="model",
            )
        resolved = self._request_model(model, revision)
        self._cache.record_revision(model, revision, resolved)
        return resolved

    def _find_cached(self, model: str, revision: str) -> HubModel | None:
        """Return a model whose files are all on this disk. A branch may have moved, so it is
        looked up here in offline mode only.
        """
        if not (self._settings.hub_offline or COMMIT_PATTERN.fullmatch(revision)):
            return None
        recorded = self._cache.find_revision(model, revision)
        if recorded is None or self._cache.find_folder(recorded) is None:
            return None
        return recorded

    def _request_model(self, model: str, revision: str) -> HubModel:
        client = HubClient(self._settings)
        description = client.describe_model(model, revision)
        repository, commit = description.id, description.sha
        if not is_hub_id(repository):
            raise build_unreachable_error("it describes a model without a valid ID")
        self._require_same_owner(model, repository)
        files = select_needed_files(model, description.siblings)
        facts = _read_facts(client, repository, commit, frozenset(file.path for file in files))
        resolved = HubModel(
            repository=repository, commit=commit, files=files, facts=pack_facts(facts)
        )
        self._require_size(resolved)
        self._require_memory(resolved)
        return resolved

    def _require_same_owner(self, model: str, repository: str) -> None:
        """Refuse a repository that was moved to an owner who is not allowed.

        An ID that the operator has listed may lead wherever the hub says.
        """
        policy = self._settings.hub_models
        if repository != model and "/" in model and not is_allowed(policy, repository):
            raise HubNotAllowed(
                f"{model} was moved to {repository}, which EVENKEEL_HUB_MODELS does not allow.",
                param="model",
            )

    def _require_size(self, model: HubModel) -> None:
        limit = self._settings.hub_model_bytes
        if model.total_bytes > limit:
            raise ModelNotAllowed(
                f"{model.repository} has {model.total_bytes >> 20:,} MB, more than the "
                f"{limit >> 20:,} MB allowed (EVENKEEL_HUB_MODEL_BYTES).",
                param="model",
            )
        if self._cache.find_folder(model) is None:
            require_disk_space(self._cache, model)

    def _require_memory(self, model: HubModel) -> None:
        """Refuse a model whose training surely needs more memory than a trainer has.

        Its parameters are unknown before the download: about one per four bytes of float32 weights,
        and more in half precision.
        """
        weights_bytes = sum(
            file.bytes for file in model.files if file.path.endswith(WEIGHTS_SUFFIX)
        )
        try:
            check_memory(weights_bytes // FLOAT32_BYTES, self._settings.trainer_memory_bytes)
        except UnfitModel as unfit:
            raise ModelNotAllowed(f"{model.repository} {unfit.reason}", param="model") from None


def _read_facts(
    client: HubClient, repository: str, commit: str, paths: frozenset[str]
) -> EncoderFacts:
    """Return the facts that the small files state. Raises ModelNotAllowed for an unfit model."""
    wanted = [CONFIG_FILE, *(path for path in POOLING_FILES if path in paths)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in wanted:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(
                client.read_file(repository, commit, path, MAX_SETTINGS_BYTES)
            )
        try:
            values = read_json_object(folder / CONFIG_FILE)
            family = find_family(values)
            model = CheckedModel(family, parse_config(values, family), num_parameters=0)
        except UnfitModel as unfit:
            raise ModelNotAllowed(f"{repository} {unfit.reason}", param="model") from None
        return EncoderFacts(
            name=repository,
            family=family.model_type,
            num_hidden_layers=model.config.num_hidden_layers,
            hidden_size=model.config.hidden_size,
            max_position_embeddings=model.max_length,
            shared_blocks=model.shared_blocks,
            pooling=select_sentence_pooling(read_pooling(folder)),
        )


def require_disk_space(cache: HubCache, model: HubModel) -> None:
    """Raise ModelNotAllowed if what is still to be downloaded does not fit on the cache's disk."""
    missing = model.total_bytes - cache.measure_partial(model)
    free = shutil.disk_usage(cache.find_existing_parent()).free
    if missing + SPARE_BYTES > free:
        error = ModelNotAllowed(
            f"{model.repository} needs {missing + SPARE_BYTES >> 20:,} MB of free disk space, but "
            f"only {free >> 20:,} MB are free. Free disk space, or choose a smaller model.",
            param="model",
        )
        error.has_no_room = True
        raise error


def _require_revision(revision: str) -> None:
    if re.fullmatch(REVISION_PATTERN, revision) is None or ".." in revision:
        raise ModelNotFound(
            "model_revision is no branch, tag or commit of the hub.", param="model_revision"
        )


def pack_facts(facts: EncoderFacts) -> dict[str, JsonValue]:
    """Return facts as a job's row stores them."""
    return asdict(facts)


def unpack_facts(model: HubModel) -> EncoderFacts:
    """Return the facts of a stored model; fields that only other versions know are left out."""
    known = {field.name for field in fields(EncoderFacts)}
    stored: Mapping[str, Any] = model.facts
    return EncoderFacts(**{name: value for name, value in stored.items() if name in known})
