"""Response schemas of models, base and published."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.db.tables import Model
from shared.domain.naming import get_published_name
from shared.domain.publication import PublishedKind
from shared.encoders.catalogue_entries import CatalogueEntry, Source


class EncoderObject(BaseModel):
    """What is known about a model that jobs can start from."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    source: Source
    """Where it comes from: `bundled` with the service, a `folder` of the operator, an `upload`, or
    the `hub`."""
    name: str
    """Name that a job may give as its `model` instead of the ID: of an upload the name of its file
    without `.zip`, otherwise the ID."""
    family: str | None
    """Family of the encoder, as `model_type` in its configuration; null until a model of the hub
    has been looked up, as are the other numbers."""
    parameters: int | None
    """Number of parameters in its weights."""
    num_hidden_layers: int | None
    """Number of layers."""
    hidden_size: int | None
    """Width of a layer."""
    max_seq_length: int | None
    """Most tokens that a text may have, special tokens included; longer ones are truncated."""
    languages: list[str]
    """Languages that its model card names, as the card writes them; empty if it names none."""
    pooling: str | None
    """How it pools the tokens of a text as a sentence encoder, such as `mean`; null if it is not
    one."""
    license: str | None
    """License that its model card names."""
    training_memory_bytes: int | None
    """Estimated peak memory of one trainer: for batches of 32 rows of 128 tokens, in the precision
    that jobs have here by default."""
    seconds_per_step: float | None
    """Median duration of a training step, in seconds, in this installation's latest runs that
    started from it; null without any."""

    @classmethod
    def from_entry(
        cls,
        entry: CatalogueEntry,
        *,
        training_memory_bytes: int | None,
        seconds_per_step: float | None,
    ) -> "EncoderObject":
        facts, details = entry.facts, entry.details
        return cls(
            source=entry.source,
            name=entry.name or entry.id,
            family=None if facts is None else facts.family,
            parameters=details.parameters,
            num_hidden_layers=None if facts is None else facts.num_hidden_layers,
            hidden_size=None if facts is None else facts.hidden_size,
            max_seq_length=None if facts is None else facts.max_position_embeddings,
            languages=list(details.languages),
            pooling=details.pooling,
            license=details.license,
            training_memory_bytes=training_memory_bytes,
            seconds_per_step=seconds_per_step,
        )


class ModelObject(BaseModel):
    """A base model, or a model that a job has published."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the model, as `model` of a job or a classification."""
    object: Literal["model"] = "model"
    """Kind of object."""
    created: int
    """Creation time, Unix seconds; 0 for a base model that was not uploaded."""
    owned_by: str
    """Owner of the model; `system` for a base model that was not uploaded."""
    kind: Literal["base", "fine-tuned"]
    """`base`: part of the installation, uploaded, or of the hub. `fine-tuned`: published by a
    job."""
    base_model: str | None = None
    """Model that it was fine-tuned from; null for a base model."""
    job_id: str | None = None
    """Job that published it; null for a base model."""
    run_id: str | None = None
    """Run that its weights come from; null for a base model."""
    labels: list[str] | None = None
    """Label names in the order of the model's outputs; null for a base model."""
    published: PublishedKind | None = None
    """What the ID answers classifications with, if it is the published model of its job: the run
    `run_id`, the ensemble of `members`, or a model distilled from the ensemble. Null for a
    base model and for the other models of a job."""
    members: list[str] | None = None
    """IDs of the models whose mean prediction is the published ensemble; null for any other
    model."""
    encoder: EncoderObject | None = None
    """What is known about a base model; null for a fine-tuned one."""

    @classmethod
    def from_start(
        cls, entry: CatalogueEntry, encoder: EncoderObject, owner_id: str
    ) -> "ModelObject":
        """Return a model that jobs can start from; ``owner_id`` owns it if it was uploaded."""
        return cls(
            id=entry.id,
            created=int(entry.created_at),
            owned_by=owner_id if entry.source == "upload" else "system",
            kind="base",
            encoder=encoder,
        )

    @classmethod
    def from_row(
        cls,
        model: Model,
        name: str | None = None,
        members: Sequence[Model] = (),
        *,
        is_distilled: bool = False,
    ) -> "ModelObject":
        """Return the model under the name that a request gave it, by default under its id, with
        the members of the ensemble that its id answers with.
        """
        is_published = name in (None, model.id) and model.id == get_published_name(model.id)
        kind: PublishedKind = "ensemble" if members else "best_run"
        kind = "distilled" if is_distilled else kind
        return cls(
            id=name or model.id,
            created=int(model.created_at),
            owned_by=model.owner_id,
            kind="fine-tuned",
            base_model=model.base_model,
            job_id=model.job_id,
            run_id=model.run_id,
            labels=model.labels,
            published=kind if is_published else None,
            members=[member.id for member in members] if is_published and members else None,
        )


class ModelList(BaseModel):
    """All models, on one page."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["list"] = "list"
    """Kind of object."""
    data: list[ModelObject]
    """Published models, newest first, then the base models."""


class ModelDeleted(BaseModel):
    """Confirmation that a model was deleted; its job remains."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the deleted model."""
    object: Literal["model"] = "model"
    """Kind of object."""
    deleted: Literal[True] = True
    """Always true."""
