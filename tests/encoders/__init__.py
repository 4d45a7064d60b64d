"""Tiny encoders with random weights, and their tokenizers, as folders on disk: what a base
model is, in milliseconds of training.
"""

from tests.encoders.families import ENCODERS, bert_folder, roberta_folder
from tests.encoders.saving import BLOCKS, WIDTH, Builder

__all__ = ["BLOCKS", "ENCODERS", "WIDTH", "Builder", "bert_folder", "roberta_folder"]
