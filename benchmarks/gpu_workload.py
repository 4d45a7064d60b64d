"""The workload of the GPU benchmark: BERT with random weights on rows of made-up words, as long
as the rows of RTE. It needs no files from elsewhere.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from shared.domain.task import SplitRequest, Task, TaskType
from shared.recipe import Precision, Recipe
from worker.training.model.transformers_logging import silence_transformers
from worker.training.spec import DataFile, RunSpec

ROW_LENGTHS = (
    *(13, 25, 29, 31, 33, 35, 37, 38, 40, 41, 43, 44, 45, 46, 47, 48, 50, 51, 53, 54, 56),
    *(57, 59, 61, 62, 64, 67, 69, 72, 78, 85, 93, 103, 113, 120, 128, 128, 128, 128, 128, 128),
)
"""Tokens per row of RTE's training file, cut at 128: 41 quantiles from the shortest to the
longest row. Their mean is 66.
"""
USED_WORD_COUNT = 13_572
"""Number of vocabulary entries that RTE's training rows use."""
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@dataclass(frozen=True)
class EncoderSize:
    """The size of a BERT encoder and of its training file."""

    name: str
    layers: int
    width: int
    heads: int
    vocabulary: int = 30_522
    rows: int = 2_490

    def count_row_flops(self, tokens: int) -> float:
        """Count the floating-point operations of a row's forward and backward pass.

        6 per weight of the blocks and token, and 12 · tokens² · width per layer for attention's
        two products.
        """
        weights = self.layers * 12 * self.width**2
        return 6.0 * weights * tokens + 12.0 * self.layers * self.width * tokens**2


SIZES = {
    size.name: size
    for size in (
        EncoderSize("base", 12, 768, 12),
        EncoderSize("large", 24, 1024, 16),
        EncoderSize("tiny", 2, 32, 2, vocabulary=500, rows=60),
    )
}


def make_base_model(size: EncoderSize, folder: Path) -> Path:
    """Write a BERT with weights as before its pre-training, and a tokenizer of whole words."""
    with torch.random.fork_rng(), silence_transformers():
        torch.manual_seed(0)
        BertModel(_build_config(size)).save_pretrained(folder)
        PreTrainedTokenizerFast(
            tokenizer_object=_build_tokenizer(size.vocabulary),
            pad_token="[PAD]",
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
        ).save_pretrained(folder)
    return folder


def _build_config(size: EncoderSize) -> BertConfig:
    return BertConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
    )


def _build_tokenizer(vocabulary: int) -> Tokenizer:
    words = [*SPECIAL_TOKENS, *(f"w{i}" for i in range(vocabulary - len(SPECIAL_TOKENS)))]
    ids = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def write_rows(size: EncoderSize, path: Path) -> DataFile:
    """Write pairs of texts as long as RTE's, three special tokens included, with random labels."""
    rng = random.Random(0)
    used = min(USED_WORD_COUNT, size.vocabulary - len(SPECIAL_TOKENS))
    lines = ["premise\thypothesis\tlabel"]
    for row in range(size.rows):
        length = ROW_LENGTHS[row * len(ROW_LENGTHS) // size.rows] - 3
        words = [f"w{rng.randrange(used)}" for _ in range(length)]
        label = rng.choice(("yes", "no"))
        lines.append(f"{' '.join(words[:-8])}\t{' '.join(words[-8:])}\t{label}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataFile(path=path, filename=path.name)


TASK = Task(
    type=TaskType.SINGLE_LABEL,
    text_column="premise",
    text_pair_column="hypothesis",
    label_column="label",
    header=True,
    label_names=["no", "yes"],
    positive_label="yes",
    max_seq_length=128,
)


def make_specs(
    base_model: Path, file: DataFile, folder: Path, seeds: int, *, precision: Precision, device: str
) -> list[RunSpec]:
    """Make the runs of one job, longer than any measurement; ``folder`` stays empty."""
    common = RunSpec(
        run_id="",
        base_model=base_model,
        task=TASK,
        metric="accuracy",
        training_file=file,
        validation_file=None,
        split=SplitRequest(validation_fraction=0.1),
        recipe=_build_recipe(precision),
        init_seed=0,
        data_seed=0,
        threads=1,
        device=device,
        output=folder,
        export=False,
    )
    return [
        common.model_copy(update={"run_id": f"seed {seed}", "init_seed": seed, "data_seed": seed})
        for seed in range(seeds)
    ]


def _build_recipe(precision: Precision) -> Recipe:
    return Recipe(
        preset="debiased",
        learning_rate=2e-5,
        bias_correction=True,
        num_train_epochs=None,
        max_steps=100_000,
        train_batch_size=16,
        reinit_pooler=False,
        reinit_layers=0,
        eval_points=1,
        precision=precision,
    )
