"""Ids as users write them: whole, as an unambiguous beginning, or ``last`` for the newest object.

A whole id is taken as it is, without a request. Everything else is looked up in the service's
lists, newest first, up to a bound that the errors name.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cli.api_models import Job, JobList
from cli.client import Client
from cli.errors import CliError

LAST: Final = "last"
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 10
MAX_SEARCHED_JOBS: Final = 50  # for a run; each job is a request
MATCHES_SHOWN: Final = 3
_WHOLE_TAIL: Final = re.compile(r"[0-9a-f]{24}")
_MODEL_TAIL: Final = re.compile(r"[0-9a-f]{8}")
_OTHER_SEED: Final = ":seed-"


class Kind(NamedTuple):
    """A kind of object with ids."""

    noun: str
    prefix: str
    remedy: str
    """What to do when no id fits."""


JOB: Final = Kind("job", "ftjob-", "`evenkeel jobs` lists them.")
FILE: Final = Kind("file", "file-", "`evenkeel files` lists them.")
RUN: Final = Kind("run", "ftrun-", "Name its job with --job.")
MODEL: Final = Kind("model", "ft:", "`evenkeel models` lists them.")


def resolve_job_id(client: Client, text: str) -> str:
    """Return the id of the job that ``text`` means."""
    if _is_whole(text, JOB):
        return text
    if text == LAST:
        return _get_newest_job(client).id
    jobs, is_complete = _list_jobs(client)
    return _choose(text, JOB, [job.id for job in jobs], None if is_complete else len(jobs))


def resolve_job_ids(client: Client, texts: Iterable[str]) -> list[str]:
    """Return the ids of several jobs; all are known before a command changes the first."""
    return [resolve_job_id(client, text) for text in texts]


def resolve_file_id(client: Client, text: str) -> str:
    """Return the id of the file that ``text`` means."""
    if _is_whole(text, FILE):
        return text
    ids: list[str] = []
    for _ in range(MAX_PAGES):
        page = client.list_file_page(PAGE_SIZE, ids[-1] if ids else None)
        ids += [file.id for file in page.data]
        if text == LAST or not page.has_more:
            break
    if text == LAST:
        if not ids:
            raise CliError("There is no file yet. `evenkeel train FILE` uploads one.")
        return ids[0]
    return _choose(text, FILE, ids, len(ids) if page.has_more else None)


def _is_whole_model_id(text: str) -> bool:
    """Return whether the text has the form ``ft:<base>:<owner>:<suffix>:<hash>[:seed-…]``."""
    published, seed, run = text.partition(":seed-")
    parts = published.split(":")
    return (
        len(parts) >= 5
        and parts[0] == "ft"
        and any(parts[1:-3])
        and _MODEL_TAIL.fullmatch(parts[-1]) is not None
        and bool(seed) == bool(run)
    )


def resolve_model_id(client: Client, text: str) -> str:
    """Return the model that ``text`` means: by its own id, or by the job that trained it.

    Raises CliError for a job without a model.
    """
    if _is_whole_model_id(text):
        return text
    if text == LAST or text.startswith(JOB.prefix):
        return _get_model_of_job(
            _get_newest_job(client, with_model=True)
            if text == LAST
            else client.get_job(resolve_job_id(client, text))
        )
    names = [model.id for model in client.list_models()]
    if text in names:
        return text
    names = _leave_out_other_seeds(names, text)
    if text.startswith(MODEL.prefix) or _find_matches(text, MODEL, names):
        return _choose(text, MODEL, names)
    jobs, is_complete = _list_jobs(client)
    by_id = {job.id: job for job in jobs}
    if is_complete and not _find_matches(text, JOB, by_id):
        raise CliError(
            f"No model and no job has an id that begins with {text!r}. `evenkeel models` and "
            "`evenkeel jobs` list them."
        )
    return _get_model_of_job(by_id[_choose(text, JOB, by_id, None if is_complete else len(jobs))])


def resolve_start_model(client: Client, text: str) -> str:
    """Return the model that a job starts from: by its name, as a model, or by the job of one.

    A text that fits nothing is left to the service, which downloads models of the hub and says
    which models there are. Raises CliError for a beginning that fits several, and for a folder of
    this machine.
    """
    if _is_whole_model_id(text):
        return text
    if text == LAST or text.startswith(JOB.prefix):
        return resolve_model_id(client, text)
    is_folder = _is_model_folder(text)
    if "/" in text and not text.startswith(MODEL.prefix) and not is_folder:
        return text
    names = [model.id for model in client.list_models()]
    if text in names:
        return text
    names = _leave_out_other_seeds(names, text)
    if _find_matches(text, MODEL, names):
        return _choose(text, MODEL, names)
    if is_folder:
        raise CliError(
            f"--model: {text} is a folder of this machine, which the service does not read. Upload "
            f"it with `evenkeel models upload {shlex.quote(text)}`, and give the name printed then."
        )
    return text


def _is_model_folder(text: str) -> bool:
    try:
        return (Path(text).expanduser() / "config.json").is_file()
    except (OSError, RuntimeError, ValueError):  # no path, or the home of an unknown user
        return False


def _leave_out_other_seeds(names: Iterable[str], text: str) -> list[str]:
    """Return the names without those of other seeds, unless ``text`` names a seed: they begin
    with the id of their job's published model.
    """
    return [name for name in names if _OTHER_SEED not in name or _OTHER_SEED in text]


def resolve_run(client: Client, text: str, job: str | None = None) -> tuple[str, str]:
    """Return the ids of the run that ``text`` means and of its job, which comes first.

    Without a job, ``last`` is the last run of the newest job, and any other run is looked for in
    the newest jobs.
    """
    if job is not None or text == LAST:
        job_id = resolve_job_id(client, LAST if job is None else job)
        ids = [run.id for run in client.list_runs(job_id)]
        if text == LAST and ids:
            return job_id, ids[-1]
        return job_id, text if _is_whole(text, RUN) else _choose(text, RUN, ids)
    page = client.list_job_page(MAX_SEARCHED_JOBS)
    owners: dict[str, str] = {}
    for candidate in page.data:
        runs = [run.id for run in client.list_runs(candidate.id)]
        if _is_whole(text, RUN) and text in runs:
            return candidate.id, text
        owners |= dict.fromkeys(runs, candidate.id)
    run_id = _choose(text, RUN, owners, len(owners) if page.has_more else None)
    return owners[run_id], run_id


def _is_whole(text: str, kind: Kind) -> bool:
    tail = text.removeprefix(kind.prefix)
    return tail != text and _WHOLE_TAIL.fullmatch(tail) is not None


def _list_jobs(client: Client) -> tuple[list[Job], bool]:
    """List the newest jobs, and whether they are all."""
    pages = list(_iterate_job_pages(client))
    return [job for page in pages for job in page.data], not pages[-1].has_more


def _iterate_job_pages(client: Client) -> Iterator[JobList]:
    after = None
    for _ in range(MAX_PAGES):
        page = client.list_job_page(PAGE_SIZE, after)
        yield page
        if not page.has_more:
            return
        after = page.data[-1].id


def _get_newest_job(client: Client, *, with_model: bool = False) -> Job:
    pages = _iterate_job_pages(client) if with_model else [client.list_job_page(1)]
    for page in pages:
        for job in page.data:
            if job.fine_tuned_model or not with_model:
                return job
    kind = "job with a model" if with_model else "job"
    raise CliError(f"There is no {kind} yet. `evenkeel train FILE` creates one.")


def _get_model_of_job(job: Job) -> str:
    if job.fine_tuned_model is None:
        raise CliError(f"Job {job.id} has no model; its status is {job.status.value}.")
    return job.fine_tuned_model


def _find_matches(text: str, kind: Kind, ids: Iterable[str]) -> list[str]:
    """Return the ids that begin with ``text``, with or without the prefix of their kind."""
    return [one for one in ids if text and one.startswith((text, f"{kind.prefix}{text}"))]


def _choose(text: str, kind: Kind, ids: Iterable[str], bound: int | None = None) -> str:
    """Return the only id that begins with ``text``.

    ``bound`` is the number of objects that were searched, if there are more. Raises CliError for
    none and for several.
    """
    matches = _find_matches(text, kind, ids)
    if len(matches) == 1:
        return matches[0]
    scope = "" if bound is None else f" among the newest {bound:,} {kind.noun}s"
    if not matches:
        raise CliError(f"No {kind.noun} has an id that begins with {text!r}{scope}. {kind.remedy}")
    shown = ", ".join(matches[:MATCHES_SHOWN])
    hidden = len(matches) - MATCHES_SHOWN
    more = f" and {hidden:,} more" if hidden > 0 else ""
    raise CliError(
        f"{text!r} is the beginning of {len(matches):,} {kind.noun}s{scope}: {shown}{more}. Give "
        "more characters of the id."
    )
