"""Parameters of the commands, as named types that carry their help texts; those of
``evenkeel train`` alone are in ``cli.train_options`` and ``cli.data_options``.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

# Shared by several commands

ID_FORMS: Final = "its ID, the beginning of it, or `last`"
MODEL_FORMS: Final = "its name or ID, the beginning of it, or `last`"
DEFAULT_URL: Final = "http://127.0.0.1:8000"
Url = Annotated[
    str,
    typer.Option("--url", envvar="EVENKEEL_URL", help="URL of the service, with or without /v1."),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help=f"Job: {ID_FORMS}.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB", help=f"Jobs: each {ID_FORMS}.")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Run: its ID, the beginning of it, or `last`.")
]
JobOfRun = Annotated[
    str | None,
    typer.Option(
        "--job", metavar="JOB", help=f"Job of the run: {ID_FORMS}.", show_default="searched"
    ),
]
FileId = Annotated[str, typer.Argument(metavar="FILE", help=f"File: {ID_FORMS}.")]
FileIds = Annotated[list[str], typer.Argument(metavar="FILE", help=f"Files: each {ID_FORMS}.")]
Confirmed = Annotated[bool, typer.Option("--yes", help="Delete without asking.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's response as JSON.")]
ReportAsJson = Annotated[bool, typer.Option("--json", help="Print the job and its report as JSON.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return without waiting for the job.")]
FineTunedModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Fine-tuned model, or the job that trained it: ID, beginning of it, or `last`.",
    ),
]

# evenkeel up, api, demo

DataFolder = Annotated[
    Path,
    typer.Option(
        envvar="EVENKEEL_HOME", file_okay=False, help="Data folder; it is kept across restarts."
    ),
]
Fix = Annotated[
    bool,
    typer.Option(
        "--fix", help="Delete stored files that no row names, and publish what can be published."
    ),
]
Digests = Annotated[
    bool, typer.Option(help="Read every uploaded file and compare it with its digest.")
]
ListenHost = Annotated[str, typer.Option(envvar="EVENKEEL_HOST", help="Address to listen on.")]
ListenPort = Annotated[
    int,
    typer.Option(
        envvar="EVENKEEL_PORT",
        min=0,
        max=65535,
        help="Port to listen on; 0 picks a free port.",
    ),
]
WorkerSlots = Annotated[
    int | None,
    typer.Option(
        envvar="EVENKEEL_WORKER_SLOTS",
        min=1,
        max=256,
        help="Number of runs trained at the same time.",
        show_default="CPU cores",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        help="CPU threads per run; overrides EVENKEEL_THREADS.",
        show_default="chosen per job",
    ),
]
ApiHost = Annotated[str | None, typer.Option(help="Address to listen on; overrides EVENKEEL_HOST.")]
ApiPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port to listen on; overrides EVENKEEL_PORT."),
]
OpenPage = Annotated[
    bool, typer.Option("--open", help="Open the page in a browser once the service is ready.")
]
Stay = Annotated[
    bool, typer.Option("--stay", help="Keep the service running afterwards, until Ctrl-C.")
]
KeptFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", file_okay=False, help="Keep the service's data in this folder."),
]

# evenkeel classify and preview

InputTexts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT",
        help="Texts to classify; for a model trained on pairs, first and second in turn.",
    ),
]
InputFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="File whose rows to classify instead of texts.",
    ),
]
AnswersFile = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="File to write the predictions to.",
        show_default="FILE.answers.csv",
    ),
]
InputColumn = Annotated[
    str | None,
    typer.Option(
        help="Name or index of the file's (first) text column.", show_default="as in training"
    ),
]
InputPairColumn = Annotated[
    str | None,
    typer.Option(
        help="Name or index of the file's second text column, for pairs.",
        show_default="as in training",
    ),
]
AsEnsemble = Annotated[
    bool, typer.Option("--ensemble", help="Average the models of all seeds that the job kept.")
]
PreviewFile = Annotated[
    Path,
    typer.Argument(
        exists=True, dir_okay=False, readable=True, metavar="FILE", help="Data set to preview."
    ),
]

# evenkeel compare

ComparedJobs = Annotated[
    list[str],
    typer.Argument(
        metavar="JOB", help=f"2 to 10 jobs that were scored on the same rows: each {ID_FORMS}."
    ),
]
ComparisonMetric = Annotated[
    str | None, typer.Option(help="Metric to compare, instead of the jobs' own.")
]
Alpha = Annotated[
    float, typer.Option(help="Significance level: the largest p-value that shows a difference.")
]
ComparisonPage = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Write the reports side by side as an HTML page."),
]

# evenkeel clone

NewPreset = Annotated[
    str | None, typer.Option(help="Preset of the new job.", show_default="the earlier job's")
]
NewModel = Annotated[
    str | None,
    typer.Option(
        help=f"Model that the new job starts from: {MODEL_FORMS}; or owner/name on the hub.",
        show_default="the earlier job's",
    ),
]
NewRevision = Annotated[
    str | None,
    typer.Option(
        help="Branch, tag or commit of the new job's model on the hub.",
        show_default="the earlier job's commit, or main for another model",
    ),
]
NewSeedCount = Annotated[
    int | None, typer.Option(help="Number of runs.", show_default="the earlier job's")
]
NewSuffix = Annotated[
    str | None,
    typer.Option(
        help="Text to include in the fine-tuned model's ID.", show_default="the earlier job's"
    ),
]
