"""Only the vocabulary that occurs: a run trains the word embeddings of its own rows' tokens,
and the table is whole again at its end.

An entry whose token is in no training row has gradient 0 at every step, hence m = v = 0, and no
update but the decay. So the network's table is cut to the entries of the run's files before
optimiser and forward pass are made; gradient, norm, clipping, moments and copies shrink with
it. Of MiniLM's 22.7 M parameters 11.7 M are in that table, of XLM-R's 278 M 192 M; a few
thousand rows use a few thousand of the entries. The result is the plain way's, on a CPU to the
last bit:

- *Decay.* Decoupled weight decay multiplies an absent entry by 1 - α_t λ at every step. Where
  the recipe has it, these products are taken one by one, for their roundings do not commute,
  when the table is put together. Decay toward the start leaves alone what is there.
- *Which file.* The entries of all rows of the run's files are kept, whichever fold trains, so
  that evaluation needs no other table and all runs of a job have the same one.
- *Padding.* The entry of the padding token is kept. Families that count positions from the
  first number that is not its id (RoBERTa, XLM-R, MPNet) keep what is before it too: entries
  stay in their order, so its id stays what it is.
- *Roundings.* torch adds squares up lane by lane of a vector register, and takes the last few
  numbers of a tensor one by one, which the fused AdamW rounds differently. So entries are kept
  in groups that fill whole registers, and so is a last group that does not: every number keeps
  its lane, and what was last stays last.
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
from worker.training.data.split import Splits
from worker.training.data.tokenization import EncodedText
from worker.training.model.module_groups import get_family
from worker.training.optim.optimizer import adamw_settings
from worker.training.optim.parameter_groups import build_parameter_groups
from worker.training.optim.schedule import create_linear_schedule

REGISTER_FLOATS = 16
"""Float32 numbers of the widest vector register, and of the cache lines in which the fused
AdamW shares a tensor among threads.
"""
REPLAY_CHUNK_SIZE = 16_384
"""Numbers: 64 KiB, which stay in the cache for all steps, and are too few for torch to share
among threads at every one.
"""


@dataclass(frozen=True)
class CompactVocabulary:
    """Which entries of a network's table of word embeddings are trained."""

    entries: Tensor
    """Ids of their tokens, int64, ascending, on the CPU; an entry's place among them is its id
    in the run.
    """
    size: int
    """Entries of the whole table; as many as ``entries`` where it is left as it is."""

    @classmethod
    def from_texts(
        cls, network: PreTrainedModel, texts: Iterable[EncodedText]
    ) -> "CompactVocabulary":
        """Of all rows of these texts; of a network whose table cannot be cut, all entries."""
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
        return len(self.entries) < self.size

    def cut_embeddings(self, network: PreTrainedModel) -> None:
        """Leave the network, on whatever device, these entries alone. Call it before anything
        refers to its parameters.
        """
        if self.is_cut:
            embedding = _get_embedding(network)
            _set_table(
                embedding, embedding.weight.detach()[self.entries.to(embedding.weight.device)]
            )
            if embedding.padding_idx is not None:
                embedding.padding_idx = int(self._build_id_map()[embedding.padding_idx])

    def renumber_splits(self, splits: Splits) -> Splits:
        """The same rows for a network that was cut. What ``splits`` was made of stays as it is,
        for other runs.
        """
        if not self.is_cut:
            return splits
        places = self._build_id_map()
        texts = {id(split.text): split.text for split in splits.get_named_splits().values()}
        again = {key: _renumber_text(text, places) for key, text in texts.items()}
        train, validation, test = (
            None if split is None else replace(split, text=again[id(split.text)])
            for split in (splits.train, splits.validation, splits.test)
        )
        assert train is not None
        assert validation is not None
        return Splits(train, validation, test)

    @torch.no_grad()
    def build_full_table(
        self, network: PreTrainedModel, start: PreTrainedModel, recipe: Recipe, step: int
    ) -> dict[str, Tensor]:
        """The whole table, of shape (size, width), by its parameter's name; empty where none
        was cut.

        ``network`` has the entries of ``self`` as they are after ``step`` steps of the recipe,
        ``start`` the whole table before the first; both stay as they are.
        """
        if not self.is_cut:
            return {}
        trained, begun = _get_embedding(network).weight, _get_embedding(start).weight
        entries = self.entries.to(begun.device)
        table = begun.detach().clone()
        factors = compute_decay_factors(network, recipe, step)
        if factors:
            absent = torch.ones(self.size, dtype=torch.bool, device=begun.device)
            absent[entries] = False
            table[absent] = replay_decay(table[absent], begun[absent], factors)
        table[entries] = trained
        [name] = (name for name, parameter in network.named_parameters() if parameter is trained)
        return {name: table}

    def restore_full_table(
        self, network: PreTrainedModel, start: PreTrainedModel, recipe: Recipe, step: int
    ) -> None:
        """Give the network its whole table back, as the plain way would have left it after
        ``step`` steps.
        """
        for table in self.build_full_table(network, start, recipe, step).values():
            embedding = _get_embedding(network)
            if embedding.padding_idx is not None:
                embedding.padding_idx = int(self.entries[embedding.padding_idx])
            _set_table(embedding, table)

    def _build_id_map(self) -> Tensor:
        """By a token's id, its id in the run; -1 where it has none."""
        places = torch.full((self.size,), -1)
        places[self.entries] = torch.arange(len(self.entries))
        return places


