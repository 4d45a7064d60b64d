"""Tiny encoders with random weights and their tokenizers, as base model folders on disk."""

from tests.encoders.families import ENCODERS, build_bert_folder, build_roberta_folder
from tests.encoders.saving import BLOCKS, WIDTH, Builder

__all__ = ["BLOCKS", "ENCODERS", "WIDTH", "Builder", "build_bert_folder", "build_roberta_folder"]
