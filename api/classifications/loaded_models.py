"""Models loaded in this process, with a bound on concurrent requests for them."""

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
from shared.infra.model_cache import fetch_cached_folder, get_cached_folder
from shared.infra.settings import Settings
from shared.infra.storage import BlobMissing, Storage

if TYPE_CHECKING:  # numpy and onnxruntime are loaded on first use
    from api.serving.classifier import Classifier, Text
    from api.serving.predictions import Prediction

MAX_LOADED_MODELS = 32
MAX_CONCURRENT_REQUESTS = 8  # of the process's forty threads; the others serve polling


@dataclass(frozen=True)
class ClassifiedTexts:
    predictions: list[Prediction]
    truncated: list[bool]
    token_count: int


class ModelServer:
    """Published models that are loaded on demand to classify texts."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._classifiers: Cache[Classifier] = Cache(MAX_LOADED_MODELS, settings.classifier_bytes)
        self._admission = BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
        # a forward pass uses all cores; between passes another request may run
        self._compute_lock = Lock()

    @contextmanager
    def admit_request(self) -> Iterator[None]:
        """Count a request while it runs. Raises ServiceBusy if the limit is reached."""
        if not self._admission.acquire(blocking=False):
            raise ServiceBusy(
                f"The limit of {MAX_CONCURRENT_REQUESTS} concurrent classifications is reached; "
                "retry shortly."
            )
        try:
            yield
        finally:
            self._admission.release()

    def classify_texts(
        self, members: Sequence[Model], task: Task, texts: Sequence[Text]
    ) -> ClassifiedTexts:
        """Classify the texts with models of one job, which share a tokenizer.

        Raises ModelNotServed.
        """
        from api.serving.predictions import build_predictions

        encoded = self._get_classifier(members[0], task).encode_texts(texts)
        logits = [
            self._get_classifier(member, task).compute_logits(encoded, self._compute_lock)
            for member in members
        ]
        return ClassifiedTexts(
            build_predictions(logits, task.type), encoded.truncated, encoded.token_count
        )

    def evict_model(self, prefix: str) -> None:
        """Free the memory and the local copy of a deleted model."""
        self._classifiers.forget(prefix)
        shutil.rmtree(get_cached_folder(self._settings, prefix), ignore_errors=True)

    def _get_classifier(self, model: Model, task: Task) -> Classifier:
        return self._classifiers.get(model.prefix, lambda: self._load_classifier(model, task))

    def _load_classifier(self, model: Model, task: Task) -> Classifier:
        from api.serving.classifier import Classifier

        try:
            folder = fetch_cached_folder(self._settings, self._storage, model.prefix)
        except BlobMissing:
            raise ModelNotServed(
                f"The weights of {model.id} are missing from the storage; clone its job to train "
                "it again.",
                param="model",
            ) from None
        return Classifier(folder, max_seq_length=task.max_seq_length, threads=self._settings.cores)
