"""Networks with a pooled head: ``recipe.pooling`` cls or mean, and pairs encoded apart.

The encoder is the family's own and keeps its parameter names. Its pooler and the family's head are
left out. What replaces them depends on the recipe and the task:

- single texts and joined pairs: a linear layer on the pooled vector u of the sequence;
- separate pairs: both texts pass through the same encoder, as rows of one batch. Their vectors are
  scaled to length 1, u and v, and feed a linear layer on (u, v, |u - v|, u·v) as in Sentence-BERT
  (Reimers and Gurevych 2019), and on their cosine, which the other features hold only as a sum; for
  a regression the prediction is scale · cos(u, v) + offset;
- aligned pairs: the same, but compared token by token, by a linear layer on how well the tokens of
  each text are matched by those of the other, and on the cosine of u and v.

Dropout before the linear layer on one sequence has the rate of the family's own head. Two vectors
get none: they are compared by their directions, which dropout would turn.
"""

from dataclasses import replace
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.domain.task import Task, TaskType
from shared.encoders.families import FAMILIES
from shared.recipe import PairEncoding, Pooling, Recipe
from worker.training.model.pair_heads import AlignmentHead, CosineHead, PairHead, TokenStates
from worker.training.packed.packed_layout import PackedLayout
from worker.training.packed.row_means import average_tokens_by_row
from worker.training.packed.row_tokens import gather_tokens_by_row

_DROPOUT_KEYS = (
    "classifier_dropout",
    "classifier_dropout_prob",
    "seq_classif_dropout",
    "cls_dropout",
)
"""Names of the head's dropout rate in config.json; the families fall back to that of the blocks."""


class HeadChoice(NamedTuple):
    """The recipe's settings of the head."""

    pooling: Pooling = "family"
    pair_encoding: PairEncoding = "joined"

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> "HeadChoice":
        return cls(recipe.pooling, recipe.pair_encoding)


FAMILY_HEAD = HeadChoice()
"""The family's own head, on one sequence."""


class PooledClassifier(PreTrainedModel):
    """An encoder under a head that reads pooled vectors; its logits are those of the rows."""

    _supports_sdpa = _supports_attention_backend = True
    config_class = PreTrainedConfig

    def __init__(self, network: PreTrainedModel, choice: HeadChoice, task: Task) -> None:
        """Take over the encoder of a family's classification network; the new head is not drawn."""
        super().__init__(network.config)
        assert choice.pooling != "family", "the family's own head needs no other network"
        self.pooling: Literal["cls", "mean"] = choice.pooling
        self.pair_encoding: PairEncoding = choice.pair_encoding
        family = FAMILIES[network.config.model_type]
        self.encoder_path = family.blocks.partition(".")[0]
        encoder = network.get_submodule(self.encoder_path)
        if family.pooler and family.pooler.startswith(f"{self.encoder_path}."):
            encoder.pooler = cast(Any, None)
        self.family = replace(family, head=("classifier",), pooler=None)
        self.num_labels = task.num_outputs
        self.add_module(self.encoder_path, encoder)
        self.dropout = nn.Dropout(_get_head_dropout(network.config))
        self.classifier = self._build_head(getattr(network.config, family.width_key), task)

    def _build_head(
        self, width: int, task: Task
    ) -> nn.Linear | CosineHead | PairHead | AlignmentHead:
        if self.pair_encoding == "joined":
            return nn.Linear(width, task.num_outputs)
        if self.pair_encoding == "aligned":
            return AlignmentHead(task.num_outputs)
        if task.type is TaskType.REGRESSION:
            return CosineHead()
        return PairHead(width, task.num_outputs)

    @property
    def encoder(self) -> PreTrainedModel:
        """The family's encoder, without pooler."""
        return cast(PreTrainedModel, self.get_submodule(self.encoder_path))

    @property
    def reads_all_tokens(self) -> bool:
        """Whether the head reads more than the first token of each sequence."""
        return self.pooling == "mean" or self.pair_encoding == "aligned"

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.get_input_embeddings()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        layout: PackedLayout | None = None,
        **inputs: Tensor,
    ) -> SequenceClassifierOutput:
        """Return logits of shape (rows, outputs), or (S, rows, outputs) for a packed batch.

        The second texts of pairs that are encoded apart follow the first ones.
        """
        options = {"attention_mask": attention_mask} if layout is None else {"layout": layout}
        states = self.encoder(input_ids=input_ids, **inputs, **options).last_hidden_state
        if self.pair_encoding == "aligned":
            logits = self._compare_tokens(_list_tokens(states, attention_mask, layout))
        else:
            logits = self._apply_head(self._pool_states(states, attention_mask, layout))
        return SequenceClassifierOutput(logits=logits)

    def _pool_states(
        self, states: Tensor, attention_mask: Tensor | None, layout: PackedLayout | None
    ) -> Tensor:
        """Return a vector per sequence; a packed batch has its first tokens in place of one."""
        if self.pooling == "cls":
            return states[:, 0]
        if layout is not None:
            return average_tokens_by_row(states, layout)
        if attention_mask is None:
            return states.mean(dim=1)
        mask = attention_mask[..., None].float()
        return ((states.float() * mask).sum(dim=1) / mask.sum(dim=1)).to(states.dtype)

    def _apply_head(self, pooled: Tensor) -> Tensor:
        if self.pair_encoding == "joined":
            return cast(Tensor, self.classifier(self.dropout(pooled)))
        first, second = pooled.unflatten(-2, (2, -1)).unbind(-3)
        return cast(Tensor, self.classifier(first, second))

    def _compare_tokens(self, tokens: TokenStates) -> Tensor:
        pooled = tokens.states[..., 0, :] if self.pooling == "cls" else tokens.average()
        vectors = pooled.unflatten(-2, (2, -1)).unbind(-3)
        return cast(Tensor, self.classifier(vectors, tokens.split_pairs()))


def _list_tokens(
    states: Tensor, attention_mask: Tensor | None, layout: PackedLayout | None
) -> TokenStates:
    """Return the tokens of each sequence of a batch, packed or padded."""
    if layout is not None:
        return TokenStates(*gather_tokens_by_row(states, layout))
    if attention_mask is None:
        return TokenStates(states, states.new_ones(states.shape[:-1], dtype=torch.bool))
    return TokenStates(states, attention_mask.bool())


def _get_head_dropout(config: PreTrainedConfig) -> float:
    """Return the dropout rate of the family's own head."""
    rates = [getattr(config, key, None) for key in (*_DROPOUT_KEYS, "hidden_dropout_prob")]
    return next(float(rate) for rate in rates if rate is not None)
