"""``evenkeel classify``: what a fine-tuned model, or all seeds of its job, say of texts or of a
file's rows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import Classification, Target
from cli.client import Client
from cli.errors import CliError
from cli.tables import format_count, make_console

MAX_TEXT_CHARACTERS: Final = 60  # characters of each text


def classify_texts(
    client: Client, model: str, texts: Sequence[str], *, ensemble: bool, as_json: bool
) -> None:
    """One line a text."""
    name = resolve_model_id(client, model)
    answer = client.classify_texts({"model": name, "input": list(texts), "ensemble": ensemble})
    console = make_console()
    if as_json:
        console.print_json(answer.model_dump_json())
        return
    console.print(_build_answers_table(texts, answer))


def classify_file(
    client: Client, model: str, file: Path, output: Path, options: dict[str, Any]
) -> None:
    """A row of ``output`` for each of the file's; nothing of either stays with the service."""
    if output.exists():
        raise CliError(f"{output} is there already; choose another file with --output.")
    name = resolve_model_id(client, model)
    uploaded = client.upload_file(file).id
    try:
        batch = client.classify_file({"model": name, "input_file": uploaded, **options})
        with (
            client.stream_file_content(batch.output_file_id) as chunks,
            output.open("wb") as stream,
        ):
            stream.writelines(chunks)
        client.delete_file(batch.output_file_id)
    finally:
        client.delete_file(uploaded)
    said = f"{output} has the answers to {format_count(batch.request_counts['total'], 'row')}"
    said += f" of {len(batch.members)} models together" if len(batch.members) > 1 else ""
    make_console().print(
        f"{said}, {batch.truncated} of them cut to what the model reads.", markup=False
    )


def resolve_model_id(client: Client, name: str) -> str:
    """The id of a fine-tuned model that is named by its job's, and any other name as it is.
    Raises CliError for a job without one.
    """
    if not name.startswith("ftjob-"):
        return name
    job = client.get_job(name)
    if job.fine_tuned_model is None:
        raise CliError(f"Job {name} has no model: it is {job.status.value}.")
    return job.fine_tuned_model


def _build_answers_table(texts: Sequence[str], answer: Classification) -> RenderableType:
    together = len(answer.members) > 1
    more = ("votes apart", "std of the score") if together else ()
    table = Table("text", "answer", "score", *more, "", box=None)
    for text, result in zip(texts, answer.results, strict=True):
        [target] = result.values()
        shown = text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[: MAX_TEXT_CHARACTERS - 1]}…"
        cut = "its end was not read" if target.truncated else ""
        table.add_row(
            escape(shown),
            escape(_format_prediction(target)),
            _format_scores(target),
            *_format_disagreement(target),
            cut,
        )
    if together:
        table.caption = f"{len(answer.members)} models together"
        table.caption_justify = "left"
    return table


def _format_prediction(target: Target) -> str:
    if isinstance(target.predicted, list):
        return ", ".join(target.predicted) or "none"
    return str(target.predicted) if isinstance(target.predicted, str) else f"{target.predicted:.4f}"


def _format_scores(target: Target) -> str:
    """Of a label its probability; a regression's answer is its own score."""
    labels = target.predicted if isinstance(target.predicted, list) else [target.predicted]
    return ", ".join(f"{target.scores[label]:.3f}" for label in labels if isinstance(label, str))


def _format_disagreement(target: Target) -> list[str]:
    apart = target.disagreement
    if apart is None:
        return []
    return [
        "-" if apart.vote_entropy is None else f"{apart.vote_entropy:.2f}",
        f"{apart.score_std:.3f}",
    ]
