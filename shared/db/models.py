"""Queries on published models and kept checkpoints."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shared.db.pagination import PageRequest, fetch_page
from shared.db.tables import Checkpoint, Job, Model, Run
from shared.domain.errors import ModelInUse, ModelNotAllowed, ModelNotFound
from shared.domain.states import OPEN_JOB_STATES


def delete_other_models(session: Session, job_id: str, kept_ids: Sequence[str]) -> None:
    """Delete the rows of the job's models except these."""
    session.execute(delete(Model).where(Model.job_id == job_id, Model.id.not_in(kept_ids)))


class Models:
    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def list_all(self) -> Sequence[Model]:
        return self._session.scalars(
            select(Model)
            .where(Model.owner_id == self._owner_id)
            .order_by(Model.created_at.desc(), Model.id)
        ).all()

    def get(self, model_id: str) -> Model:
        query = select(Model).where(Model.id == model_id, Model.owner_id == self._owner_id)
        model = self._session.scalars(query).one_or_none()
        if model is None:
            raise ModelNotFound(f"No model has the ID {model_id[:200]!r}.", param="model")
        return model

    def list_by_job(self, job_id: str) -> Sequence[Model]:
        """List the models that the job published, and those kept of its other runs, by id."""
        query = select(Model).where(Model.job_id == job_id, Model.owner_id == self._owner_id)
        return self._session.scalars(query.order_by(Model.id)).all()

    def get_for_new_job(self, model_id: str) -> Model:
        """Lock a model as the start of a new job, so that it is neither deleted nor replaced
        meanwhile.

        Raises ModelNotAllowed, or ModelInUse while the job that created it may still replace
        it.
        """
        query = select(Model).where(Model.id == model_id, Model.owner_id == self._owner_id)
        model = self._session.scalars(query.with_for_update(read=True)).one_or_none()
        if model is None:
            raise ModelNotAllowed(
                f"This installation has no fine-tuned model {model_id[:200]!r}.", param="model"
            )
        if self._session.get_one(Job, model.job_id).status in OPEN_JOB_STATES:
            raise ModelInUse(
                (
                    f"Job {model.job_id} is being extended and may replace its model; wait until "
                    "it has ended."
                ),
                param="model",
            )
        return model

    def lock_of_job(self, job_id: str) -> Sequence[Model]:
        """List the job's models and lock them until the transaction ends, so that no job starts
        from them.
        """
        query = select(Model).where(Model.job_id == job_id, Model.owner_id == self._owner_id)
        return self._session.scalars(query.order_by(Model.id).with_for_update()).all()

    def find_dependent_job_id(self, *model_ids: str) -> str | None:
        """Return an open job that starts from one of the models."""
        query = select(Job.id).where(
            Job.model.in_(model_ids),
            Job.owner_id == self._owner_id,
            Job.status.in_(OPEN_JOB_STATES),
        )
        return self._session.scalar(query.order_by(Job.id).limit(1))

    def delete(self, model_id: str) -> Model:
        """Delete a model and the checkpoints of its run. The caller deletes the stored folder
        after the commit.
        """
        self._session.execute(select(Model.id).where(Model.id == model_id).with_for_update())
        model = self.get(model_id)
        job = self._session.get_one(Job, model.job_id)
        if job.status in OPEN_JOB_STATES:
            raise ModelInUse(
                f"Job {job.id} has not ended yet; cancel it or wait until it has ended, then "
                "delete its model.",
                param="model",
            )
        user = self.find_dependent_job_id(model_id)
        if user is not None:
            raise ModelInUse(
                f"Job {user} starts from this model; cancel the job or wait until it has ended.",
                param="model",
            )
        run = self._session.get_one(Run, model.run_id)
        run.artifacts = run.fine_tuned_model = None
        self._session.execute(delete(Checkpoint).where(Checkpoint.run_id == model.run_id))
        self._session.execute(delete(Model).where(Model.id == model_id))
        return model


class Checkpoints:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, checkpoint: Checkpoint) -> None:
        self._session.add(checkpoint)

    def delete_by_run(self, run_id: str) -> None:
        self._session.execute(delete(Checkpoint).where(Checkpoint.run_id == run_id))

    def keep_only(self, job_id: str, run_ids: Collection[str]) -> None:
        """Delete the checkpoints of runs whose models were not kept."""
        others = delete(Checkpoint).where(
            Checkpoint.job_id == job_id, Checkpoint.run_id.not_in(run_ids)
        )
        self._session.execute(others)

    def list_page(self, job_id: str, page: PageRequest) -> tuple[Sequence[Checkpoint], bool]:
        return fetch_page(
            self._session,
            select(Checkpoint).where(Checkpoint.job_id == job_id),
            Checkpoint.id,
            page,
        )
