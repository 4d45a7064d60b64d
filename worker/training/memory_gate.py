"""The memory that runs need, and the wait until it is free.

A run that would not fit beside those of other trainers waits for them; a stack that does not fit
becomes smaller. Without that, the system would kill a trainer in the middle of its runs. On a GPU
``multi_seed.memory`` measures instead.
"""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

from transformers import PreTrainedModel

from shared.encoders.training_memory import NetworkSize, TrainingLoad, estimate_peak
from worker.training.data.batches import iterate_shuffled_batches
from worker.training.data.split import Split, Splits
from worker.training.errors import NotEnoughMemory, StopRequested
from worker.training.events import MemoryShort
from worker.training.memory_reservations import FreeMemory, MemoryReservations
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.empty_network import build_empty_network
from worker.training.model.folder_fingerprint import FolderFingerprint, compute_folder_fingerprint
from worker.training.packed.packing import is_padding_free
from worker.training.spec import RunSpec

LEAST_SHARE = 0.75
"""Share of the estimate below which a run is not started; estimates may be a quarter too high."""
_POLL_INTERVAL_S = 0.5


def wait_for_memory(
    spec: RunSpec,
    splits: Splits,
    reservations: MemoryReservations | None,
    check_stop: Callable[[], None],
    should_pause: Callable[[], bool] = lambda: False,
    *,
    stacked: int = 1,
    wanted: int = 1,
) -> Iterator[MemoryShort]:
    """Reserve the memory of a run, or of a stack, waiting for the runs of other trainers.

    Yield one event if it waits, or if ``stacked`` is smaller than the ``wanted`` stack.
    ``check_stop`` may raise. Raise NotEnoughMemory if there is no other run to wait for, and
    StopRequested if the run should pause: it has nothing to resume from.
    """
    if reservations is None or spec.device != "cpu":
        return
    needed = estimate_run_peak(spec, splits, stacked=stacked)
    is_told = False
    if stacked < wanted:
        is_told, whole = True, estimate_run_peak(spec, splits, stacked=wanted)
        yield _build_event(whole, reservations.read_free(), stacked, wanted)
    while (free := reservations.reserve(needed, least=int(LEAST_SHARE * needed))) is not None:
        if not free.others:
            raise NotEnoughMemory(needed, free.bytes)
        if not is_told:
            is_told = True
            yield _build_event(needed, free, stacked, wanted)
        check_stop()
        if should_pause():
            raise StopRequested(spec.run_id)
        time.sleep(_POLL_INTERVAL_S)


def choose_stack_for_memory(
    spec: RunSpec, splits: Splits, reservations: MemoryReservations | None, wanted: int
) -> int:
    """Return how many of ``wanted`` seeds fit into the free memory side by side, at least 1."""
    if reservations is None or spec.device != "cpu":
        return wanted
    free = reservations.read_free().bytes
    sizes = range(wanted, 1, -1)
    fitting = (size for size in sizes if estimate_run_peak(spec, splits, stacked=size) <= free)
    return next(fitting, 1)


def _build_event(needed: int, free: FreeMemory, stacked: int, wanted: int) -> MemoryShort:
    return MemoryShort(
        needed_bytes=needed, free_bytes=max(0, free.bytes), stacked=stacked, wanted=wanted
    )


def estimate_run_peak(spec: RunSpec, splits: Splits, *, stacked: int = 1) -> int:
    """Return the estimated bytes of this process at the peak of the run, or of a stack."""
    network = _build_cached_network(spec.base_model, compute_folder_fingerprint(spec.base_model))
    recipe, is_packed = spec.recipe, is_padding_free(network)
    keeps_start = bool(recipe.mixout or recipe.pretrained_weight_decay)
    load = TrainingLoad(
        precision=recipe.precision,
        sequence_lengths=_list_longest_batch(spec, splits.train, is_packed=is_packed),
        kept_copies=(recipe.select != "last") + keeps_start,
        stacked=stacked,
        is_exported=spec.export,
    )
    return estimate_peak(_measure_network(network, splits), load)


def _measure_network(network: PreTrainedModel, splits: Splits) -> NetworkSize:
    texts = [split.text for split in splits.get_named_splits().values()]
    vocabulary = CompactVocabulary.from_texts(network, texts)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    kept = len(vocabulary.entries) / vocabulary.size
    table = sum(tensor.numel() for tensor in network.get_input_embeddings().parameters())
    config = network.config
    return NetworkSize(
        parameters=parameters,
        trained_parameters=parameters - round((1 - kept) * table),
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
    )


# of a longer run, later batches are hardly longer than the longest of so many
_MAX_COMPARED_BATCHES = 2_000


def _list_longest_batch(spec: RunSpec, train: Split, *, is_packed: bool) -> list[int]:
    """Return the lengths of the sequences of the run's most expensive batch.

    That is the batch with the most tokens, or the most padded tokens.
    """
    recipe = spec.recipe
    batches = iterate_shuffled_batches(train.rows, recipe.train_batch_size, spec.data_seed)
    longest: list[int] = []
    for rows in islice(batches, min(recipe.max_steps, _MAX_COMPARED_BATCHES)):
        lengths = train.text.list_sequence_lengths(train.text.list_sequences(rows))
        if not is_packed:
            lengths = [max(lengths)] * len(lengths)
        if sum(lengths) > sum(longest):
            longest = lengths
    return longest


@lru_cache(maxsize=1)
def _build_cached_network(base_model: Path, _fingerprint: FolderFingerprint) -> PreTrainedModel:
    return build_empty_network(base_model)
