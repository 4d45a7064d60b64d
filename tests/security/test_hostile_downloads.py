"""``evenkeel download`` from a server that answers with archives of its own making."""

import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.errors import BAD_INPUT, SUCCEEDED
from cli.program import run_program
from tests.cli.answering_service import AnsweringService

SENTENCE = re.compile(r"Error: [^\n]+\.\n")
Entry = tuple[str | zipfile.ZipInfo, bytes]


def _pack(*entries: Entry, compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as members:
        for name, content in entries:
            members.writestr(name, content)
    return packed.getvalue()


def _make_special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def _announce_less(content: bytes, announced: int) -> bytes:
    """Pack a file whose headers say that it is shorter."""
    packed = bytearray(_pack(("config.json", content), compression=zipfile.ZIP_DEFLATED))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = packed.index(mark) + offset
        packed[start : start + 4] = struct.pack("<I", announced)
    return bytes(packed)


_GOOD = _pack(("config.json", b"{}"))
ARCHIVES: dict[str, bytes] = {
    "a file, then a folder of its name": _pack(("a", b"x"), ("a/", b"")),
    "a folder, then a file of its name": _pack(("a/", b""), ("a", b"x")),
    "a file below a file": _pack(("a", b"x"), ("a/b", b"x")),
    "a file twice": _pack(("a", b"x"), ("A", b"y")),
    "out of the folder": _pack(("../a", b"x")),
    "an absolute name": _pack(("/tmp/a", b"x")),
    "a Windows name": _pack(("..\\a", b"x")),
    "a drive": _pack(("C:a", b"x")),
    "a stream": _pack(("a:b", b"x")),
    "an empty part": _pack(("a//b", b"x")),
    "a dot": _pack(("./a", b"x")),
    "a long name": _pack(("a" * 60_000, b"x")),
    "a name for a folder that is too long": _pack(("a" * 300, b"x")),
    "a deep name": _pack(("/".join("a" * 500), b"x")),
    "escape codes": _pack(("\x1b[2J\x9b31m\u202e", b"x")),
    "a NUL": _pack(("aZb", b"x")).replace(b"aZb", b"a\0b"),
    "a link": _pack((_make_special("a", stat.S_IFLNK), b"/etc/passwd")),
    "a device": _pack((_make_special("a", stat.S_IFCHR), b"")),
    "a pipe": _pack((_make_special("a", stat.S_IFIFO), b"")),
    "a folder as a file": _pack((_make_special("a", stat.S_IFDIR), b"x")),
    "many entries": _pack(*((f"f{number}", b"") for number in range(5_000))),
    "a bomb": _pack(("a", b"\0" * 40_000_000), compression=zipfile.ZIP_DEFLATED),
    "a bomb in pieces": _pack(
        *((f"f{number}", b"\0" * 400_000) for number in range(400)),
        compression=zipfile.ZIP_DEFLATED,
    ),
    "longer than it says": _announce_less(b"\0" * 3_000_000, 10),
    "shorter than it says": _announce_less(b"{}", 100),
    "cut off": _GOOD[:40],
    "without its end": _GOOD[:-10],
    "encrypted": _GOOD.replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    ),
    "a rare method": _GOOD.replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63"
    ),
    "no archive": b"<svg/>",
    "nothing": b"",
}


class HostileService(AnsweringService):
    """Answers as the real service, except with its own archive and announced length."""

    archive = _GOOD
    announced = 1_234_567

    def choose_answer(self, method: str, path: str) -> tuple[int, dict[str, str], Any]:
        if path.endswith("/content"):
            return 200, {"content-type": "application/octet-stream"}, self.archive
        status, headers, answer = super().choose_answer(method, path)
        if isinstance(answer, dict) and "filename" in answer:
            answer = {**answer, "bytes": self.announced}
        return status, headers, answer


@pytest.fixture
def service() -> Iterator[HostileService]:
    with HostileService() as service:
        yield service


def _list_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_bad_archive_is_refused_in_a_sentence(
    name: str, service: HostileService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.archive = ARCHIVES[name]
    target = tmp_path / "below" / "model"
    assert run_program(["download", "last", str(target), "--url", service.url]) == BAD_INPUT
    said = capsys.readouterr().err
    assert SENTENCE.fullmatch(said), said
    assert "unforeseen" not in said
    assert said.isprintable() or said.rstrip("\n").isprintable()
    assert _list_below(tmp_path) == ["below"]


@pytest.mark.parametrize(("announced", "says"), [(10, "longer than the 10 bytes"), (2**62, "free")])
def test_a_wrong_length_is_refused(
    announced: int,
    says: str,
    service: HostileService,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service.announced = announced
    target = tmp_path / "model"
    assert run_program(["download", "last", str(target), "--url", service.url]) == BAD_INPUT
    said = capsys.readouterr().err
    assert SENTENCE.fullmatch(said), said
    assert says in said
    assert _list_below(tmp_path) == []


def test_a_good_archive_is_unpacked(service: HostileService, tmp_path: Path) -> None:
    target = tmp_path / "model"
    assert run_program(["download", "last", str(target), "--url", service.url]) == SUCCEEDED
    assert _list_below(tmp_path) == ["model", "model/config.json"]
