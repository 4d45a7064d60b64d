"""Where each encoder family keeps its parts; a new family is one row.

Paths are attribute paths from the classification model
(``AutoModelForSequenceClassification``), as of transformers 5. Every parameter of that model
lies below exactly one of a row's paths; ``worker.training.model.module_groups`` refuses a model
where one does not. The rules by which a row was filled in:

- ``head`` is what no checkpoint of the family's pre-training brings, whatever its name:
  RoBERTa, XLM-R, ELECTRA and MPNet have a dense layer of their own in it, DistilBERT calls that
  ``pre_classifier``, DeBERTa ``pooler`` (its ``ContextPooler`` is new).
- ``pooler`` is a module between the top block and the head that was pre-trained with the
  encoder: BERT's and ALBERT's (next sentence and sentence order), and ModernBERT's ``head`` (of
  its masked-token prediction).
- ``embeddings`` is what is computed before the blocks or serves all of them at once: token,
  position and type tables, their norm and projection (ELECTRA, ALBERT), tables of relative
  positions (DeBERTa, MPNet), and DeBERTa v2's convolution, which reads the embeddings.
- ``top`` is what follows the top block and belongs to no pooler: ModernBERT's last norm. It is
  trained with the top block and never drawn afresh.
- ``padding_free`` is whether a batch can be one flat sequence of its rows' tokens
  (``worker.training.packed.packing``). DeBERTa and MPNet compute biases of relative positions
  from the places of a sequence and do not go through transformers' attention interface.
- ``first_tokens`` is in the top block, behind its attention, where blocks add to what they are
  given by a module of their own. ALBERT's layers share one block, and ModernBERT's block adds
  its feed-forward layer to all tokens in its own code.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    model_type: str
    """``model_type`` in config.json."""
    blocks: str
    """The list of transformer blocks, bottom first; of ALBERT, the list of its blocks of
    weights.
    """
    embeddings: tuple[str, ...]
    """Some checkpoints lack some of these modules (a projection, a convolution)."""
    head: tuple[str, ...]
    """The modules that are new in any case, the one that gives the logits last."""
    pooler: str | None = None
    """The module between the encoder and the head that was pre-trained with it, if there is one."""
    top: tuple[str, ...] = ()
    position_offset: int = 0
    """Position rows that no token can use (RoBERTa counts from padding_idx + 1)."""
    depth_key: str = "num_hidden_layers"
    """Number of layers in config.json."""
    width_key: str = "hidden_size"
    """Width of a layer in config.json."""
    padding_free: bool = True
    """Whether batches are trained without padding."""
    first_tokens: str | None = None
    """Path below the top block of the module from whose inputs on, in a batch without padding,
    only the rows' first tokens are computed; where there is none, they are taken from the
    encoder's output.
    """
    blocks_key: str | None = None
    """Where several layers use the same weights: the number of blocks of weights in config.json."""


def _like_roberta(model_type: str) -> Family:
    return Family(
        model_type,
        blocks="roberta.encoder.layer",
        embeddings=("roberta.embeddings",),
        head=("classifier",),
        first_tokens="attention.output",
        position_offset=2,
    )


def _like_deberta(model_type: str) -> Family:
    beside_the_blocks = ("rel_embeddings", "LayerNorm", "conv")
    return Family(
        model_type,
        blocks="deberta.encoder.layer",
        embeddings=(
            "deberta.embeddings",
            *(f"deberta.encoder.{name}" for name in beside_the_blocks),
        ),
        head=("pooler", "classifier"),
        padding_free=False,
    )


FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        Family(
            "bert",
            blocks="bert.encoder.layer",
            embeddings=("bert.embeddings",),
            head=("classifier",),
            pooler="bert.pooler",
            first_tokens="attention.output",
        ),
        _like_roberta("roberta"),
        _like_roberta("xlm-roberta"),
        Family(
            "electra",
            blocks="electra.encoder.layer",
            embeddings=("electra.embeddings", "electra.embeddings_project"),
            head=("classifier",),
            first_tokens="attention.output",
        ),
        Family(
            "distilbert",
            blocks="distilbert.transformer.layer",
            embeddings=("distilbert.embeddings",),
            head=("pre_classifier", "classifier"),
            first_tokens="sa_layer_norm",
            depth_key="n_layers",
            width_key="dim",
        ),
        Family(
            "albert",
            blocks="albert.encoder.albert_layer_groups",
            embeddings=("albert.embeddings", "albert.encoder.embedding_hidden_mapping_in"),
            head=("classifier",),
            pooler="albert.pooler",
            blocks_key="num_hidden_groups",
        ),
        _like_deberta("deberta"),
        _like_deberta("deberta-v2"),
        Family(
            "modernbert",
            blocks="model.layers",
            embeddings=("model.embeddings",),
            head=("classifier",),
            pooler="head",
            top=("model.final_norm",),
        ),
        Family(
            "mpnet",
            blocks="mpnet.encoder.layer",
            embeddings=("mpnet.embeddings", "mpnet.encoder.relative_attention_bias"),
            head=("classifier",),
            padding_free=False,
            position_offset=2,
        ),
    )
}
