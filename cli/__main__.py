"""``evenkeel``: starts the service or its parts, and talks to a running one over HTTP.

Heavy imports wait inside the commands that need them, so that ``evenkeel --help`` answers at once.
Exit codes: 0 all well, 1 a job failed or was cancelled, 2 what was asked for cannot be done.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from cli.client import Client

app = typer.Typer(
    help="Stability-first fine-tuning of encoders: start the service, train over many seeds, read the report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
database_app = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(database_app, name="db")

SERVICE, CLIENT = "The service", "A running service"
Url = Annotated[str, typer.Option("--url", envvar="EVENKEEL_URL", help="Where the service answers.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id: ftjob-…")]
LOCAL = "http://127.0.0.1:8000"


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except CliError as error:
        typer.secho(f"Error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)


# the service and its parts


@app.command(rich_help_panel=SERVICE)
def up(
    home: Annotated[
        Path, typer.Option(envvar="EVENKEEL_HOME", file_okay=False, help="Data folder; survives restarts.")
    ] = Path("~/.evenkeel"),
    host: Annotated[str, typer.Option(envvar="EVENKEEL_HOST", help="Address to serve.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="EVENKEEL_PORT", min=0, max=65535, help="0 takes a free one.")] = 8000,
    workers: Annotated[
        int | None,
        typer.Option(envvar="EVENKEEL_WORKER_SLOTS", min=1, max=256, help="Runs at once.", show_default="CPU cores"),
    ] = None,
    threads: Annotated[int, typer.Option(envvar="EVENKEEL_THREADS", min=1, max=256, help="CPU threads of each.")] = 1,
) -> None:
    """Start everything on this machine: API, worker, queue and database; Ctrl-C stops it."""
    from cli.settings import cpu_cores
    from cli.up import Stack
    from cli.up import up as start

    slots = workers or cpu_cores()
    raise typer.Exit(start(Stack(home=home, host=host, port=port, slots=slots, threads=threads)))


@app.command(rich_help_panel=SERVICE)
def api(
    host: Annotated[str | None, typer.Option(help="Address to serve; else EVENKEEL_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Else EVENKEEL_PORT.")] = None,
) -> None:
    """Start the API alone, configured by EVENKEEL_*."""
    from cli.parts import become_api

    become_api(host, port)


@app.command(rich_help_panel=SERVICE)
def worker() -> None:
    """Start a worker and its sweeper, configured by EVENKEEL_*."""
    from cli.parts import run_worker

    raise typer.Exit(run_worker())


@database_app.command("upgrade")
def database_upgrade() -> None:
    """Bring the database at EVENKEEL_DATABASE_URL to this version's tables."""
    from cli.database import upgrade_database
    from cli.settings import read_settings

    upgrade_database(read_settings().resolved_database_url)


# against a running service


