"""The models of the simulated hub, by the real hub's protocol: descriptions with digests, small
files answered in place, large ones by a redirect to a store, ranges, and faults on request.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

LFS_SUFFIXES = (".safetensors", ".bin", ".model")
CHUNK_BYTES = 1000


class Fault(Enum):
    """What happens to one request for a file, instead of an answer."""

    CUT = "the connection ends in the middle of the body"
    BUSY = "429 with Retry-After"
    BROKEN = "500"
    SHORT = "a body that declares and has too few bytes"
    LONG = "a body with more bytes than listed"
    ALTERED = "a body of the right length with another content"
    NO_RANGE = "200 with the whole file, whatever range was asked for"
    EXPIRED = "403, as for a signed address that is too old"


@dataclass
class ModelRepository:
    """A model on the simulated hub."""

    files: Mapping[str, bytes]
    message: str = "first"
    """Commit message; with another one, the same files are another commit."""
    revisions: tuple[str, ...] = ("main",)
    gated: bool = False
    token: str | None = None
    """The token without which the repository does not exist (or is gated)."""

    @classmethod
    def from_folder(cls, folder: Path, **settings: Any) -> "ModelRepository":
        return cls({file.name: file.read_bytes() for file in folder.iterdir()}, **settings)

    @property
    def commit(self) -> str:
        content = repr((self.message, sorted(self.files.items()))).encode()
        return hashlib.sha1(content, usedforsecurity=False).hexdigest()

    def describe(self, name: str) -> dict[str, Any]:
        siblings = [_describe_file(path, content) for path, content in self.files.items()]
        gated = "manual" if self.gated else False
        return {
            **{"id": name, "modelId": name, "sha": self.commit, "siblings": siblings},
            **{"gated": gated, "private": False, "tags": [], "downloads": 1},
        }


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None
    """How much of the body is sent before the connection ends; None for all."""
    drip_s: float = 0.0

    @property
    def declared_length(self) -> int:
        return len(self.body)

    @property
    def is_short(self) -> bool:
        return self.sent_bytes is not None

    def chunks(self) -> Iterator[bytes]:
        body = self.body if self.sent_bytes is None else self.body[: self.sent_bytes]
        if not self.drip_s:
            yield body
            return
        for at in range(0, len(body), CHUNK_BYTES):
            yield body[at : at + CHUNK_BYTES]
            time.sleep(self.drip_s)


@dataclass
class ModelHub:
    repositories: dict[str, ModelRepository] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """Old name -> present name, to which the hub redirects."""
    store_url: str = ""
    """Address to which large files are redirected; by default, the hub's own."""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """Path of a file in its repository -> faults of the next requests for it."""
    drip_s: float = 0.0
    """Seconds after each chunk of a stored file."""
    metadata_drip_s: float = 0.0
    """Seconds after each chunk of a description."""
    retry_after: str = "7"
    is_down: bool = False
    """Whether every request is answered with 500."""
    ranges: list[str] = field(default_factory=list)
    """The ranges that were asked for."""
    stored: list[str] = field(default_factory=list)
    """Paths of the large files that were sent, whole or in part."""
    store_authorizations: list[str | None] = field(default_factory=list)

    def add(self, name: str, folder: Path, **settings: Any) -> ModelRepository:
        repository = ModelRepository.from_folder(folder, **settings)
        self.repositories[name] = repository
        return repository

    def reply(self, path: str, headers: Mapping[str, str]) -> Reply | None:
        """Return the answer to a request for a model; None for any other request."""
        headers = {name.lower(): value for name, value in headers.items()}
        if path.startswith("/api/models/"):
            return self._describe(path.removeprefix("/api/models/"), headers)
        if path.startswith("/store/"):
            self.store_authorizations.append(headers.get("authorization"))
            return self._send_stored(path.removeprefix("/store/"), headers)
        name, is_file, rest = path.removeprefix("/").partition("/resolve/")
        if is_file and not path.startswith("/datasets/"):
            revision, _, file = rest.partition("/")
            return self._resolve(name, revision, file, headers)
        return None

    def _describe(self, path: str, headers: Mapping[str, str]) -> Reply:
        name, _, revision = path.partition("/revision/")
        if self.is_down:
            return Reply(500)
        if name in self.renamed:
            return Reply(307, headers={"location": f"/api/models/{self.renamed[name]}"})
        refusal = self._refuse(name, headers, is_file=False)
        if refusal is not None:
            return refusal
        repository = self.repositories[name]
        if revision and revision not in (*repository.revisions, repository.commit):
            return Reply(404, b"{}", {"x-error-code": "RevisionNotFound"})
        described = json.dumps(repository.describe(name)).encode()
        return Reply(200, described, drip_s=self.metadata_drip_s)

    def _refuse(self, name: str, headers: Mapping[str, str], *, is_file: bool) -> Reply | None:
        """Return the answer to who may not read; like the hub's, a gated model is described."""
        repository = self.repositories.get(name)
        if repository is None:
            return Reply(401, b'{"error":"Repository not found"}', {"x-error-code": "RepoNotFound"})
        has_token = headers.get("authorization") == f"Bearer {repository.token}"
        if repository.gated:
            gate = {"x-error-code": "GatedRepo"}
            return Reply(403, b"{}", gate) if is_file and not has_token else None
        if repository.token is not None and not has_token:
            return Reply(401, b"{}", {"x-error-code": "RepoNotFound"})
        return None

    def _resolve(self, name: str, revision: str, path: str, headers: Mapping[str, str]) -> Reply:
        refusal = self._refuse(name, headers, is_file=True)
        if refusal is not None:
            return refusal
        repository = self.repositories[name]
        assert revision == repository.commit  # never a branch, which may move meanwhile
        if path not in repository.files:
            return Reply(404, b"{}", {"x-error-code": "EntryNotFound"})
        content = repository.files[path]
        if not path.endswith(LFS_SUFFIXES):
            etag = {"etag": f'"{_compute_git_sha1(content)}"', "x-repo-commit": repository.commit}
            return self._send_file(path, content, headers, etag)
        sha256 = hashlib.sha256(content).hexdigest()
        linked = {
            "x-repo-commit": repository.commit,
            "x-linked-etag": f'"{sha256}"',
            "x-linked-size": str(len(content)),
            "location": f"{self.store_url}/store/{name}/{path}",
        }
        return Reply(302, b"", linked)

    def _send_stored(self, path: str, headers: Mapping[str, str]) -> Reply:
        name = next(name for name in self.repositories if path.startswith(f"{name}/"))
        file = path.removeprefix(f"{name}/")
        self.stored.append(file)
        reply = self._send_file(file, self.repositories[name].files[file], headers, {})
        reply.drip_s = self.drip_s
        return reply

    def _send_file(
        self, path: str, content: bytes, headers: Mapping[str, str], extra: dict[str, str]
    ) -> Reply:
        fault = self.faults[path].pop(0) if self.faults.get(path) else None
        asked = headers.get("range")
        if asked is not None:
            self.ranges.append(asked)
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        match fault:
            case Fault.BUSY:
                return Reply(429, b"", {"retry-after": self.retry_after})
            case Fault.BROKEN:
                return Reply(500)
            case Fault.EXPIRED:
                return Reply(403)
            case Fault.SHORT:
                return Reply(200, content[: len(content) // 2], extra)
            case Fault.LONG:
                content += content
            case Fault.ALTERED:
                content = bytes(255 - byte for byte in content)
            case Fault.NO_RANGE:
                first = 0
        body = content[first:]
        cut = len(body) // 2 if fault is Fault.CUT else None
        if first == 0:
            return Reply(200, body, extra, sent_bytes=cut)
        extra = extra | {"content-range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        return Reply(206, body, extra, sent_bytes=cut)


def _describe_file(path: str, content: bytes) -> dict[str, Any]:
    described = {
        "rfilename": path,
        "size": len(content),
        "blobId": _compute_git_sha1(content),
    }
    if path.endswith(LFS_SUFFIXES):
        sha256 = hashlib.sha256(content).hexdigest()
        described["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return described


def _compute_git_sha1(content: bytes) -> str:
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
