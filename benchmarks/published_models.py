"""Published models of an untrained job, kept for every seed as a worker would keep them."""

from pathlib import Path

import torch

from cli.client import Client
from shared.datasets.sample_dataset import write_dataset
from shared.db.session import Database
from shared.db.tables import Job, Model
from shared.domain.task import Task
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from worker.training.data.tokenizer import get_export_tokenizer
from worker.training.model.checkpoint import export_model
from worker.training.model.encoder import load_encoder
from worker.training.model.onnx_export import GRAPH_EXPORTER

HEAD_SCALE = 20
"""Factor for a new head's weights, so that the probabilities differ between texts."""


def publish_models(
    base_url: str, home: Path, database_url: str, seed_count: int
) -> dict[str, Path]:
    """Create a job through the API and publish one model per seed; returns the models' folders
    by id.
    """
    job_id, run_ids = _create_job(base_url, home, seed_count)
    database, storage = Database(database_url), Storage(Settings(home=home).resolved_storage_url)
    with database.read() as session:
        task = Task.model_validate(session.get_one(Job, job_id).task)
    folders = {}
    for seed, run_id in enumerate(run_ids):
        folder, prefix = home / f"model-{seed}", f"models/{seed}"
        _export_model(task, seed, folder)
        storage.link_or_put_folder(prefix, folder)
        model = Model(
            id=f"ft:bench:seed-{seed}",
            owner_id="local",
            job_id=job_id,
            run_id=run_id,
            base_model=OFFLINE_ENCODER,
            prefix=prefix,
            labels=task.label_names,
        )
        folders[model.id] = folder
        with database.write() as session:
            session.add(model)
    database.dispose()
    return folders


def _create_job(base_url: str, home: Path, seed_count: int) -> tuple[str, list[str]]:
    """Create a job; returns its id and the ids of its runs."""
    write_dataset(home / "data.csv", 60)
    with Client(base_url) as client:
        file = client.upload_file(home / "data.csv")
        job = client.create_job({"training_file": file.id, "runs": {"num_seeds": seed_count}})
        return job.id, [run.id for run in client.list_runs(job.id)]


def _export_model(task: Task, seed: int, folder: Path) -> None:
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    network, tokenizer = load_encoder(base, task, seed), get_export_tokenizer(base)
    with torch.no_grad():
        network.get_parameter("classifier.weight").mul_(HEAD_SCALE)
    export_model(network, tokenizer, task, folder)
    GRAPH_EXPORTER.write_graph(network, tokenizer, folder)
