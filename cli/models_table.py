"""``evenkeel models``: the fine-tuned models, and the base models with their properties."""

from collections.abc import Sequence

from rich.console import Console

from cli.api_models import Encoder, Model
from cli.rows import Column, Kind, RowTable
from cli.times import format_time
from shared.domain.wording import format_size

_BASE_KIND = "base"
_LANGUAGES_SHOWN = 3


def print_models(console: Console, models: Sequence[Model]) -> None:
    """Print the fine-tuned models, if there are any, then the base models."""
    tuned = [model for model in models if model.kind != _BASE_KIND]
    if tuned:
        console.print(format_models(tuned))
        console.print()
    console.print(format_base_models([model for model in models if model.kind == _BASE_KIND]))


def format_models(models: Sequence[Model]) -> RowTable:
    """Format fine-tuned models in the given order."""
    table = RowTable(
        Column("model", Kind.ID), "kind", "created", "base model", Column("job", Kind.ID), "labels"
    )
    for model in models:
        table.add_row(
            model.id,
            f"ensemble of {len(model.members)}" if model.members else model.kind,
            format_time(model.created) if model.created else "-",
            model.base_model or "-",
            model.job_id or "-",
            "-" if model.labels is None else str(len(model.labels)),
        )
    return table


def format_base_models(models: Sequence[Model]) -> RowTable:
    """Format base models in the given order, an uploaded one under its name."""
    table = RowTable(
        Column("base model", Kind.ID),
        "from",
        "family",
        "parameters",
        "languages",
        "max length",
        "pooling",
        "license",
        "memory",
        "s/step",
    )
    for model in models:
        encoder = model.encoder or Encoder()
        is_named = encoder.name not in (None, model.id)
        table.add_row(
            f"{encoder.name} ({model.id})" if is_named else model.id,
            encoder.source or "-",
            encoder.family or "-",
            _format_parameters(encoder.parameters),
            _format_languages(encoder.languages),
            str(encoder.max_seq_length or "-"),
            encoder.pooling or "-",
            encoder.license or "-",
            _format_bytes(encoder.training_memory_bytes),
            "-" if encoder.seconds_per_step is None else f"{encoder.seconds_per_step:.2g}",
        )
    return table


def _format_parameters(count: int | None) -> str:
    """Format a number of parameters: ``22.7M``."""
    if count is None:
        return "-"
    return f"{count / 1e6:.1f}M" if count >= 100_000 else f"{count:,}"


def _format_bytes(size: int | None) -> str:
    return "-" if size is None else format_size(size)


def _format_languages(languages: Sequence[str]) -> str:
    hidden = len(languages) - _LANGUAGES_SHOWN
    more = f" +{hidden}" if hidden > 0 else ""
    return ", ".join(languages[:_LANGUAGES_SHOWN]) + more or "-"
