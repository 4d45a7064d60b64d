"""Access control: find the caller of a request by its key, or refuse the request.

Keys are required once EVENKEEL_API_KEY is set or a key has been created. Without keys every
request is the local caller's, unless a web page of another site sends it through a browser.
"""

import hmac
import logging
import time
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope as ConnectionScope

from api.access.hosts import HostCheck
from api.access.key_directory import SEND_KEY, KeyDirectory, require_usable
from api.access.key_throttle import KeyThrottle
from api.access.origin import check_form_origin, check_origin
from api.access.page_paths import is_page_path
from api.access.rate_limit import RequestRateLimiter
from api.access.scopes import get_needed_scope
from api.access.sessions import ENVIRONMENT_KEY_NAME, BrowserSessions, Session
from shared.db.api_keys import KeyRecord
from shared.domain.api_keys import (
    ENVIRONMENT_CALLER,
    LOCAL_CALLER,
    NO_CALLER,
    Caller,
    Scope,
    hash_key,
    is_stored_key_form,
)
from shared.domain.errors import MissingScope, NotAuthenticated
from shared.infra.settings import Settings

log = logging.getLogger(__name__)

PROTECTED_PREFIX = "/v1"
_REPEATED_LOG_INTERVAL_S = 60.0


class Admission(NamedTuple):
    """An admitted request: its caller, and headers for the response."""

    caller: Caller
    headers: dict[str, str]


