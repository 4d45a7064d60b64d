"""The published form of a model with a pooled head, which plain transformers has no class for.

The folder is the encoder as ``AutoModel`` loads it (config, ``model.safetensors``, tokenizer),
``head.safetensors`` with the head's weights, and ``head.json``, which says how to pool and what the
head computes; the model card has a loader of twenty lines. ``modules.json`` lets
sentence-transformers load the same files as a sentence encoder. The encoder's own file keeps
``AutoModelForSequenceClassification`` from taking the head for that of the family.
"""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from shared.domain.naming import HEAD_FILE, HEAD_WEIGHTS_FILE
from worker.training.model.pair_heads import AlignmentHead, CosineHead, PairHead
from worker.training.model.pooled_classifier import PooledClassifier

_POOLING_FOLDER = "1_Pooling"
_HEAD_KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "linear",
    PairHead: "pair",
    CosineHead: "cosine",
    AlignmentHead: "alignment",
}


def save_pooled_classifier(network: PooledClassifier, folder: Path, max_seq_length: int) -> None:
    """Write encoder, head and descriptions, without the tokenizer."""
    network.encoder.save_pretrained(folder, save_original_format=False)
    weights = network.classifier.state_dict()
    save_file(
        {name: tensor.cpu().contiguous() for name, tensor in weights.items()},
        folder / HEAD_WEIGHTS_FILE,
    )
    _write_json(folder / HEAD_FILE, describe_head(network))
    _write_sentence_encoder(network, folder, max_seq_length)


def describe_head(network: PooledClassifier) -> dict[str, object]:
    """Return the content of ``head.json``."""
    return {
        "pooling": network.pooling,
        "pair_encoding": network.pair_encoding,
        "head": _HEAD_KINDS[type(network.classifier)],
        "problem_type": str(network.config.problem_type),
        "labels": list((network.config.id2label or {}).values()),
    }


def _write_sentence_encoder(network: PooledClassifier, folder: Path, max_seq_length: int) -> None:
    """Describe the encoder and its pooling in the layout of sentence-transformers.

    text-embeddings-inference reads the same files, and requires all of these ways of pooling.
    """
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": _POOLING_FOLDER,
            "type": "sentence_transformers.models.Pooling",
        },
    ]
    _write_json(folder / "modules.json", modules)
    (folder / _POOLING_FOLDER).mkdir(exist_ok=True)
    pooling = {
        "word_embedding_dimension": getattr(network.config, network.family.width_key),
        "pooling_mode_cls_token": network.pooling == "cls",
        "pooling_mode_mean_tokens": network.pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False,
        "include_prompt": True,
    }
    _write_json(folder / _POOLING_FOLDER / "config.json", pooling)
    lengths = {"max_seq_length": max_seq_length, "do_lower_case": False}
    _write_json(folder / "sentence_bert_config.json", lengths)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