@app.command(rich_help_panel=CLIENT)
def train(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, TSV, JSONL or Parquet.")
    ],
    model: Annotated[str | None, typer.Option(help="Base model.", show_default="all-MiniLM-L6-v2")] = None,
    preset: Annotated[str | None, typer.Option(help="Recipe.", show_default="stabilized")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many runs.", show_default="5")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the first run.", show_default="0")] = None,
    text_column: Annotated[str | None, typer.Option(help="Name or index of the (first) text's column.")] = None,
    text_pair_column: Annotated[str | None, typer.Option(help="Name or index of the second text's column.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Name or index of the label's column.")] = None,
    validation_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="Else rows are split off FILE.")
    ] = None,
    test_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="Rows that choose nothing.")
    ] = None,
    task_type: Annotated[
        str | None, typer.Option(help="Kind of task, e.g. regression.", show_default="told from the labels")
    ] = None,
    suffix: Annotated[str | None, typer.Option(help="Part of the fine-tuned model's id.")] = None,
    max_steps: Annotated[str | None, typer.Option(help="Steps of a run, or auto.")] = None,
    epochs: Annotated[str | None, typer.Option(help="Length in epochs instead of steps.")] = None,
    learning_rate: Annotated[str | None, typer.Option(help="Peak rate, or auto.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    reinit_layers: Annotated[str | None, typer.Option(help="Top blocks to initialise anew, or auto.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32, bfloat16 or auto.", show_default="auto")] = None,
    validation_fraction: Annotated[float | None, typer.Option(help="Share split off to choose by (0.2).")] = None,
    test_fraction: Annotated[float | None, typer.Option(help="Share split off for a score on unseen rows.")] = None,
    folds: Annotated[int | None, typer.Option(help="Validate each seed on so many parts in turn (k-fold).")] = None,
    group_by: Annotated[str | None, typer.Option(help="Column whose equal rows stay on one side of a split.")] = None,
    metric: Annotated[str | None, typer.Option(help="The score, e.g. accuracy, f1_macro, mcc, pearson.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print job and report as JSON.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the job.")] = False,
    url: Url = LOCAL,
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
    files = command.Files(file, validation_file, test_file)
    with _client(url) as client:
        raise typer.Exit(command.train(client, files, options, as_json=as_json, detach=detach))


@app.command(rich_help_panel=CLIENT)
def jobs(limit: Annotated[int, typer.Option(min=1, max=100, help="Most jobs to list.")] = 20, url: Url = LOCAL) -> None:
    """List the jobs, newest first."""
    from cli.tables import jobs_table, make_console

    with _client(url) as client:
        make_console().print(jobs_table(client.jobs(limit)))


@app.command(rich_help_panel=CLIENT)
def show(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Show its runs until it has ended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print job and report as JSON.")] = False,
    url: Url = LOCAL,
) -> None:
    """Show a job and its report."""
    from cli.train import show as show_job

    with _client(url) as client:
        raise typer.Exit(show_job(client, job, follow_it=follow, as_json=as_json))


@app.command(rich_help_panel=CLIENT)
def report(
    job: JobId,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the report as a page.")] = None,
    png: Annotated[Path | None, typer.Option(dir_okay=False, help="Write its figure.")] = None,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write every seed's scores.")] = None,
    url: Url = LOCAL,
) -> None:
    """Print a job's stability report, or write it to files."""
    from cli.report_files import write_report

    with _client(url) as client:
        write_report(client, job, html=html, png=png, csv=csv)


@app.command(rich_help_panel=CLIENT)
def compare(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB JOB [JOB…]", help="2 to 10 jobs on the same rows.")],
    metric: Annotated[str | None, typer.Option(help="Another score than the jobs' own.")] = None,
    alpha: Annotated[float, typer.Option(help="Highest p that counts as shown.")] = 0.05,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write their reports side by side as a page.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    url: Url = LOCAL,
) -> None:
    """Compare jobs: which is better, as far as their seeds can tell."""
    from cli.compare import compare as compare_jobs

    with _client(url) as client:
        raise typer.Exit(compare_jobs(client, jobs, metric=metric, alpha=alpha, html=html, as_json=as_json))


@app.command(rich_help_panel=CLIENT)
def cancel(job: JobId, url: Url = LOCAL) -> None:
    """Stop a job; what its finished runs have shown is kept."""
    with _client(url) as client:
        ended = client.cancel(job)
    typer.echo(f"{ended.id}: {ended.status.value}" if ended.ended else f"{ended.id}: its runs are being stopped")


@app.command(rich_help_panel=CLIENT)
def download(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A fine-tuned model's id (ft:…), or its job's.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it; must not exist, or be empty.")],
    url: Url = LOCAL,
) -> None:
    """Download a fine-tuned model as a folder that transformers loads."""
    from cli.download import download_model

    with _client(url) as client:
        download_model(client, model, folder)
    typer.echo(f"{model} is in {folder}")


@app.command(rich_help_panel=SERVICE)
def demo(
    keep_home: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Keep the service's data there afterwards.")
    ] = None,
) -> None:
    """See it work: a stack of its own, a real data set, two recipes over five seeds, the comparison."""
    from cli.demo import demo as run_demo

    raise typer.Exit(run_demo(keep_home))


def _client(url: str) -> "Client":
    from cli.client import Client

    return Client(url, os.environ.get("EVENKEEL_API_KEY"))


if __name__ == "__main__":
    main()
