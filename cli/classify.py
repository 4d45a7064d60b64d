"""``evenkeel classify``: predictions of a fine-tuned model, or of an ensemble of a job's seeds.

Texts are single ones or pairs, as the model was trained.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Group, RenderableType

from cli.api_models import Batch, Classification, Target
from cli.client import Client
from cli.errors import CliError
from cli.identifiers import resolve_model_id
from cli.interrupts import defer_interrupt
from cli.option_values import parse_column
from cli.output_files import write_output
from cli.rows import Column, Kind, RowTable
from cli.tables import make_console
from cli.uploads import upload_temporarily
from shared.domain.wording import format_count

MAX_TEXT_CHARACTERS: Final = 60  # of a text, or of a pair, in the table


class FileRequest(NamedTuple):
    """A local file whose rows are to be classified."""

    path: Path
    output: Path | None
    """File for the predictions; None: ``path`` with ``.answers.csv`` appended."""
    text_column: str | None
    text_pair_column: str | None
    ensemble: bool

    @property
    def answers_path(self) -> Path:
        return self.output or self.path.with_name(f"{self.path.name}.answers.csv")

    def build_body(self, model_id: str, file_id: str) -> dict[str, Any]:
        """Build the service's request."""
        body = {"model": model_id, "input_file": file_id, "ensemble": self.ensemble}
        if self.text_column is not None:
            body["text_column"] = parse_column(self.text_column)
        if self.text_pair_column is not None:
            body["text_pair_column"] = parse_column(self.text_pair_column)
        return body


def classify_texts(
    client: Client,
    model: str,
    texts: Sequence[str],
    *,
    ensemble: bool,
    as_json: bool,
) -> None:
    """Print a table with one line per text or pair, or the response as JSON."""
    name = resolve_model_id(client, model)
    inputs = _arrange_inputs(name, texts, takes_pairs=_takes_pairs(client, name))
    body = {"model": name, "input": list(map(_build_input, inputs)), "ensemble": ensemble}
    answer = client.classify_texts(body)
    console = make_console()
    if as_json:
        console.print_value(answer.model_dump_json())
        return
    console.print(_build_answers_table(inputs, answer))


def classify_file(client: Client, model: str, request: FileRequest) -> None:
    """Write a prediction for every row of a file; delete both files from the service afterwards."""
    output = request.answers_path
    if output.exists():
        raise CliError(f"{output} already exists. Choose another file with --output.")
    model_id = resolve_model_id(client, model)
    console = make_console()
    with upload_temporarily(client, console) as uploads:
        file = uploads.add(request.path, is_shown=False)
        with defer_interrupt():  # the result file is known from the response alone
            batch = client.classify_file(request.build_body(model_id, file.id))
            uploads.add_result(batch.output_file_id, output.name)
        with client.stream_file_content(batch.output_file_id) as chunks:
            write_output(output, chunks)
    console.print(_format_batch_summary(batch, output), markup=False)


def _takes_pairs(client: Client, model_id: str) -> bool:
    """Return whether the model was trained on pairs of texts."""
    job_id = client.get_model(model_id).job_id
    if job_id is None:
        return False  # a base model, which the service refuses
    return client.get_job(job_id).task.get("text_pair_column") is not None


def _arrange_inputs(
    model_id: str, texts: Sequence[str], *, takes_pairs: bool
) -> list[tuple[str, ...]]:
    """Return each text alone, or two at a time for a model of pairs.

    Raises CliError for a text without a second one.
    """
    if not takes_pairs:
        return [(text,) for text in texts]
    if len(texts) % 2:
        given = "one text has no second one" if len(texts) > 1 else "there is no second text"
        raise CliError(
            f"{model_id} classifies pairs of texts, and {given}. Give both texts of each pair, "
            f'for example: evenkeel classify {model_id} "first text" "second text"'
        )
    return list(zip(texts[::2], texts[1::2], strict=True))


def _build_input(texts: tuple[str, ...]) -> str | dict[str, str]:
    return texts[0] if len(texts) == 1 else dict(zip(("text_a", "text_b"), texts, strict=True))


def _format_batch_summary(batch: Batch, output: Path) -> str:
    rows = format_count(batch.request_counts["total"], "row")
    models = f" by an ensemble of {len(batch.members)} models" if len(batch.members) > 1 else ""
    return f"{output}: {rows} classified{models}, {batch.truncated} truncated."


def _build_answers_table(
    inputs: Sequence[tuple[str, ...]], answer: Classification
) -> RenderableType:
    is_ensemble = len(answer.members) > 1
    spread = ("vote entropy", "score std") if is_ensemble else ()
    columns = max(map(len, inputs))
    titles = ("text",) if columns == 1 else ("first text", "second text")
    texts_shown = [Column(title, Kind.SENTENCE) for title in titles]
    table = RowTable(*texts_shown, "prediction", "score", *spread, "")
    for texts, result in zip(inputs, answer.results, strict=True):
        [target] = result.values()
        shown = [_shorten_text(text, MAX_TEXT_CHARACTERS // columns) for text in texts]
        table.add_row(
            *shown,
            _format_prediction(target),
            _format_scores(target),
            *_format_disagreement(target),
            "truncated" if target.truncated else "",
        )
    return Group(table, f"ensemble of {len(answer.members)} models") if is_ensemble else table


def _shorten_text(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


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
