"""``evenkeel classify``: predictions of a fine-tuned model, or of an ensemble of a job's seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import Batch, Classification, Target
from cli.client import Client
from cli.errors import CliError
from cli.job_request import parse_column
from cli.tables import format_count, make_console

MAX_TEXT_CHARACTERS: Final = 60  # of a text in the table


class FileRequest(NamedTuple):
    """A local file whose rows are to be classified."""

    path: Path
    output: Path | None
    """File for the predictions; None: ``path`` with ``.answers.csv`` appended."""
    text_column: str | None
    ensemble: bool

    @property
    def answers_path(self) -> Path:
        return self.output or self.path.with_name(f"{self.path.name}.answers.csv")

    def build_body(self, model_id: str, file_id: str) -> dict[str, Any]:
        """Build the service's request."""
        body = {"model": model_id, "input_file": file_id, "ensemble": self.ensemble}
        if self.text_column is not None:
            body["text_column"] = parse_column(self.text_column)
        return body


def classify_texts(
    client: Client, model: str, texts: Sequence[str], *, ensemble: bool, as_json: bool
) -> None:
    """Print a table with one line per text, or the response as JSON."""
    name = resolve_model_id(client, model)
    answer = client.classify_texts({"model": name, "input": list(texts), "ensemble": ensemble})
    console = make_console()
    if as_json:
        console.print_json(answer.model_dump_json())
        return
    console.print(_build_answers_table(texts, answer))


def classify_file(client: Client, model: str, request: FileRequest) -> None:
    """Write a prediction for every row of a file; delete both files from the service afterwards."""
    output = request.answers_path
    if output.exists():
        raise CliError(f"{output} already exists. Choose another file with --output.")
    model_id = resolve_model_id(client, model)
    file_id = client.upload_file(request.path).id
    try:
        batch = client.classify_file(request.build_body(model_id, file_id))
        with (
            client.stream_file_content(batch.output_file_id) as chunks,
            output.open("wb") as stream,
        ):
            stream.writelines(chunks)
        client.delete_file(batch.output_file_id)
    finally:
        client.delete_file(file_id)
    make_console().print(_format_batch_summary(batch, output), markup=False)


def resolve_model_id(client: Client, name: str) -> str:
    """Return the model of a job given by id, and any other name unchanged.

    Raises CliError for a job without a model.
    """
    if not name.startswith("ftjob-"):
        return name
    job = client.get_job(name)
    if job.fine_tuned_model is None:
        raise CliError(f"Job {name} has no model; its status is {job.status.value}.")
    return job.fine_tuned_model


def _format_batch_summary(batch: Batch, output: Path) -> str:
    rows = format_count(batch.request_counts["total"], "row")
    models = f" by an ensemble of {len(batch.members)} models" if len(batch.members) > 1 else ""
    return f"{output}: {rows} classified{models}, {batch.truncated} truncated."


def _build_answers_table(texts: Sequence[str], answer: Classification) -> RenderableType:
    is_ensemble = len(answer.members) > 1
    spread = ("vote entropy", "score std") if is_ensemble else ()
    table = Table("text", "prediction", "score", *spread, "", box=None)
    for text, result in zip(texts, answer.results, strict=True):
        [target] = result.values()
        table.add_row(
            escape(_shorten_text(text)),
            escape(_format_prediction(target)),
            _format_scores(target),
            *_format_disagreement(target),
            "truncated" if target.truncated else "",
        )
    if is_ensemble:
        table.caption = f"ensemble of {len(answer.members)} models"
        table.caption_justify = "left"
    return table


def _shorten_text(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[: MAX_TEXT_CHARACTERS - 1]}…"


def _format_prediction(target: Target) -> str:
    if isinstance(target.predicted, list):
        return ", ".join(target.predicted) or "none"
    return str(target.predicted) if isinstance(target.predicted, str) else f"{target.predicted:.4f}"


def _format_scores(target: Target) -> str:
    """Format the probability of each predicted label; empty for a regression."""
    labels = target.predicted if isinstance(target.predicted, list) else [target.predicted]
    return ", ".join(f"{target.scores[label]:.3f}" for label in labels if isinstance(label, str))


def _format_disagreement(target: Target) -> list[str]:
    disagreement = target.disagreement
    if disagreement is None:
        return []
    entropy = disagreement.vote_entropy
    return ["-" if entropy is None else f"{entropy:.2f}", f"{disagreement.score_std:.3f}"]
