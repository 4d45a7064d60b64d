"""``transformers.Trainer`` in its fastest usual configuration, for comparison with our training.

Rows are tokenized beforehand, and batches are padded to their longest row
(``DataCollatorWithPadding``). The optimizer is the fused AdamW, and bfloat16 is
``TrainingArguments(bf16=True)``. Nothing is logged, saved or evaluated in between, and the
batches are collated in the same process.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import (
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from shared.recipe import Recipe
from worker.training.data.split import Split

Row = dict[str, Any]


class TokenizedRows(Dataset[Row]):
    """Tokenized rows of a split, by their row numbers in the file."""

    def __init__(self, split: Split) -> None:
        text = split.text
        self._rows = {
            row: {name: column[row].tolist() for name, column in text.columns.items()}
            | {"labels": text.labels[row]}
            for row in split.rows
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Row:
        return self._rows[row]


class StepTimer(TrainerCallback):
    """Measures each step from the end of the step before, so that collating its batch counts."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last_end = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._last_end = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._last_end)
        self._last_end = now


class _FixedBatchTrainer(Trainer):
    """A Trainer of the given batches in their order; with ``keep_losses`` it keeps each loss."""

    def __init__(
        self,
        rows: TokenizedRows,
        batches: Sequence[Sequence[int]],
        *,
        keep_losses: bool,
        **arguments: Any,
    ) -> None:
        super().__init__(train_dataset=rows, **arguments)
        self._rows, self._batches, self._keep_losses = rows, batches, keep_losses
        self.losses: list[Tensor] = []

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(
            self._rows,
            batch_sampler=[list(rows) for rows in self._batches],
            collate_fn=self.data_collator,
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def training_step(self, *arguments: Any, **named: Any) -> Tensor:
        loss: Tensor = super().training_step(*arguments, **named)
        if self._keep_losses:
            self.losses.append(loss)
        return loss


class TrainerReference:
    """Trains a network with Trainer; each call continues from the weights of the call before,
    with a new optimizer.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        train: Split,
        recipe: Recipe,
        folder: Path,
        *,
        cpu: bool = True,
    ) -> None:
        """``recipe`` must be plain fine-tuning; ``folder`` stays empty."""
        _require_accelerate()
        self._network, self._rows, self._recipe = network, TokenizedRows(train), recipe
        self._collator = DataCollatorWithPadding(tokenizer)
        self._folder, self._cpu = folder, cpu

    def train(
        self, batches: Sequence[Sequence[int]], *, keep_losses: bool = False
    ) -> tuple[list[float], list[float]]:
        """Train one step per batch; returns the seconds and, with ``keep_losses``, the losses.

        The learning rate warms up and decays over these steps.
        """
        timer = StepTimer()
        trainer = _FixedBatchTrainer(
            self._rows,
            batches,
            keep_losses=keep_losses,
            model=self._network,
            args=self._build_arguments(len(batches)),
            data_collator=self._collator,
            callbacks=[timer],
        )
        trainer.remove_callback(PrinterCallback)
        with _allow_nondeterminism():
            trainer.train()
        return timer.seconds, [loss.item() for loss in trainer.losses]

    def _build_arguments(self, steps: int) -> TrainingArguments:
        recipe = self._recipe
        return TrainingArguments(
            output_dir=str(self._folder),
            max_steps=steps,
            learning_rate=recipe.learning_rate,
            warmup_steps=recipe.model_copy(update={"max_steps": steps}).warmup_steps,
            lr_scheduler_type="linear",
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            optim="adamw_torch_fused",
            bf16=recipe.precision == "bfloat16",
            use_cpu=self._cpu,
            save_strategy="no",
            logging_strategy="no",
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_num_workers=0,
            dataloader_pin_memory=not self._cpu,
        )


def _require_accelerate() -> None:
    if find_spec("accelerate") is None:
        raise SystemExit(
            "Trainer needs accelerate: pip install --constraint constraints.txt '.[benchmarks]'"
        )


@contextmanager
def _allow_nondeterminism() -> Iterator[None]:
    """Allow nondeterministic kernels while the block runs.

    Our training requires deterministic kernels; Trainer by default does not pay for them.
    """
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
