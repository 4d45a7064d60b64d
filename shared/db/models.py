"""Queries on published models and kept checkpoints."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Row, Select, delete, exists, select
from sqlalchemy.orm import Session

from shared.db.pagination import PageRequest, fetch_page, is_of_same_owner
from shared.db.tables import Checkpoint, Job, Model, Run
from shared.domain.errors import ModelInUse, ModelNotAllowed, ModelNotFound
from shared.domain.ids import CHECKPOINT_PREFIX
from shared.domain.naming import (
    build_checkpoint_model_id,
    build_kept_model_id,
    get_published_name,
    list_possible_ids,
)
from shared.domain.states import OPEN_JOB_STATES


def delete_other_models(session: Session, job_id: str, kept_ids: Sequence[str]) -> None:
    """Delete the rows of the job's models except these."""
    session.execute(delete(Model).where(Model.job_id == job_id, Model.id.not_in(kept_ids)))


class PublishedModels(NamedTuple):
    """What the IDs of published models answer with; the best run of their job if it is neither."""

    ensembles: dict[str, list[Model]]
    """Members by ID."""
    distilled: set[str]
    """IDs of the models that were distilled from an ensemble."""


class Models:
    """The models of an owner. A model is found by its id, and by the names of its checkpoint: with
    the seeds of its run, and with its step.
    """

    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def list_all(self) -> Sequence[Model]:
        return self._session.scalars(
            select(Model)
            .where(Model.owner_id == self._owner_id)
            .order_by(Model.created_at.desc(), Model.id)
        ).all()

    def get(self, name: str) -> Model:
        """Return the model with this name. Raises ModelNotFound."""
        return self._get(name, select(Model))

    def find_base_model(self, job: Job) -> Model | None:
        """Return the fine-tuned model that a job starts from; None if it was deleted or has other
        weights now.
        """
        model = self._find(job.model, select(Model))
        if model is None or job.base_weights_sha256 is None:
            return model
        return model if self.get_weights_sha256(model) == job.base_weights_sha256 else None

    def get_weights_sha256(self, model: Model) -> str | None:
        return self._session.scalar(select(Run.weights_sha256).where(Run.id == model.run_id))

    def list_by_job(self, job_id: str) -> Sequence[Model]:
        """List the models that the job published, and those kept of its other runs, by id."""
        query = select(Model).where(Model.job_id == job_id, Model.owner_id == self._owner_id)
        return self._session.scalars(query.order_by(Model.id)).all()

    def list_published(self, job_id: str | None = None) -> PublishedModels:
        """Return what the IDs of published models answer with, of one job or of all."""
        query = (
            select(Job.fine_tuned_model, Job.publication, Model)
            .join(Model, Model.job_id == Job.id)
            .where(Model.owner_id == self._owner_id, Job.publication.is_not(None))
            .order_by(Model.id)
        )
        published = PublishedModels({}, set())
        for name, publication, model in self._session.execute(
            query if job_id is None else query.where(Job.id == job_id)
        ):
            if name is None or publication is None:
                continue
            if publication.has_member(model.run_id):
                published.ensembles.setdefault(name, []).append(model)
            if publication.kind == "distilled":
                published.distilled.add(name)
        return published

    def get_for_new_job(self, name: str) -> Model:
        """Lock a model as the start of a new job, so that it is neither deleted nor replaced
        meanwhile.

        Raises ModelNotAllowed, or ModelInUse while the job that created it may still replace
        it.
        """
        model = self._find(name, select(Model).with_for_update(read=True))
        if model is None:
            raise ModelNotAllowed(
                f"This installation has no fine-tuned model {name[:200]!r}; it may have been "
                "deleted. Give a model of GET /v1/models.",
                param="model",
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

    def find_dependent_job_id(self, *models: Model) -> str | None:
        """Return an open job that starts from one of the models, whichever of its names it gave."""
        names = self._list_names(models)
        query = select(Job.id).where(
            Job.model.in_([name for model in models for name in names[model.id]]),
            Job.owner_id == self._owner_id,
            Job.status.in_(OPEN_JOB_STATES),
        )
        return self._session.scalar(query.order_by(Job.id).limit(1))

    def delete(self, name: str) -> list[Model]:
        """Delete a model and the checkpoint of its run. With a published ensemble, delete the
        members that were kept for it alone. The caller deletes the stored folders after the commit.
        """
        # all in one order: two deletions in the same job cannot wait for each other
        locked = self.lock_of_job(self._get(name, select(Model)).job_id)
        model = self._get(name, select(Model))
        job = self._session.get_one(Job, model.job_id)
        if job.status in OPEN_JOB_STATES:
            raise ModelInUse(
                f"Job {job.id} has not ended yet; cancel it or wait until it has ended, then "
                "delete its model.",
                param="model",
            )
        models = _list_with_members(job, model, locked)
        user = self.find_dependent_job_id(*models)
        if user is not None:
            raise ModelInUse(
                f"Job {user} starts from this model; cancel the job or wait until it has ended.",
                param="model",
            )
        for deleted in models:
            run = self._session.get_one(Run, deleted.run_id)
            run.artifacts = run.fine_tuned_model = None
            self._session.execute(delete(Checkpoint).where(Checkpoint.run_id == deleted.run_id))
            self._session.execute(delete(Model).where(Model.id == deleted.id))
        return models

    def _get(self, name: str, query: Select[Model]) -> Model:
        model = self._find(name, query)
        if model is None:
            raise ModelNotFound(f"No model has the ID {name[:200]!r}.", param="model")
        return model

    def _find(self, name: str, query: Select[Model]) -> Model | None:
        """Return the model with this name; ``query`` selects models, and may lock them."""
        possible = Model.id.in_(list_possible_ids(name)), Model.owner_id == self._owner_id
        models = self._session.scalars(query.where(*possible).order_by(Model.id)).all()
        exact = next((model for model in models if model.id == name), None)
        if exact is not None or not models:
            return exact
        names = self._list_names(models)
        return next((model for model in models if name in names[model.id]), None)

    def _list_names(self, models: Sequence[Model]) -> dict[str, list[str]]:
        """Return every name of each model, by its id."""
        columns = Run.id, Run.init_seed, Run.data_seed, Run.fold, Run.best_step
        rows = self._session.execute(
            select(*columns).where(Run.id.in_([model.run_id for model in models]))
        )
        runs = {run.id: run for run in rows}
        return {
            # a run that is missing was deleted with its job since the model was read
            model.id: _build_names(model.id, run) if (run := runs.get(model.run_id)) else [model.id]
            for model in models
        }


def _build_names(model_id: str, run: Row[str, int, int, int | None, int | None]) -> list[str]:
    kept = build_kept_model_id(get_published_name(model_id), run.init_seed, run.data_seed, run.fold)
    names = dict.fromkeys((model_id, kept))
    if run.best_step is None:
        return list(names)
    return [*names, *(build_checkpoint_model_id(name, run.best_step) for name in names)]


def _list_with_members(job: Job, model: Model, models: Sequence[Model]) -> list[Model]:
    """List the model and those of the job's ``models`` that are deleted with it.

    Raises ModelInUse for a single member of an ensemble that is still published.
    """
    published = next((one for one in models if one.id == job.fine_tuned_model), None)
    publication = job.publication
    if published is None or publication is None or not publication.has_member(model.run_id):
        return [model]
    if model.id == published.id:
        keeps_all = job.request.artifacts.keep == "all_runs"
        return [model, *(one for one in models if one.id != model.id and not keeps_all)]
    raise ModelInUse(
        f"{model.id} is a member of the published ensemble {published.id}; delete that model "
        "instead.",
        param="model",
    )


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
        """List the checkpoints of the models that the job keeps: none before it has ended."""
        scope = Checkpoint.job_id == job_id
        query = select(Checkpoint).where(scope, exists().where(Model.run_id == Checkpoint.run_id))
        return fetch_page(
            self._session,
            query,
            Checkpoint.id,
            page,
            scope=scope,
            prefix=CHECKPOINT_PREFIX,
            owner_scope=is_of_same_owner(Checkpoint.owner_id, job_id),
        )
