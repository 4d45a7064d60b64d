"""Models loaded in this process, which share one queue of forward passes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.classifications.lookup_cache import LookupCache
from api.serving.cache import Cache
from api.serving.pass_queue import PassQueue
from api.serving.pass_work import Requester
from shared.db.tables import Model
from shared.domain.errors import ModelNotServed
from shared.domain.task import Task
from shared.infra.model_cache import fetch_cached_folder, get_cached_folder
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing

if TYPE_CHECKING:  # numpy and onnxruntime are loaded on first use
    from api.serving.classifier import Classifier, Text
    from api.serving.predictions import Prediction

MAX_LOADED_MODELS = 32


@dataclass(frozen=True)
class EnsembleModels:
    """Models that classify together (often a single one), and their task."""

    task: Task
    members: list[Model]


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
        self._passes = PassQueue()
        self._ensembles: LookupCache[EnsembleModels] = LookupCache()

    def find_ensemble(self, key: object, read: Callable[[], EnsembleModels]) -> EnsembleModels:
        """Return the models of this key, which ``read`` reads if they are not known."""
        return self._ensembles.get(key, read)

    def classify_texts(
        self, members: Sequence[Model], task: Task, texts: Sequence[Text], requester: Requester
    ) -> ClassifiedTexts:
        """Classify the texts with models of one job, which share a tokenizer.

        Raises ModelNotServed, ServiceBusy if the requester has waited too long for its first pass,
        and InvalidRequest if its client has gone.
        """
        from api.serving.classifier import order_logits
        from api.serving.predictions import build_predictions

        requester.require_present()
        classifier = self._get_classifier(members[0], task)
        # the first load may take longer than anybody is to wait in the queue
        requester = requester.start_waiting()
        encoded = classifier.encode_texts(texts)
        lengths = encoded.lengths
        logits = []
        for member in members:
            # one after the other: all of them may need more memory than models may take
            classifier = self._get_classifier(member, task)
            passes = self._passes.run(classifier, encoded.rows, lengths, requester)
            logits.append(order_logits(passes))
            requester = requester.without_deadline()
        return ClassifiedTexts(
            build_predictions(logits, task.type), encoded.truncated, sum(lengths)
        )

    def evict_model(self, prefix: str) -> None:
        """Free the memory and the local copy of a deleted model."""
        self._ensembles.clear()
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
