"""The seeds that advance together: their network, its optimiser, and what each seed's share of
these is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from worker.training.data.split import Splits
from worker.training.model.compact_vocabulary import CompactVocabulary
from worker.training.model.precision import create_compute_weights
from worker.training.multi_seed.forward import StackedForward, compile_blocks
from worker.training.multi_seed.layers import get_seed_weights, load_seed_weights, stack_networks
from worker.training.multi_seed.seed import SeedRun
from worker.training.optim.optimizer import Optimizer
from worker.training.resume_state import ResumeState
from worker.training.run import apply_mixout, build_network


class SeedStack:
    """Seeds at the same step of the same recipe; seed k has index k of every tensor's first
    dimension.
    """

    def __init__(self, seeds: Sequence[SeedRun], splits: Splits, *, compiled: bool = False) -> None:
        """Raises NotStackable."""
        recipe = seeds[0].spec.recipe
        self.seeds = list(seeds)
        self.step = seeds[0].history.step
        """How many updates have been made."""
        self.network = stack_networks(self._iterate_networks(splits), len(self.seeds))
        self.splits = self.vocabulary.renumber_splits(splits)
        self._initial_weights = apply_mixout(self.network, recipe)
        self.optimizer = Optimizer(self.network, recipe, self._initial_weights)
        self.optimizer.allocate_moments()
        self._precision, self._compiled = recipe.precision, compiled
        self._prepare_passes()

    def _iterate_networks(self, splits: Splits) -> Iterator[PreTrainedModel]:
        """As each seed's training begins, one after the other, with the vocabulary that occurs,
        which is the same for all.
        """
        for place, seed in enumerate(self.seeds):
            network = build_network(seed.spec, splits)
            if place == 0:
                self.vocabulary = CompactVocabulary.from_texts(
                    network, [split.text for split in splits.get_named_splits().values()]
                )
            self.vocabulary.cut_embeddings(network)
            yield network

    def _prepare_passes(self) -> None:
        self.compute_weights = create_compute_weights(self.network, self._precision)
        self.forward = StackedForward(self.compute_weights.module)
        if self._compiled:
            compile_blocks(self.compute_weights.module)

    def load_weights(self, weights: Sequence[Mapping[str, Tensor]]) -> None:
        """Give the seeds' networks these weights, in their order."""
        for place, its in enumerate(weights):
            load_seed_weights(self.network, place, its)
        self.compute_weights.refresh_replica()

    def resume_from(self, states: Sequence[ResumeState]) -> None:
        """Go on from the seeds' states, in their order: weights and moments."""
        self.load_weights([state.weights for state in states])
        self.optimizer.load_state_dict(_stack_states([state.optimizer for state in states]))

    def get_seed_view(self, seed: SeedRun) -> "SeedView":
        return SeedView(self, self.seeds.index(seed))

    def copy_state(self, seed: SeedRun) -> ResumeState:
        """Copies on the CPU of all that the seed goes on from."""
        share = self.get_seed_view(seed)
        return ResumeState(
            weights=_map_tensors(share.state_dict(), _copy_to_cpu),
            best_weights=seed.best.weights,
            best_step=seed.best.step,
            best_score=seed.best.score,
            optimizer=_map_tensors(share.optimizer.state_dict(), _copy_to_cpu),
            history=seed.history,
        )

    def drop_seeds(self, gone: Sequence[SeedRun]) -> None:
        """Go on without these seeds; nothing changes for the others."""
        places = [place for place, seed in enumerate(self.seeds) if seed not in gone]
        self.seeds = [self.seeds[place] for place in places]
        index = torch.tensor(places, device=self.network.device, dtype=torch.int64)
        self.optimizer.zero_grad()
        del self.compute_weights, self.forward  # a replica is made again, not cut
        for tensor in self.iterate_tensors():
            tensor.data = tensor.data.index_select(0, index)  # whoever holds the tensor sees it
        self._prepare_passes()

    def iterate_tensors(self) -> Iterator[Tensor]:
        """All that has a share of each seed: parameters, moments, starting weights."""
        yield from self.network.parameters()
        yield from self._initial_weights.values()
        yield from (
            tensor
            for tensor in _iterate_nested_tensors(self.optimizer.state_dict())
            if tensor.dim() > 0
        )


class SeedView:
    """One seed's part of a stack, in the form that a single run's state has."""

    def __init__(self, stack: SeedStack, place: int) -> None:
        self._stack, self._place = stack, place

    def state_dict(self) -> dict[str, Tensor]:
        """Of its network: views of the stack's tensors."""
        return get_seed_weights(self._stack.network, self._place)

    @property
    def optimizer(self) -> "OptimizerView":
        return OptimizerView(self._stack.optimizer, self._place)


class OptimizerView:
    def __init__(self, optimizer: Optimizer, place: int) -> None:
        self._optimizer, self._place = optimizer, place

    def state_dict(self) -> dict[str, Any]:
        share: dict[str, Any] = _map_tensors(
            self._optimizer.state_dict(),
            lambda tensor: tensor[self._place] if tensor.dim() > 0 else tensor,
        )
        return share


def _copy_to_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)


def _map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A nested state with its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_tensors(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_tensors(item, change) for item in value]
    return value


def _stack_states(values: Sequence[Any]) -> Any:
    """Nested states of single seeds as one of a stack: what is no tensor, and a scalar, is the
    same in all.
    """
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack(list(values)) if first.dim() > 0 else first
    if isinstance(first, Mapping):
        return {key: _stack_states([value[key] for value in values]) for key in first}
    if isinstance(first, list):
        return [_stack_states(items) for items in zip(*values, strict=True)]
    return first


def _iterate_nested_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _iterate_nested_tensors(item)
