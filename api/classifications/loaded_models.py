"""The models that this process has loaded, and how many requests may wait for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from api.serving.cache import Cache
from shared.db.tables import Model
from shared.domain.errors import ModelNotServed, ServiceBusy
from shared.domain.task import Task
from shared.infra.model_cache import fetched_folder, local_folder
from shared.infra.settings import Settings
from shared.infra.storage import BlobMissing, Storage

if TYPE_CHECKING:  # numpy and onnxruntime are loaded by whoever first asks a model
    from api.serving.answers import Answer
    from api.serving.classifier import Classifier, Text

MAX_LOADED_MODELS = 32
MAX_CONCURRENT_REQUESTS = 8  # of the process's forty threads: whoever polls a job shall find one


@dataclass(frozen=True)
class ClassifiedTexts:
    answers: list[Answer]
    truncated: list[bool]
    token_count: int


class ModelServer:
    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._classifiers: Cache[Classifier] = Cache(MAX_LOADED_MODELS, settings.classifier_bytes)
        self._admission = BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
        self._compute_lock = (
            Lock()
        )  # a pass has all cores; between passes another request has its turn

    @contextmanager
    def admit_request(self) -> Iterator[None]:
        """Raises ServiceBusy where as many are admitted as may be."""
        if not self._admission.acquire(blocking=False):
            raise ServiceBusy(
                f"{MAX_CONCURRENT_REQUESTS} requests are being classified already; try "
                "again in a moment."
            )
        try:
            yield
        finally:
            self._admission.release()

    def classify_texts(
        self, members: Sequence[Model], task: Task, texts: Sequence[Text]
    ) -> ClassifiedTexts:
        """Of models of one job together, whose tokenizer is the same. Raises ModelNotServed."""
        from api.serving.answers import build_answers

        encoded = self._get_classifier(members[0], task).encode_texts(texts)
        logits = [
            self._get_classifier(member, task).compute_logits(encoded, self._compute_lock)
            for member in members
        ]
        return ClassifiedTexts(
            build_answers(logits, task.type), encoded.truncated, encoded.token_count
        )

    def evict_model(self, prefix: str) -> None:
        """The model stored there was deleted: let go of its memory and of its copy on this
        machine.
        """
        self._classifiers.forget(prefix)
        shutil.rmtree(local_folder(self._settings, prefix), ignore_errors=True)

    def _get_classifier(self, model: Model, task: Task) -> Classifier:
        return self._classifiers.get(model.prefix, lambda: self._load_classifier(model, task))

    def _load_classifier(self, model: Model, task: Task) -> Classifier:
        from api.serving.classifier import Classifier

        try:
            folder = fetched_folder(self._settings, self._storage, model.prefix)
        except BlobMissing:
            raise ModelNotServed(
                f"The weights of {model.id} are not in the storage.", param="model"
            ) from None
        return Classifier(folder, max_seq_length=task.max_seq_length, threads=self._settings.cores)
