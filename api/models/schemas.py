"""Models on the wire: base models and published ones."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.db.tables import Model


class ModelObject(BaseModel):
    """A base model, or one that a job has made."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    object: Literal["model"] = "model"
    created: int
    """Unix seconds; 0 for a base model."""
    owned_by: str
    """Whose it is; `system` for a base model."""
    kind: Literal["base", "fine-tuned"]
    """Whether jobs start from it alone, or have made it."""
    base_model: str | None = None
    """What it was fine-tuned from; null for a base model."""
    job_id: str | None = None
    """The job that made it."""
    run_id: str | None = None
    """The run whose weights it has."""
    labels: list[str] | None = None
    """Label names in the order of the model's outputs."""

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


class ModelDeleted(BaseModel):
    """The model is gone; its job stays."""

    id: str
    object: Literal["model"] = "model"
    deleted: Literal[True] = True
