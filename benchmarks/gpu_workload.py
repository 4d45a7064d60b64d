"""What the GPU benchmark trains: BERT of random weights on rows of made-up words with RTE's
lengths. Nothing is read from outside.
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
"""Tokens a row of RTE's training file, cut at 128: its 41 quantiles from the shortest to the
longest. Their mean is 66.
"""
USED_WORD_COUNT = 13_572
"""Entries of the vocabulary that RTE's training rows use."""
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@dataclass(frozen=True)
class EncoderSize:
    name: str
    layers: int
    width: int
    heads: int
    vocabulary: int = 30_522
    rows: int = 2_490

    def count_row_flops(self, tokens: int) -> float:
        """Forward and backward: 6 a weight of the blocks and a token, and 12 · tokens² · width
        a layer for attention's two products.
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
    """Weights as BERT's are drawn before its pre-training, and a tokenizer that knows each word
    as one token.
    """
    words = {
        word: index
        for index, word in enumerate(
            [*SPECIAL_TOKENS, *(f"w{i}" for i in range(size.vocabulary - 4))]
        )
    }
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    config = BertConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
    )
    with torch.random.fork_rng(), silence_transformers():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="[PAD]",
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
        ).save_pretrained(folder)
    return folder


def write_rows(size: EncoderSize, path: Path) -> DataFile:
    """Pairs of texts of RTE's lengths, three special tokens counted in, with labels by chance."""
    draw = random.Random(0)
    used = min(USED_WORD_COUNT, size.vocabulary - len(SPECIAL_TOKENS))
    lines = ["premise\thypothesis\tlabel"]
    for row in range(size.rows):
        words = [
            f"w{draw.randrange(used)}"
            for _ in range(ROW_LENGTHS[row * len(ROW_LENGTHS) // size.rows] - 3)
        ]
        lines.append(
            f"{' '.join(words[:-8])}\t{' '.join(words[-8:])}\t{draw.choice(('yes', 'no'))}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataFile(path=path, filename=path.name)


def make_specs(
    base_model: Path, file: DataFile, folder: Path, seeds: int, *, precision: Precision, device: str
) -> list[RunSpec]:
    """Runs of one job that are longer than anybody measures; ``folder`` is left empty."""
    recipe = Recipe(
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
    task = Task(
        type=TaskType.SINGLE_LABEL,
        text_column="premise",
        text_pair_column="hypothesis",
        label_column="label",
        header=True,
        label_names=["no", "yes"],
        positive_label="yes",
        max_seq_length=128,
    )
    common = RunSpec(
        run_id="",
        base_model=base_model,
        task=task,
        metric="accuracy",
        training_file=file,
        validation_file=None,
        split=SplitRequest(validation_fraction=0.1),
        recipe=recipe,
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
