"""Estimate of the memory that one trainer needs for an encoder.

process + 28 bytes per parameter + activations, for a batch of the default size whose rows are all
as long as the reference length.

- Seven float32 numbers are held per parameter (``shared.encoders.validation.memory``).
- Per token and layer, 17 · width + 2.5 · heads · length numbers are kept for the backward pass:
  those of Korthikanti et al. 2022 (arXiv 2205.05198, equation 2: 34sbh + 5as²b bytes in 16 bits).

``docs/decisions/0026-catalogue-and-uploaded-models.md`` compares it with measured peaks.
"""

from shared.encoders.catalogue import EncoderFacts
from shared.encoders.details import EncoderDetails
from shared.encoders.validation.memory import estimate_training_bytes
from shared.recipe.fields import DEFAULT_BATCH_SIZE, Precision

PROCESS_BYTES = 400_000_000
"""Of a trainer with torch, transformers and tokenized texts, but without a model."""
REFERENCE_LENGTH = 128
"""Tokens of a row."""
_USUAL_HEAD_WIDTH = 64
_BYTES_PER_NUMBER = {"float32": 4, "bfloat16": 2}


def estimate_training_memory(
    facts: EncoderFacts, details: EncoderDetails, precision: Precision
) -> int | None:
    """Return the estimated peak in bytes; None if the number of parameters is unknown."""
    if details.parameters is None:
        return None
    length = min(REFERENCE_LENGTH, facts.max_position_embeddings)
    heads = details.num_attention_heads or max(1, facts.hidden_size // _USUAL_HEAD_WIDTH)
    numbers_per_token = facts.num_hidden_layers * (17 * facts.hidden_size + 2.5 * heads * length)
    activations = DEFAULT_BATCH_SIZE * length * numbers_per_token * _BYTES_PER_NUMBER[precision]
    return PROCESS_BYTES + estimate_training_bytes(details.parameters) + int(activations)
