"""Layouts in which checkpoints are published, beside what ``save_pretrained`` writes today.

Each function rewrites a folder that a family's builder made. Those of ``STORAGE_LAYOUTS`` change
how the same weights and tokens are stored; those of ``OTHER_LAYOUTS`` change what is stored.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from tests.encoders import ENCODERS

WEIGHTS = "model.safetensors"
ENDLESS = int(1e30)
"""What transformers writes as ``model_max_length`` if a tokenizer has no limit."""

Rewrite = Callable[[Path], None]


def change_json(file: Path, **changes: Any) -> None:
    """Change entries of a JSON file; those set to None are removed."""
    content = json.loads(file.read_text()) | changes
    kept = {key: value for key, value in content.items() if value is not None}
    file.write_text(json.dumps(kept))


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Replace the weights by what ``change`` makes of them."""
    tensors = {name: tensor.contiguous() for name, tensor in change(read_tensors(folder)).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the weights by name, copied out of the file."""
    return {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}


def split_weights(folder: Path) -> None:
    """Store the weights in three files, as models of more than 5 GB were."""
    tensors = read_tensors(folder)
    (folder / WEIGHTS).unlink()
    weight_map: dict[str, str] = {}
    for shard in range(3):
        name = f"model-{shard + 1:05}-of-00003.safetensors"
        part = {key: tensors[key] for key in sorted(tensors)[shard::3]}
        save_file(part, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def rename_norms(folder: Path) -> None:
    """Use the names of norms from before 2020, as bert-base-uncased does to this day."""
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def rename(name: str) -> str:
        return re.sub("|".join(map(re.escape, old)), lambda match: old[match[0]], name)

    change_tensors(folder, lambda tensors: {rename(name): tensors[name] for name in tensors})


def add_language_model(folder: Path) -> None:
    """Store a BERT under a prefix, with the keys of a masked-token and a next-sentence head."""

    def add_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        words = tensors["embeddings.word_embeddings.weight"]
        size, width = words.shape
        return {
            **{f"bert.{name}": tensor for name, tensor in tensors.items()},
            "cls.predictions.bias": torch.ones(size),
            "cls.predictions.decoder.weight": words.clone(),
            "cls.predictions.transform.dense.weight": torch.ones(width, width),
            "cls.seq_relationship.weight": torch.ones(2, width),
            "bert.embeddings.position_ids": torch.arange(64)[None],
        }

    change_tensors(folder, add_head)
    change_json(folder / "config.json", architectures=["BertForPreTraining"])


def save_endless_limit(folder: Path) -> None:
    """Save a tokenizer that knows no limit of length."""
    change_json(folder / "tokenizer_config.json", model_max_length=ENDLESS)


def keep_vocabulary_text(folder: Path) -> None:
    """Keep only vocab.txt of a WordPiece tokenizer."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in vocabulary))
    (folder / "tokenizer.json").unlink()
    change_json(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")


def keep_vocabulary_and_merges(folder: Path) -> None:
    """Keep only vocab.json and merges.txt of a byte-level tokenizer, as older RoBERTas have."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{m}\n" for m in merges))
    (folder / "tokenizer.json").unlink()
    change_json(folder / "tokenizer_config.json", tokenizer_class="RobertaTokenizer")


def halve_precision(folder: Path) -> None:
    """Store the weights in float16."""
    change_tensors(folder, lambda tensors: {name: tensors[name].half() for name in tensors})
    change_json(folder / "config.json", dtype="float16")


def shorten_precision(folder: Path) -> None:
    """Store the weights in bfloat16."""
    change_tensors(folder, lambda tensors: {name: tensors[name].bfloat16() for name in tensors})
    change_json(folder / "config.json", dtype="bfloat16")


def drop_pooler(folder: Path) -> None:
    """Leave out the pooler, as checkpoints saved from a masked-language model do."""
    change_tensors(
        folder,
        lambda tensors: {name: tensors[name] for name in tensors if "pooler" not in name},
    )


def add_classifier(folder: Path) -> None:
    """Store the head of a DistilBERT that was fine-tuned for five classes."""

    def add_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        head = {"classifier.weight": torch.ones(5, 32), "classifier.bias": torch.ones(5)}
        return tensors | head

    change_tensors(folder, add_head)
    names = [f"class {index}" for index in range(5)]
    change_json(
        folder / "config.json",
        architectures=["DistilBertForSequenceClassification"],
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


def drop_token_types(folder: Path) -> None:
    """Save a tokenizer that returns no token types, although the network has two."""
    change_json(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])


def drop_padding_token(folder: Path) -> None:
    """Save a tokenizer without a word about padding."""
    change_json(folder / "tokenizer_config.json", pad_token=None)


def pad_on_the_left(folder: Path) -> None:
    """Save a tokenizer that pads and truncates on the left."""
    change_json(folder / "tokenizer_config.json", padding_side="left", truncation_side="left")


def fix_lengths(folder: Path) -> None:
    """Save truncation and padding in tokenizer.json, as sentence-transformers does."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.enable_truncation(7)
    tokenizer.backend_tokenizer.enable_padding(length=7, pad_id=tokenizer.pad_token_id)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))


def add_spare_rows(folder: Path) -> None:
    """Make the embedding table larger than the vocabulary, to a multiple of 64."""

    def add_rows(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
        words = tensors[name]
        spare = torch.zeros(-len(words) % 64, words.shape[1])
        return tensors | {name: torch.cat([words, spare])}

    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    change_tensors(folder, add_rows)
    change_json(folder / "config.json", vocab_size=size + -size % 64)


def add_tokens(folder: Path) -> None:
    """Add two tokens to the tokenizer, and rows to the embeddings."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.add_tokens(["story", "<emoji>"]) >= 1
    tokenizer.save_pretrained(folder)
    add_spare_rows(folder)


STORAGE_LAYOUTS: dict[str, tuple[str, Rewrite]] = {
    "weights in several files": ("bert", split_weights),
    "old names of norms": ("bert", rename_norms),
    "head of a language model": ("bert", add_language_model),
    "endless length": ("bert", save_endless_limit),
    "vocabulary as text": ("bert", keep_vocabulary_text),
    "lengths fixed in the file": ("bert", fix_lengths),
    "padding on the left": ("bert", pad_on_the_left),
    "no padding token": ("roberta", drop_padding_token),
    "vocabulary and merges": ("roberta", keep_vocabulary_and_merges),
}
"""Families and rewrites that leave the same encoder and the same tokens."""
OTHER_LAYOUTS: dict[str, tuple[str, Rewrite]] = {
    "float16": ("bert", halve_precision),
    "bfloat16": ("modernbert", shorten_precision),
    "no pooler": ("bert", drop_pooler),
    "no token types": ("bert", drop_token_types),
    "head of five classes": ("distilbert", add_classifier),
    "spare embeddings": ("xlm-roberta", add_spare_rows),
    "added tokens": ("bert", add_tokens),
}
"""Families and rewrites that leave another encoder or other tokens."""
LAYOUTS = STORAGE_LAYOUTS | OTHER_LAYOUTS


def build_layout(name: str, folder: Path) -> Path:
    """Write a tiny checkpoint in one of ``LAYOUTS``."""
    family, rewrite = LAYOUTS[name]
    ENCODERS[family](folder)
    rewrite(folder)
    return folder
