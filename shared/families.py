"""Where each encoder family keeps its parts; a new family is one row.

Paths are attribute paths from the classification model (``AutoModelForSequenceClassification``).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    model_type: str
    """``model_type`` in config.json."""
    blocks: str
    """The list of transformer blocks, bottom first."""
    pooler: str | None
    """The module between the encoder and the head that was pre-trained with it, if there is one."""
    embeddings: str
    head: str
    """The module that is new in any case."""
    position_offset: int = 0
    """Position rows that no token can use (RoBERTa counts from padding_idx + 1)."""


FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        Family(
            "bert", blocks="bert.encoder.layer", pooler="bert.pooler", embeddings="bert.embeddings", head="classifier"
        ),
        # RoBERTa's classification model has no pooler; its whole two-layer head is new
        Family(
            "roberta",
            blocks="roberta.encoder.layer",
            pooler=None,
            embeddings="roberta.embeddings",
            head="classifier",
            position_offset=2,
        ),
    )
}
