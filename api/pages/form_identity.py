"""Recognition of a form that is sent twice, for example by a double click."""

from starlette.datastructures import FormData

from api.jobs.request_identity import RequestIdentity
from api.pages.page import get_text

MAX_KEY_LENGTH = 64


def read_identity(form: FormData) -> RequestIdentity:
    """Return the identity of the request by the form's field ``once``."""
    once = get_text(form, "once")
    is_key = once.isascii() and once.isalnum() and len(once) <= MAX_KEY_LENGTH
    return RequestIdentity(key=once if is_key else None)
