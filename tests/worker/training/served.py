"""Logits of a published model as the service computes them."""

from collections.abc import Sequence

from api.serving.classifier import Classifier, Logits, Text, order_logits
from api.serving.pass_queue import PassQueue
from api.serving.pass_work import Requester


def compute_served_logits(classifier: Classifier, texts: Sequence[Text]) -> Logits:
    """Return logits of shape (rows, outputs), in the order of the texts."""
    encoded = classifier.encode_texts(texts)
    passes = PassQueue().run(classifier, encoded.rows, encoded.lengths, Requester("local"))
    return order_logits(passes)
