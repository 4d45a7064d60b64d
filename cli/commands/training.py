"""The command that turns a file into a report: ``evenkeel train``."""

import typer

from cli import options
from cli import train_options as option
from cli.commands.common import JOBS_PANEL, create_client, create_command_group

app = create_command_group()


@app.command(rich_help_panel=JOBS_PANEL)
def train(
    file: option.TrainingFile,
    model: option.BaseModelId = None,
    preset: option.Preset = None,
    seeds: option.SeedCount = None,
    seed: option.FirstSeed = None,
    header: option.HasHeader = None,
    text_column: option.TextColumn = None,
    text_pair_column: option.TextPairColumn = None,
    label_column: option.LabelColumn = None,
    validation_file: option.ValidationFile = None,
    test_file: option.TestFile = None,
    task_type: option.TaskType = None,
    suffix: option.ModelSuffix = None,
    max_steps: option.MaxSteps = None,
    epochs: option.Epochs = None,
    learning_rate: option.LearningRate = None,
    batch_size: option.BatchSize = None,
    reinit_layers: option.ReinitLayers = None,
    precision: option.Precision = None,
    validation_fraction: option.ValidationFraction = None,
    test_fraction: option.TestFraction = None,
    folds: option.Folds = None,
    group_by: option.GroupBy = None,
    metric: option.Metric = None,
    dry_run: option.DryRun = False,
    as_json: options.ReportAsJson = False,
    detach: options.Detach = False,
    url: options.Url = options.DEFAULT_URL,
) -> None:
    """Train a model on FILE over several seeds and report how far it can be trusted."""
    from cli.job_request import TrainOptions
    from cli.train import JobFiles, run_training

    request = TrainOptions(
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
        header=header,
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
    files = JobFiles(file, validation_file, test_file)
    with create_client(url) as client:
        raise typer.Exit(
            run_training(client, files, request, dry_run=dry_run, as_json=as_json, detach=detach)
        )
