"""Estimate of the memory at a trainer's peak: of a model in the catalogue, and of a run.

process + checkpoint as read + the largest of three phases:

- loading: a copy of the network with the whole vocabulary.
- training: network, gradients, the two moments of AdamW and what the recipe keeps (best weights,
  initial weights, a replica in bfloat16), of the trained parameters only
  (``worker.training.model.compact_vocabulary``), and the activations of the longest batch. Stacked
  seeds have all of this each.
- ending: the moments are still there, two networks with the whole vocabulary, and the export.

Per token and layer, 17 · width + 3 · heads · length numbers are kept for the backward pass. Those
are the numbers of Korthikanti et al. 2022 (arXiv 2205.05198, equation 2: 34sbh + 5as²b bytes in 16
bits), with a fifth more for attention, as measured.
``docs/results/memory.md`` compares the estimate with measured peaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.encoders.catalogue import EncoderFacts
from shared.encoders.details import EncoderDetails
from shared.recipe.fields import DEFAULT_BATCH_SIZE, Precision

PROCESS_BYTES = 490_000_000
"""Of a trainer with torch, transformers and tokenized texts, but without a model."""
EXPORT_BYTES = 140_000_000
"""Of torch's exporter and the traced graph, at the first export of a process."""
TEMPORARIES_FACTOR = 1.15
"""Memory of a step relative to the activations that are kept for its backward pass."""
ATTENTION_NUMBERS = 3
"""Numbers kept per head and pair of tokens; the published count is 2.5."""
REFERENCE_LENGTH = 128
"""Tokens of a row, where the rows are not known."""
_USUAL_HEAD_WIDTH = 64
_FLOAT32_BYTES = 4
_BYTES_PER_NUMBER = {"float32": 4, "bfloat16": 2}
_BLOCK_MATRICES = 12
"""Matrices of width x width in a block: four of attention, eight of the feed-forward layer."""
_TRAINED_COPIES = 4
"""Network, gradient and two moments."""


@dataclass(frozen=True)
class NetworkSize:
    """What decides the memory of a network."""

    parameters: int
    trained_parameters: int
    """Without the embeddings of tokens that do not occur."""
    layers: int
    width: int
    heads: int


@dataclass(frozen=True)
class TrainingLoad:
    """What a recipe and its longest batch add to a network."""

    precision: Precision
    sequence_lengths: Sequence[int]
    """Tokens of the sequences of the longest batch; padded ones are as long as the longest."""
    kept_copies: int
    """Copies of the trained parameters that the recipe keeps: best and initial weights."""
    stacked: int = 1
    """Seeds that are trained side by side."""
    is_exported: bool = True


def estimate_peak(size: NetworkSize, load: TrainingLoad) -> int:
    """Return the estimated bytes of a trainer's process at its peak."""
    whole, trained = size.parameters * _FLOAT32_BYTES, size.trained_parameters * _FLOAT32_BYTES
    kept = load.stacked * trained * (_TRAINED_COPIES + load.kept_copies)
    if load.precision == "bfloat16":
        # weights and gradients of the replica, in two bytes each; it shares the embeddings
        blocks = _BLOCK_MATRICES * size.layers * size.width**2
        kept += load.stacked * min(trained, blocks * _FLOAT32_BYTES)
    training = kept + int(load.stacked * TEMPORARIES_FACTOR * _estimate_activations(size, load))
    ending = kept + 2 * whole + (EXPORT_BYTES if load.is_exported else 0)
    return PROCESS_BYTES + whole + max(whole, training, ending)


def _estimate_activations(size: NetworkSize, load: TrainingLoad) -> int:
    """Return the bytes that one seed's longest batch keeps for the backward pass."""
    tokens = sum(load.sequence_lengths)
    pairs_of_tokens = sum(length * length for length in load.sequence_lengths)
    numbers = 17 * size.width * tokens + ATTENTION_NUMBERS * size.heads * pairs_of_tokens
    return int(size.layers * numbers) * _BYTES_PER_NUMBER[load.precision]


def estimate_training_memory(
    facts: EncoderFacts, details: EncoderDetails, precision: Precision
) -> int | None:
    """Return the estimated peak for a batch of the default size, whose rows are all as long as the
    reference length; None if the number of parameters is unknown.
    """
    if details.parameters is None:
        return None
    length = min(REFERENCE_LENGTH, facts.max_position_embeddings)
    size = NetworkSize(
        parameters=details.parameters,
        trained_parameters=details.parameters,
        layers=facts.num_hidden_layers,
        width=facts.hidden_size,
        heads=details.num_attention_heads or max(1, facts.hidden_size // _USUAL_HEAD_WIDTH),
    )
    return estimate_peak(size, TrainingLoad(precision, [length] * DEFAULT_BATCH_SIZE, 1))