def compute_decay_factors(
    network: PreTrainedModel, recipe: Recipe, steps: int
) -> Sequence[tuple[float, float]]:
    """Of each step, what the table's entries are drawn toward their start by and then
    multiplied by; empty where none is decayed.
    """
    table = _get_embedding(network).weight
    [group] = (
        group
        for group in build_parameter_groups(network, recipe)
        if any(its is table for its in group.parameters)
    )
    if not (recipe.weight_decay and group.has_weight_decay):
        return []
    schedule = create_linear_schedule(recipe.learning_rate, recipe.warmup_ratio, recipe.max_steps)
    factors = []
    for step in range(1, steps + 1):
        rate = schedule.compute_rate(step)
        settings = adamw_settings(recipe, group, rate, step)
        toward_start = rate * group.rate_scale * recipe.pretrained_weight_decay
        factors.append((toward_start, 1 - settings["lr"] * settings["weight_decay"]))
    return factors


def replay_decay(entries: Tensor, start: Tensor, factors: Sequence[tuple[float, float]]) -> Tensor:
    """What the steps of pre-trained decay and AdamW make of entries that never have a gradient;
    all tensors of one shape.
    """
    blocks = zip(
        entries.flatten().split(REPLAY_CHUNK_SIZE),
        start.flatten().split(REPLAY_CHUNK_SIZE),
        strict=True,
    )
    decayed = []
    for block, its_start in blocks:
        block = block.clone()
        for toward_start, factor in factors:
            if toward_start:
                block.lerp_(its_start, toward_start)
            block.mul_(factor)
        decayed.append(block)
    return torch.cat(decayed).view_as(entries)


def _get_embedding(network: PreTrainedModel) -> nn.Embedding:
    embedding = network.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding), "only such a table was cut"
    return embedding


def _can_be_cut(embedding: nn.Module, network: PreTrainedModel) -> TypeGuard[nn.Embedding]:
    """Whether it is a plain table that nothing else of the network uses (a tied output layer, a
    second way to the same module).
    """
    if type(embedding) is not nn.Embedding or parametrize.is_parametrized(embedding):
        return False
    uses = sum(
        its is embedding.weight for _, its in network.named_parameters(remove_duplicate=False)
    )
    return (
        uses == 1
        and embedding.max_norm is None
        and not embedding.scale_grad_by_freq
        and not embedding.sparse
    )


def _fill_registers(occurs: Tensor, width: int) -> Tensor:
    """Whoever is in a group with one who occurs, and the last group where it is short."""
    group = REGISTER_FLOATS // math.gcd(width, REGISTER_FLOATS)
    short = len(occurs) % group
    padded = torch.cat([occurs, torch.ones(group - short, dtype=torch.bool)]) if short else occurs
    return padded.view(-1, group).any(dim=1).repeat_interleave(group)[: len(occurs)]


def _set_table(embedding: nn.Embedding, table: Tensor) -> None:
    embedding.weight = nn.Parameter(table)
    embedding.num_embeddings = len(table)


def _renumber_text(text: EncodedText, places: Tensor) -> EncodedText:
    rows = text.columns["input_ids"]
    ids = places[torch.cat(rows)].split([len(row) for row in rows])
    padding = text.padding | {"input_ids": int(places[text.padding["input_ids"]])}
    return replace(text, columns=text.columns | {"input_ids": list(ids)}, padding=padding)
