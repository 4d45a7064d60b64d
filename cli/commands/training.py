"""The commands that make a file to try, and that turn a file into a report."""

from pathlib import Path
from typing import Annotated

import typer

from cli import data_options, options
from cli import train_options as option
from cli.commands.common import JOBS_PANEL, MODELS_PANEL, create_client, create_command_group
from cli.console import print_text
from cli.sample import SampleTask, write_sample

app = create_command_group()


@app.command(rich_help_panel=MODELS_PANEL)
def sample(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", dir_okay=False, help="CSV file to write.")
    ],
    task: Annotated[SampleTask, typer.Option(help="What the rows are for.")] = SampleTask.REVIEWS,
    rows: Annotated[
        int, typer.Option("-n", "--rows", min=10, max=5000, help="Number of rows.")
    ] = 200,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a made-up data set to try the service with: reviews, pairs or ratings of films."""
    write_sample(file, task, rows, force=force)
    print_text(f"{file}: {rows} rows. Train a model on it with: evenkeel train {file}")


@app.command(rich_help_panel=JOBS_PANEL)
def train(
    file: data_options.TrainingFile,
    model: option.BaseModelId = None,
    revision: option.ModelRevision = None,
    preset: option.Preset = None,
    seeds: option.SeedCount = None,
    seed: option.FirstSeed = None,
    header: data_options.HasHeader = None,
    text_column: data_options.TextColumn = None,
    text_pair_column: data_options.TextPairColumn = None,
    label_column: data_options.LabelColumn = None,
    label_name: data_options.LabelNames = None,
    positive_label: data_options.PositiveLabel = None,
    max_seq_length: data_options.MaxSeqLength = None,
    validation_file: data_options.ValidationFile = None,
    test_file: data_options.TestFile = None,
    unlabelled: data_options.UnlabelledFile = None,
    task_type: data_options.TaskType = None,
    suffix: option.ModelSuffix = None,
    max_steps: option.MaxSteps = None,
    epochs: option.Epochs = None,
    learning_rate: option.LearningRate = None,
    batch_size: option.BatchSize = None,
    reinit_layers: option.ReinitLayers = None,
    class_weights: option.ClassWeights = None,
    precision: option.Precision = None,
    set_: option.RecipeSettings = None,
    init_seed: option.InitSeeds = None,
    data_seed: option.DataSeeds = None,
    early_discard: option.EarlyDiscard = None,
    validation_fraction: option.ValidationFraction = None,
    test_fraction: option.TestFraction = None,
    folds: option.Folds = None,
    group_by: option.GroupBy = None,
    split_seed: option.SplitSeed = None,
    metric: option.Metric = None,
    keep: option.Keep = None,
    publish: option.Publish = None,
    metadata: option.Metadata = None,
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
        model_revision=revision,
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
        class_weights=class_weights,
        settings=set_,
        header=header,
        text_column=text_column,
        text_pair_column=text_pair_column,
        label_column=label_column,
        label_names=label_name,
        positive_label=positive_label,
        max_seq_length=max_seq_length,
        task_type=task_type,
        folds=folds,
        group_by=group_by,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        init_seeds=init_seed,
        data_seeds=data_seed,
        early_discard=early_discard,
        metric=metric,
        keep=keep,
        publish=publish,
        metadata=metadata,
    )
    files = JobFiles(file, validation_file, test_file, unlabelled)
    with create_client(url) as client:
        raise typer.Exit(
            run_training(client, files, request, dry_run=dry_run, as_json=as_json, detach=detach)
        )
