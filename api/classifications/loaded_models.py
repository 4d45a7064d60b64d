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

MOST_MODELS = 32
REQUESTS_AT_ONCE = 8  # of the process's forty threads: whoever polls a job shall find one


@dataclass(frozen=True)
class Answered:
    answers: list[Answer]
    truncated: list[bool]
    tokens: int


class Serving:
    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._loaded: Cache[Classifier] = Cache(MOST_MODELS, settings.classifier_bytes)
        self._admitted = BoundedSemaphore(REQUESTS_AT_ONCE)
        self._computing = (
            Lock()
        )  # a pass has all cores; between passes another request has its turn

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Raises ServiceBusy where as many are admitted as may be."""
        if not self._admitted.acquire(blocking=False):
            raise ServiceBusy(
                f"{REQUESTS_AT_ONCE} requests are being classified already; try again in a moment."
            )
        try:
            yield
        finally:
            self._admitted.release()

    def answers(self, members: Sequence[Model], task: Task, texts: Sequence[Text]) -> Answered:
        """Of models of one job together, whose tokenizer is the same. Raises ModelNotServed."""
        from api.serving.answers import answers_of

        encoded = self._classifier(members[0], task).encode(texts)
        logits = [
            self._classifier(member, task).logits(encoded, self._computing) for member in members
        ]
        return Answered(answers_of(logits, task.type), encoded.truncated, encoded.tokens)

    def forget(self, prefix: str) -> None:
        """The model stored there was deleted: let go of its memory and of its copy on this machine."""
        self._loaded.forget(prefix)
        shutil.rmtree(local_folder(self._settings, prefix), ignore_errors=True)

    def _classifier(self, model: Model, task: Task) -> Classifier:
        return self._loaded.get(model.prefix, lambda: self._load(model, task))

    def _load(self, model: Model, task: Task) -> Classifier:
        from api.serving.classifier import Classifier

        try:
            folder = fetched_folder(self._settings, self._storage, model.prefix)
        except BlobMissing:
            raise ModelNotServed(
                f"The weights of {model.id} are not in the storage.", param="model"
            ) from None
        return Classifier(folder, max_seq_length=task.max_seq_length, threads=self._settings.cores)
