"""Response schemas of models, base and published."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.db.tables import Model


class ModelObject(BaseModel):
    """A base model, or a model that a job has published."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the model, as `model` of a job or a classification."""
    object: Literal["model"] = "model"
    """Kind of object."""
    created: int
    """Creation time, Unix seconds; 0 for a base model."""
    owned_by: str
    """Owner of the model; `system` for a base model."""
    kind: Literal["base", "fine-tuned"]
    """`base`: part of the installation. `fine-tuned`: published by a job."""
    base_model: str | None = None
    """Model that it was fine-tuned from; null for a base model."""
    job_id: str | None = None
    """Job that published it; null for a base model."""
    run_id: str | None = None
    """Run that its weights come from; null for a base model."""
    labels: list[str] | None = None
    """Label names in the order of the model's outputs; null for a base model."""

    @classmethod
    def from_base_model(cls, name: str) -> "ModelObject":
        return cls(id=name, created=0, owned_by="system", kind="base")

    @classmethod
    def from_row(cls, model: Model) -> "ModelObject":
        return cls(
            id=model.id,
            created=int(model.created_at),
            owned_by=model.owner_id,
            kind="fine-tuned",
            base_model=model.base_model,
            job_id=model.job_id,
            run_id=model.run_id,
            labels=model.labels,
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
