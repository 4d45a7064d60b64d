"""From a file to a report."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.common import (
    DEFAULT_URL,
    JOBS_PANEL,
    Detach,
    Url,
    create_client,
    create_command_group,
)

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def train(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, readable=True, help="CSV, TSV, JSONL or Parquet."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Base model.", show_default="all-MiniLM-L6-v2")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Recipe.", show_default="stabilized")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many runs.", show_default="5")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first run.", show_default="0")
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Name or index of the (first) text's column.")
    ] = None,
    text_pair_column: Annotated[
        str | None, typer.Option(help="Name or index of the second text's column.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Name or index of the label's column.")
    ] = None,
    validation_file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, readable=True, help="Else rows are split off FILE."
        ),
    ] = None,
    test_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="Rows that choose nothing."),
    ] = None,
    task_type: Annotated[
        str | None,
        typer.Option(help="Kind of task, e.g. regression.", show_default="told from the labels"),
    ] = None,
    suffix: Annotated[str | None, typer.Option(help="Part of the fine-tuned model's id.")] = None,
    max_steps: Annotated[str | None, typer.Option(help="Steps of a run, or auto.")] = None,
    epochs: Annotated[str | None, typer.Option(help="Length in epochs instead of steps.")] = None,
    learning_rate: Annotated[str | None, typer.Option(help="Peak rate, or auto.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    reinit_layers: Annotated[
        str | None, typer.Option(help="Top blocks to initialise anew, or auto.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or auto.", show_default="auto")
    ] = None,
    validation_fraction: Annotated[
        float | None, typer.Option(help="Share split off to choose by (0.2).")
    ] = None,
    test_fraction: Annotated[
        float | None, typer.Option(help="Share split off for a score on unseen rows.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Validate each seed on so many parts in turn (k-fold).")
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="Column whose equal rows stay on one side of a split.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The score, e.g. accuracy, f1_macro, mcc, pearson.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how it is understood and how long it takes; train nothing."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print job and report as JSON.")] = False,
    detach: Detach = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Upload FILE, train a model on it over several seeds, and print how far it can be trusted."""
    from cli import train as command
    from cli.job_request import TrainOptions

    options = TrainOptions(
        model=model,
        suffix=suffix,
        seed=seed,
        seeds=seeds,
        preset=preset,
        max_steps=max_steps,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        reinit_layers=reinit_layers,
        precision=precision,
        text_column=text_column,
        text_pair_column=text_pair_column,
        label_column=label_column,
        task_type=task_type,
        folds=folds,
        group_by=group_by,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        metric=metric,
    )
    files = command.JobFiles(file, validation_file, test_file)
    with create_client(url) as client:
        if dry_run:
            command.show_dry_run(client, files, options, as_json=as_json)
            return
        raise typer.Exit(command.train(client, files, options, as_json=as_json, detach=detach))
