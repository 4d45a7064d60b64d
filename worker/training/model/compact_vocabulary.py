"""Compact vocabulary: a run trains only the word embeddings whose tokens occur in its files.

An entry whose token is in no training row has gradient 0 at every step, hence m = v = 0 and no
update except weight decay. So the embedding table is cut to the entries of the run's files before
the optimizer and the forward pass are created; gradient, norm, clipping, moments and copies shrink
with it. The full table is rebuilt at the end. MiniLM has 11.7 M of its 22.7 M parameters in that
table, XLM-R 192 M of 278 M; a few thousand rows use a few thousand of the entries.

The result equals training the full table, on a CPU to the last bit:

- *Decay.* Decoupled weight decay multiplies an absent entry by 1 - α_t λ at every step. The
  products are replayed one by one when the table is rebuilt, because their roundings do not
  commute. Pre-trained decay alone does not move an entry that is still at its start.
- *Files.* The entries of all rows of the run's files are kept, whichever fold trains. So evaluation
  needs no other table, and all runs of a job have the same one.
- *Padding.* The entry of the padding token is kept. Families that count positions from the first
  id above the padding id (RoBERTa, XLM-R, MPNet) also keep all entries before it: entries stay in
  order, so the padding id does not change.
- *Roundings.* torch sums squares lane by lane of a vector register, and the fused AdamW rounds the
  last few numbers of a tensor, which fill no register, differently. So entries are kept in groups
  that fill whole registers, and a last group that is too short is always kept: every number stays
  in its lane, and the last numbers stay last.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from shared.recipe import Recipe
from shared.recipe.schedule import create_linear_schedule
from worker.training.data.split import Split, Splits
from worker.training.data.tokenization import EncodedText
from worker.training.model.average_candidates import average_tensors
from worker.training.model.module_groups import get_family
from worker.training.optim.optimizer import compute_adamw_settings
from worker.training.optim.parameter_groups import ParameterGroup, build_parameter_groups

REGISTER_FLOATS = 16
"""Float32 numbers in the widest vector register, and in the cache lines by which the fused AdamW
divides a tensor among threads."""
REPLAY_CHUNK_SIZE = 16_384
"""Numbers replayed together: 64 KiB stay in the cache for all steps, and are too few for torch to
divide among threads at every step."""


@dataclass(frozen=True)
class CompactVocabulary:
    """The entries of a network's word embeddings that are trained."""

    entries: Tensor
    """Token ids of the entries: int64, ascending, on the CPU. The index is the id in the run."""
    size: int
    """Number of entries of the full table; equal to that of ``entries`` if the table is not cut."""

    @classmethod
    def from_texts(
        cls, network: PreTrainedModel, texts: Iterable[EncodedText]
    ) -> "CompactVocabulary":
        """Return the vocabulary of all rows of the texts, or the full one if it cannot be cut."""
        embedding = network.get_input_embeddings()
        if not _can_be_cut(embedding, network):
            return cls(torch.arange(network.config.vocab_size), network.config.vocab_size)
        size = embedding.num_embeddings
        texts = list(texts)
        occurs = torch.zeros(size, dtype=torch.bool)
        for text in texts:
            occurs[torch.cat(text.columns["input_ids"])] = True
        padding = {text.padding["input_ids"] for text in texts}
        if embedding.padding_idx is not None:
            padding.add(embedding.padding_idx)
        occurs[list(padding)] = True
        if get_family(network).position_offset:
            occurs[: max(padding)] = True
        return cls(_fill_registers(occurs, embedding.embedding_dim).nonzero().flatten(), size)

    @property
    def is_cut(self) -> bool:
        """Whether entries are left out."""
        return len(self.entries) < self.size

    def cut_embeddings(self, network: PreTrainedModel) -> None:
        """Cut the network's table. Call this before anything refers to the network's parameters."""
        if self.is_cut:
            embedding = _get_embedding(network)
            entries = self.entries.to(embedding.weight.device)
            _set_table(embedding, embedding.weight.detach()[entries])
            if embedding.padding_idx is not None:
                embedding.padding_idx = int(self._build_id_map()[embedding.padding_idx])

    def renumber_splits(self, splits: Splits) -> Splits:
        """Return the splits with the ids of a cut network; ``splits`` itself is unchanged."""
        if not self.is_cut:
            return splits
        id_map = self._build_id_map()
        texts = {id(split.text): split.text for split in splits.get_named_splits().values()}
        renumbered = {key: _renumber_text(text, id_map) for key, text in texts.items()}

        def renumber_split(split: Split) -> Split:
            return replace(split, text=renumbered[id(split.text)])

        return Splits(
            train=renumber_split(splits.train),
            validation=renumber_split(splits.validation),
            test=None if splits.test is None else renumber_split(splits.test),
        )

    @torch.no_grad()
    def build_full_table(
        self, network: PreTrainedModel, start: PreTrainedModel, recipe: Recipe, *steps: int
    ) -> dict[str, Tensor]:
        """Return the full table, of shape (size, width), by parameter name; empty if not cut.

        ``network`` has the cut table after so many steps of the recipe, or the average of the
        tables after each of ``steps``; ``start`` has the full table before the first step. Both
        are left unchanged.
        """
        if not self.is_cut:
            return {}
        trained, initial = _get_embedding(network).weight, _get_embedding(start).weight
        entries = self.entries.to(initial.device)
        table = initial.detach().clone()
        factors = compute_decay_factors(network, recipe, max(steps))
        if factors:
            absent = self._find_absent_entries(initial.device)
            table[absent] = average_tensors(
                [replay_decay(table[absent], initial[absent], factors[:step]) for step in steps]
            )
        table[entries] = trained
        [name] = (name for name, parameter in network.named_parameters() if parameter is trained)
        return {name: table}

    def restore_full_table(
        self, network: PreTrainedModel, start: PreTrainedModel, recipe: Recipe, *steps: int
    ) -> None:
        """Put the full table, as training all entries would leave it, back into the network."""
        for table in self.build_full_table(network, start, recipe, *steps).values():
            embedding = _get_embedding(network)
            if embedding.padding_idx is not None:
                embedding.padding_idx = int(self.entries[embedding.padding_idx])
            _set_table(embedding, table)

    def _find_absent_entries(self, device: torch.device) -> Tensor:
        """Return a mask of shape (size,), true for the entries that are left out."""
        absent = torch.ones(self.size, dtype=torch.bool, device=device)
        absent[self.entries.to(device)] = False
        return absent

    def _build_id_map(self) -> Tensor:
        """Return the id in the run of every token id; -1 for absent tokens."""
        id_map = torch.full((self.size,), -1)
        id_map[self.entries] = torch.arange(len(self.entries))
        return id_map


