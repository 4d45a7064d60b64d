"""A world whose jobs are really trained, for faults of the cache folder at exact moments."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from shared.db.tables import File, Job, Model, Run
from shared.domain.early_discard import DiscardSettings
from shared.infra.storage_keys import build_file_key
from tests.faults.simulation.real_trainer import RealTrainer
from tests.faults.simulation.world import World
from tests.rows import TASK, add_job
from tests.worker.training.runs import make_recipe, make_review_rows
from worker.context import WorkerContext
from worker.trainer.process import Trainer
from worker.trainer.protocol import RunEventMessage, TrainerMessage
from worker.training.events import Step
from worker.training.head_first import fitted_head

STEPS = 6
ROWS = "".join("\t".join(row) + "\n" for row in make_review_rows(40, pairs=True)).encode()
PAIRS = {"text_column": "text", "text_pair_column": "other"}
RECIPES: dict[str, dict[str, Any]] = {
    "re-init": {},
    "head_first": {"head_first": True, "reinit_layers": 0},
    "aligned": {"pooling": "mean", "pair_encoding": "aligned", "head_first": True},
    "llrd": {"layerwise_learning_rate_decay": 0.9, "pretrained_weight_decay": 0.1},
    "mixout": {"mixout": 0.3, "head_first": True},
    "averaged": {"select": "greedy_average", "eval_points": 6},
    "bfloat16": {"precision": "bfloat16", "head_first": True},
}


class CacheWorld(World):
    """Trains for real. A fault of the cache strikes at a moment, by its name, and lasts until the
    first failed attempt is over.
    """

    def __init__(self, folder: Path, url: str, models: Path) -> None:
        super().__init__(folder, url, models)
        self._strike: Callable[[str], None] = lambda _moment: None
        self._blocked: Path | None = None
        self.is_warm = False
        """Whether one trainer process serves all attempts, or each has a new one."""
        self._warm_trainer = RealTrainer(self._pass_message)

    def make_context(self) -> WorkerContext:
        self.mend_cache()
        if self.is_warm:
            trainer = self._warm_trainer
        else:
            trainer = RealTrainer(self._pass_message)
            fitted_head.HEAD_FITTER = fitted_head.HeadFitter()
        made = cast(Trainer, trainer)
        return WorkerContext(self.settings, self.database, self.storage, made)

    def _pass_message(self, message: TrainerMessage) -> None:
        if isinstance(message, RunEventMessage):
            event = message.event
            self._strike(f"step {event.step}" if isinstance(event, Step) else event.type)

    def create_real_job(
        self,
        recipe: Mapping[str, Any],
        *,
        model: str = "tiny-bert",
        is_resumed: bool = False,
    ) -> str:
        """Store a job that is really trained; its folders on this machine are gone at first.

        With ``is_resumed`` its runs pause half-way, and the better one continues from its state.
        """
        self.mend_cache()
        self.delete_cache()
        digest = hashlib.sha256(ROWS).hexdigest()
        self.plain_storage.put_bytes(build_file_key(digest), ROWS)
        job = add_job(self.plain_database, runs=2 if is_resumed else 1)
        with self.plain_database.write() as session:
            row = session.get_one(Job, job.id)
            row.model, row.training_file = model, "rows"
            pairs = PAIRS if recipe.get("pair_encoding") == "aligned" else {}
            names = {"label_names": ["no", "yes"], "positive_label": "yes", "max_seq_length": 32}
            row.task = TASK.model_copy(update={**names, **pairs})
            values = {"max_steps": STEPS, "eval_points": 3, **recipe}
            row.resolved_recipe = make_recipe(**values)
            if is_resumed:
                row.early_discard = DiscardSettings(start=2, keep=1, at_fraction=0.5)
            if session.get(File, "rows") is None:
                plain = {"owner_id": "local", "purpose": "fine-tune", "status": "processed"}
                session.add(
                    File(id="rows", sha256=digest, filename="r.tsv", bytes=len(ROWS), **plain)
                )
            for run in session.query(Run).where(Run.job_id == job.id):
                run.total_steps = STEPS
                run.stop_step = STEPS // 2 if is_resumed else None
        return job.id

    def finish_real_job(self, job_id: str) -> dict[str, Any]:
        """Work until the job has ended; return its numbers, results and files."""
        assert self.work_until_ended(job_id), self.read_status(job_id)
        numbers = self.read_numbers(job_id)
        with self.plain_database.read() as session:
            runs = session.query(Run).where(Run.job_id == job_id).order_by(Run.index).all()
            for run in runs:
                numbers[f"result {run.index}"] = json.dumps(_dump(run.result), sort_keys=True)
                numbers[f"error {run.index}"] = _dump(run.error)
        return numbers

    def get_published_model(self, job_id: str) -> str:
        with self.plain_database.read() as session:
            return str(session.query(Model.id).where(Model.job_id == job_id).scalar())

    def arm_cache_fault(self, name: str, fault: str, moment: str) -> None:
        """Let a folder of the cache be deleted, or blocked, once at this moment.

        A file in its place blocks a folder: it refuses every write, also of a superuser.
        """
        folder = self.settings.resolved_cache_dir / name

        def strike(now: str) -> None:
            if now != moment:
                return
            self._strike = lambda _moment: None
            shutil.rmtree(folder, ignore_errors=True)
            if fault == "block":
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.write_text("in the way")
                self._blocked = folder

        self._strike = strike

    def mend_cache(self) -> None:
        """Take away what blocks a folder."""
        if self._blocked is not None:
            self._blocked.unlink(missing_ok=True)
            self._blocked = None


def _dump(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
