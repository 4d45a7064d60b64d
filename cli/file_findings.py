"""What the service found in an uploaded file, as ``train`` and ``preview`` print it."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from cli.api_models import File, Profile
from shared.domain.wording import format_count

MAX_ERRORS_SHOWN = 10
ASKED_CODE = "columns_not_detected"
"""A question about the columns, which a refused job repeats."""


def format_file(file: File, profile: Profile | None = None) -> RenderableType:
    """Format a file's size, row problems and warnings; ``profile`` is that of another reading."""
    found = profile or file.profile
    title = file.status_details or file.filename
    if profile is not None:
        title = f"{file.filename}: {format_count(profile.rows, 'row')}"
    lines = [title]
    if found is not None:
        lines += [*_format_errors(found), *_format_warnings(found)]
    return Group(*map(escape, lines), "")


def format_upload(file: File) -> RenderableType:
    """Format a file's size and row problems; the job that is made of it has the warnings."""
    errors = [] if file.profile is None else _format_errors(file.profile)
    return Group(*map(escape, [f"{file.filename}: {file.status_details or 'uploaded'}", *errors]))


def format_refused_files(files: Iterable[File]) -> str:
    """Format the warnings of files whose job was refused; empty without any."""
    lines = [
        f"{file.filename}: {line}"
        for file in files
        if file.profile is not None
        for line in _format_warnings(file.profile, without=ASKED_CODE)
    ]
    return "\n".join(map(escape, lines))


def _format_errors(profile: Profile) -> list[str]:
    shown = profile.errors[:MAX_ERRORS_SHOWN]
    lines = [f"Row {problem.row}: {problem.message}" for problem in shown]
    hidden = profile.errors_total - len(shown)
    return lines + ([f"… and {format_count(hidden, 'more row')} with errors"] if hidden else [])


def _format_warnings(profile: Profile, without: str | None = None) -> Sequence[str]:
    return [
        f"Warning ({warning.code}): {warning.message}"
        for warning in profile.warnings
        if warning.code != without
    ]