def compute_decay_factors(
    network: PreTrainedModel, recipe: Recipe, steps: int
) -> Sequence[tuple[float, float]]:
    """Return each step's decay of the table's entries; empty if they are not decayed.

    A step first moves an entry toward its start by the share given first, then multiplies it by
    the factor given second.
    """
    group = _find_table_group(network, recipe)
    if not (recipe.weight_decay and group.has_weight_decay):
        return []
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    factors = []
    for step in range(1, steps + 1):
        rate = schedule.compute_rate(step)
        settings = compute_adamw_settings(recipe, group, rate, step)
        toward_start = rate * group.rate_scale * recipe.pretrained_weight_decay
        factors.append((toward_start, 1 - settings.learning_rate * settings.weight_decay))
    return factors


def _find_table_group(network: PreTrainedModel, recipe: Recipe) -> ParameterGroup:
    table = _get_embedding(network).weight
    [group] = (
        group
        for group in build_parameter_groups(network, recipe)
        if any(parameter is table for parameter in group.parameters)
    )
    return group


def replay_decay(entries: Tensor, start: Tensor, factors: Sequence[tuple[float, float]]) -> Tensor:
    """Apply the decay of pre-trained decay and AdamW to entries that never have a gradient.

    All tensors have the same shape.
    """
    blocks = zip(
        entries.flatten().split(REPLAY_CHUNK_SIZE),
        start.flatten().split(REPLAY_CHUNK_SIZE),
        strict=True,
    )
    decayed = [_decay_block(block.clone(), block_start, factors) for block, block_start in blocks]
    return torch.cat(decayed).view_as(entries)


def _decay_block(block: Tensor, start: Tensor, factors: Sequence[tuple[float, float]]) -> Tensor:
    for toward_start, factor in factors:
        if toward_start:
            block.lerp_(start, toward_start)
        block.mul_(factor)
    return block


def _get_embedding(network: PreTrainedModel) -> nn.Embedding:
    embedding = network.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding), "only a plain embedding is ever cut"
    return embedding


def _can_be_cut(embedding: nn.Module, network: PreTrainedModel) -> TypeGuard[nn.Embedding]:
    """Return whether the embedding is a plain table that nothing else in the network uses.

    Other uses are a tied output layer or a second path to the same module.
    """
    if type(embedding) is not nn.Embedding or parametrize.is_parametrized(embedding):
        return False
    parameters = network.named_parameters(remove_duplicate=False)
    uses = sum(parameter is embedding.weight for _, parameter in parameters)
    return (
        uses == 1
        and embedding.max_norm is None
        and not embedding.scale_grad_by_freq
        and not embedding.sparse
    )


def _fill_registers(occurs: Tensor, width: int) -> Tensor:
    """Extend the mask to groups that fill registers, and to a last group that is too short."""
    group = REGISTER_FLOATS // math.gcd(width, REGISTER_FLOATS)
    short = len(occurs) % group
    padded = torch.cat([occurs, torch.ones(group - short, dtype=torch.bool)]) if short else occurs
    return padded.view(-1, group).any(dim=1).repeat_interleave(group)[: len(occurs)]


def _set_table(embedding: nn.Embedding, table: Tensor) -> None:
    embedding.weight = nn.Parameter(table)
    embedding.num_embeddings = len(table)


def _renumber_text(text: EncodedText, id_map: Tensor) -> EncodedText:
    rows = text.columns["input_ids"]
    ids = id_map[torch.cat(rows)].split([len(row) for row in rows])
    padding = text.padding | {"input_ids": int(id_map[text.padding["input_ids"]])}
    return replace(text, columns=text.columns | {"input_ids": list(ids)}, padding=padding)
