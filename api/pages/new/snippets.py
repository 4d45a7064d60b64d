"""The same job as commands: with curl, and with the official client for Python."""

import pprint
import shlex
from collections.abc import Mapping
from typing import Any, Final

from api.pages.client_code import Service, list_key_options, open_client, write_curl_post

CLIENT_ARGUMENTS: Final = (
    "model",
    "training_file",
    "validation_file",
    "suffix",
    "seed",
    "metadata",
)
"""Arguments of the official client; it sends everything else as ``extra_body``."""


def write_curl(service: Service, body: Mapping[str, Any]) -> str:
    """Return the command that creates the job."""
    return write_curl_post(service, "/v1/fine_tuning/jobs", body)


def write_curl_upload(service: Service, filename: str) -> str:
    """Return the command that uploads a file of this name."""
    escaped = filename.replace("\\", "\\\\").replace('"', '\\"')
    field = f'file=@"{escaped}"'
    lines = [
        f"curl {shlex.quote(f'{service.url}/v1/files')}",
        *list_key_options(service),
        "-F purpose=fine-tune",
        f"-F {shlex.quote(field)}",
    ]
    return " \\\n  ".join(lines)


def write_python(service: Service, body: Mapping[str, Any]) -> str:
    """Return the program that creates the job."""
    arguments = [f"    {name}={body[name]!r}," for name in CLIENT_ARGUMENTS if name in body]
    extra = {name: value for name, value in body.items() if name not in CLIENT_ARGUMENTS}
    if extra:
        shown = pprint.pformat(extra, width=44, sort_dicts=False).replace("\n", "\n        ")
        arguments.append(f"    extra_body={shown},")
    call = ["job = client.fine_tuning.jobs.create(", *arguments, ")", "print(job.id)"]
    return "\n".join([*open_client(service), *call])


def write_python_upload(service: Service, filename: str) -> str:
    """Return the program that uploads a file of this name."""
    call = [
        "file = client.files.create(",
        f'    file=open({filename!r}, "rb"),',
        '    purpose="fine-tune",',
        ")",
        "print(file.id)",
    ]
    return "\n".join([*open_client(service), *call])