class AccessControl:
    """The checks of one process; it remembers failures and rates."""

    def __init__(self, settings: Settings) -> None:
        key = settings.api_key
        self._environment_key = None if key is None else key.get_secret_value()
        self._host_check = HostCheck(settings)
        self._throttle = KeyThrottle()
        self._rates = RequestRateLimiter(settings.owner_requests_per_second)
        self._logged_refusals: dict[str, float] = {}
        self.sessions = BrowserSessions(settings)

    async def admit(self, scope: ConnectionScope, headers: Headers) -> Admission:
        """Return who sends the request. Raises HostNotAllowed, NotAuthenticated, MissingScope,
        CrossSiteRequest, TooManyWrongKeys, RequestRateLimit, and ServiceUnavailable without a
        database.
        """
        path: str = scope["path"]
        services = getattr(scope["app"].state, "services", None)  # none before the app starts
        directory: KeyDirectory | None = getattr(services, "key_directory", None)
        is_protected, is_page = path.startswith(PROTECTED_PREFIX), is_page_path(path)
        is_keyless = not self._are_keys_required(directory)
        # a name that only a service without keys refuses may be that of a proxy's health probe
        is_named = self._host_check.allows(headers, is_keyless=is_keyless)
        if directory is not None and (is_protected or is_page or not is_named):
            await directory.get_snapshot()
            is_keyless = not self._are_keys_required(directory)
        self._host_check.check(headers, is_keyless=is_keyless)
        if is_keyless:
            check_origin(headers)
            return self._admit_caller(LOCAL_CALLER) if is_protected else Admission(LOCAL_CALLER, {})
        if is_page:
            return await self._admit_browser(scope, headers, directory)
        if not is_protected:
            return Admission(NO_CALLER, {})
        caller = await self._find_caller(headers, directory, get_address(scope))
        admission = self._admit_caller(caller)
        _require_scope(admission, scope["method"], path)
        return admission

    async def _admit_browser(
        self, scope: ConnectionScope, headers: Headers, directory: KeyDirectory | None
    ) -> Admission:
        """Admit a request for a page by its session; without one, it is nobody's."""
        if scope["method"] not in ("GET", "HEAD"):
            check_form_origin(headers)  # the browser adds the cookie by itself
        session = self.sessions.find(headers)
        caller = None if session is None else await self._find_session_caller(session, directory)
        if caller is None:
            if get_needed_scope(scope["method"], scope["path"]) is not Scope.READ:
                raise NotAuthenticated("Sign in with an API key first.")
            return Admission(NO_CALLER, {})
        admission = self._admit_caller(caller)
        _require_scope(admission, scope["method"], scope["path"])
        return admission

    async def _find_session_caller(
        self, session: Session, directory: KeyDirectory | None
    ) -> Caller | None:
        """Return the caller of a session; None if its key may no longer be used."""
        if session.key_name == ENVIRONMENT_KEY_NAME:
            expected = self._environment_key
            is_current = expected is not None and hmac.compare_digest(
                hash_key(expected), session.digest
            )
            return ENVIRONMENT_CALLER if is_current else None
        if directory is None:
            return None
        record = await directory.find_key_by_digest(session.key_name, session.digest)
        if record is None or record.revoked or record.expired:
            return None
        directory.record_use(record)
        return Caller(record.owner_id, record.scope, record.prefix)

    async def sign_in(
        self, scope: ConnectionScope, key: str, directory: KeyDirectory | None
    ) -> str:
        """Return the cookie of a new session. Raises NotAuthenticated, TooManyWrongKeys."""
        address = get_address(scope)
        self._throttle.require_open(address)
        caller = await self._check_key(key, directory, address)
        return self.sessions.seal(Session(caller.key_name, hash_key(key)))

    def _are_keys_required(self, directory: KeyDirectory | None) -> bool:
        snapshot = None if directory is None else directory.latest_snapshot
        return self._environment_key is not None or (snapshot is not None and snapshot.has_keys)

    def _admit_caller(self, caller: Caller) -> Admission:
        return Admission(caller, self._rates.admit_request(caller.owner_id).build_headers())

    async def _find_caller(
        self, headers: Headers, directory: KeyDirectory | None, address: str
    ) -> Caller:
        self._throttle.require_open(address)
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key:
            raise NotAuthenticated(f"The API key is missing; {SEND_KEY}")
        return await self._check_key(key, directory, address)

    async def _check_key(self, key: str, directory: KeyDirectory | None, address: str) -> Caller:
        """Return the caller with this key; an address with too many wrong ones has to wait."""
        if self._is_environment_key(key):
            return ENVIRONMENT_CALLER
        record = None if directory is None else await directory.find_key(key)
        if record is None or directory is None:
            self._record_failure(address)
            raise NotAuthenticated(f"The API key is wrong; check it, and {SEND_KEY}")
        self._require_usable(record, address)
        directory.record_use(record)
        return Caller(record.owner_id, record.scope, record.prefix)

    def _is_environment_key(self, key: str) -> bool:
        """Return whether this is the administrator's key.

        A key that was created for an owner stays that owner's, also when a shell that exports it
        for clients starts the service.
        """
        expected = self._environment_key
        if expected is None or is_stored_key_form(expected):
            return False
        return hmac.compare_digest(key.encode(), expected.encode())

    def _record_failure(self, address: str) -> None:
        log.warning("wrong_api_key address=%s", address)
        if self._throttle.record_failure(address):
            log.warning("wrong_api_keys_throttled address=%s", address)

    def _require_usable(self, record: KeyRecord, address: str) -> None:
        """Raise NotAuthenticated for a key that was valid once; nobody guesses those."""
        try:
            require_usable(record)
        except NotAuthenticated:
            now = time.monotonic()
            logged_at = self._logged_refusals.get(record.id, float("-inf"))
            if now - logged_at > _REPEATED_LOG_INTERVAL_S:
                self._logged_refusals[record.id] = now
                log.warning("unusable_api_key key=%s address=%s", record.prefix, address)
            raise


def _require_scope(admission: Admission, method: str, path: str) -> None:
    caller, needed = admission.caller, get_needed_scope(method, path)
    if not caller.scope.allows(needed):
        error = MissingScope(
            f"The API key {caller.key_name}… has the scope {caller.scope}, but this request needs "
            f"{needed}; use a key with that scope."
        )
        error.response_headers |= admission.headers
        raise error
    if needed is not Scope.READ:
        log.info("change_requested key=%s method=%s path=%a", caller.key_name, method, path[:200])


def get_address(scope: ConnectionScope) -> str:
    """Return the client's address; a unix socket has none."""
    client = scope.get("client")
    return "local" if client is None else str(client[0])
