"""Runs whose memory is measured: encoders of three sizes on rows of one length each."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.trainer_commands import SpecValues
from shared.domain.task import SplitRequest, Task
from shared.encoders.catalogue import OFFLINE_ENCODER, Catalogue
from shared.recipe import PairEncoding, Precision, Recipe

ROWS_PER_BATCH = 4
"""Training batches that a case has rows for."""


@dataclass(frozen=True)
class EncoderShape:
    """An encoder with random weights; memory does not depend on their values."""

    name: str
    layers: int
    width: int
    heads: int


SHAPES = (EncoderShape("4 x 256", 4, 256, 4), EncoderShape("12 x 512", 12, 512, 8))


@dataclass(frozen=True)
class MemoryCase:
    """One run in a trainer of its own."""

    encoder: str
    batch_size: int
    tokens: int
    """Tokens of every text, special tokens included."""
    precision: Precision = "float32"
    pair_encoding: PairEncoding | None = None
    """How the two texts of a row are encoded; None for rows of one text."""
    mixout: float = 0.0
    select: str = "best_checkpoint"
    stacked: int = 1
    """Runs that are trained side by side."""

    def describe_options(self) -> str:
        """Return what differs from a plain run of single texts."""
        words = [
            "" if self.precision == "float32" else "bfloat16",
            "" if self.pair_encoding is None else f"{self.pair_encoding} pairs",
            f"mixout {self.mixout:g}" if self.mixout else "",
            "" if self.select == "best_checkpoint" else "select last",
            f"stack of {self.stacked}" if self.stacked > 1 else "",
        ]
        return ", ".join(filter(None, words)) or "float32"


def list_cases() -> list[MemoryCase]:
    """Return the measured cases, the smallest encoder first."""
    bundled = MemoryCase(OFFLINE_ENCODER, 16, 64)
    return [
        MemoryCase("4 x 256", 16, 64),
        MemoryCase("4 x 256", 32, 256),
        MemoryCase("4 x 256", 16, 512),
        replace(bundled, batch_size=8, tokens=32),
        bundled,
        replace(bundled, batch_size=32, tokens=128),
        replace(bundled, batch_size=8, tokens=256),
        replace(bundled, batch_size=4, tokens=512),
        replace(bundled, batch_size=32, tokens=128, precision="bfloat16"),
        replace(bundled, batch_size=16, tokens=128, pair_encoding="joined"),
        replace(bundled, batch_size=16, tokens=128, pair_encoding="separate"),
        replace(bundled, batch_size=16, tokens=128, mixout=0.5),
        replace(bundled, batch_size=16, tokens=64, stacked=3),
        MemoryCase("12 x 512", 8, 32),
        MemoryCase("12 x 512", 8, 128),
        MemoryCase("12 x 512", 16, 64, precision="bfloat16"),
    ]


def build_encoder(name: str, folder: Path) -> Path:
    """Return the folder of an encoder, made below ``folder`` unless it is the bundled one."""
    base = Catalogue().get_folder(OFFLINE_ENCODER)
    if name == OFFLINE_ENCODER:
        return base
    target = folder / name.replace(" ", "")
    if target.exists():
        return target
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    shape = next(shape for shape in SHAPES if shape.name == name)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
    )
    BertModel(config).save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def build_specs(case: MemoryCase, base_model: Path, folder: Path) -> list[SpecValues]:
    """Write the rows of a case and return the specs of its runs, which train two epochs."""
    folder.mkdir(parents=True)
    data = folder / "rows.tsv"
    with data.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{line}\n" for line in _iterate_lines(case))
    return [
        _build_spec(case, base_model, data, folder / str(seed), seed)
        for seed in range(case.stacked)
    ]


def _iterate_lines(case: MemoryCase) -> Iterator[str]:
    draw = random.Random(0)
    yield "\t".join(("text", "label") if case.pair_encoding is None else ("text", "other", "label"))
    rows = case.batch_size * ROWS_PER_BATCH * 5 // 4  # a fifth of them validates
    parts = 1 if case.pair_encoding is None else 2
    tokens = case.tokens - 2 if case.pair_encoding != "joined" else (case.tokens - 3) // 2
    for row in range(rows):
        # words of the vocabulary, one token each
        texts = [" ".join(draw.choices(_WORDS, k=tokens)) for _ in range(parts)]
        yield "\t".join([*texts, "yes" if row % 2 else "no"])


_WORDS = ("film", "story", "watch", "heart", "start", "end", "good", "bad", "long", "short")


def _build_spec(
    case: MemoryCase, base_model: Path, data: Path, output: Path, seed: int
) -> SpecValues:
    output.mkdir()
    pair = None if case.pair_encoding is None else "other"
    task = Task.model_validate(
        {
            "type": "single_label_classification",
            "text_column": "text",
            "text_pair_column": pair,
            "label_column": "label",
            "header": True,
            "label_names": ["no", "yes"],
            "positive_label": "yes",
            "max_seq_length": case.tokens,
        }
    )
    recipe = Recipe.model_validate(
        {
            "preset": "debiased",
            "learning_rate": 2e-5,
            "bias_correction": True,
            "num_train_epochs": None,
            "max_steps": 2 * ROWS_PER_BATCH,
            "train_batch_size": case.batch_size,
            "reinit_pooler": False,
            "reinit_layers": 0,
            "eval_points": 2,
            "precision": case.precision,
            "mixout": case.mixout,
            "select": case.select,
            "pair_encoding": case.pair_encoding or "joined",
        }
        | ({"pooling": "mean"} if case.pair_encoding == "separate" else {})
    )
    return {
        "run_id": f"ftrun-{seed}",
        "base_model": str(base_model),
        "task": task.model_dump(mode="json"),
        "metric": "accuracy",
        "training_file": {"path": str(data), "filename": data.name},
        "validation_file": None,
        "split": SplitRequest().model_dump(mode="json"),
        "threads": 1,
        "device": "cpu",
        "recipe": recipe.model_dump(mode="json"),
        "init_seed": seed,
        "data_seed": seed,
        "output": str(output),
    }
