"""No archive writes outside its folder, opens a pickle, or exceeds the bounds; each refusal is a
sentence with a code.
"""

import io
import pickle
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from shared.domain.errors import ServiceError, ServiceUnavailable, UnsupportedMediaType
from shared.encoders.archive import entries, unpacking
from shared.encoders.archive.errors import (
    ArchiveMalformed,
    ArchiveTooLarge,
    ArchiveUnsafe,
    UnusableArchive,
)
from shared.encoders.archive.unpacking import unpack_archive
from tests.encoders.archives import (
    announce_size,
    build_link,
    build_special,
    rename_members,
    set_flag,
    zip_members,
)

MAX_BYTES = 1_000_000
NOISE = bytes(index * index % 251 for index in range(3000))


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._trace,)  # type: ignore[return-value]


def unpack(tmp_path: Path, archive: bytes, max_bytes: int = MAX_BYTES) -> Path:
    (tmp_path / "archive.zip").write_bytes(archive)
    folder = tmp_path / "inner" / "model"
    folder.parent.mkdir()
    unpack_archive(tmp_path / "archive.zip", folder, max_bytes)
    return folder


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


PATHS = {
    "parent": "../config.json",
    "parent-inside": "a/../../config.json",
    "parent-last": "a/..",
    "absolute": "/tmp/config.json",
    "double-slash": "a//config.json",
    "dot": "./config.json",
    "backslash": "..\\config.json",
    "drive": "C:/config.json",
    "drive-relative": "C:config.json",
    "stream": "config.json:other",
    "newline": "config\n.json",
    "escape": "\x1b[2Jconfig.json",
    "right-to-left": "config\u202enosj.json",
    "trailing-space": "config.json /x.json",
    "too-long": f"{'n' * 300}.json",
    "too-deep": "a/b/c/d/e/config.json",
    "empty-folder": "/",
}


@pytest.mark.parametrize("kind", PATHS)
def test_a_path_that_is_not_plain_is_refused(tmp_path: Path, kind: str) -> None:
    archive = zip_members([("config.json", b"{}"), (PATHS[kind], b"{}")])
    with pytest.raises(ArchiveUnsafe, match="no plain path") as refused:
        unpack(tmp_path, archive)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300
    assert list_files(tmp_path) == {"archive.zip"}


def test_a_name_that_ends_for_zipfile_at_a_nul_is_refused(tmp_path: Path) -> None:
    archive = rename_members(
        zip_members([("config.json__.pkl", b"{}")]), {b"config.json__": b"config.json\0_"}
    )
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["config.json"]
    with pytest.raises(ArchiveUnsafe, match="no plain path"):
        unpack(tmp_path, archive)


SPECIAL_MODES = {
    "fifo": stat.S_IFIFO,
    "character-device": stat.S_IFCHR,
    "block-device": stat.S_IFBLK,
    "socket": stat.S_IFSOCK,
}


@pytest.mark.parametrize("kind", SPECIAL_MODES)
def test_a_special_file_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ArchiveUnsafe, match="link or a special file"):
        unpack(tmp_path, zip_members([build_special("config.json", SPECIAL_MODES[kind] | 0o644)]))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "other.json"])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, target: str) -> None:
    archive = zip_members([("other.json", b"{}"), build_link("config.json", target)])
    with pytest.raises(ArchiveUnsafe, match=r"'config\.json' as a link"):
        unpack(tmp_path, archive)


def test_nothing_is_written_through_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    archive = zip_members(
        [build_link("a", str(tmp_path / "outside")), ("a/config.json", b"planted")]
    )
    with pytest.raises(ArchiveUnsafe):
        unpack(tmp_path, archive)
    assert list_files(tmp_path / "outside") == set()


REFUSED_FILES = {
    "pytorch_model.bin": "can hold a pickle",
    "training_args.bin": "can hold a pickle",
    "model.pt": "can hold a pickle",
    "sub/model.PTH": "can hold a pickle",
    "optimizer.pkl": "can hold a pickle",
    "weights.npy": "can hold a pickle",
    "last.ckpt": "can hold a pickle",
    "modeling.py": "is code",
    "lib.so": "is code",
    "setup.sh": "is code",
    "notebook.ipynb": "is code",
    "inner.zip": "archive in the archive",
    "weights.tar": "archive in the archive",
    "weights.json.gz": "archive in the archive",
    "tf_model.h5": "do not start from",
    "model.onnx": "do not start from",
    "flax_model.msgpack": "do not start from",
    "video.mp4": "no file of an encoder",
    "noextension": "no file of an encoder",
}


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_a_file_that_is_not_data_of_a_model_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveUnsafe) as refused:
        unpack(tmp_path, zip_members([("config.json", b"{}"), (name, NOISE)]))
    assert repr(name) in refused.value.message
    assert REFUSED_FILES[name] in refused.value.message
    assert "Leave it out" in refused.value.message or "themselves" in refused.value.message


@pytest.mark.parametrize("name", ["pytorch_model.bin", "config.json", "model.safetensors"])
def test_a_planted_pickle_is_never_opened(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    content = pickle.dumps(Bomb(trace))
    archive = zip_members([(name, content)])
    if name.endswith(".bin"):
        with pytest.raises(ArchiveUnsafe):
            unpack(tmp_path, archive)
    else:  # bytes under a name of data are only copied
        assert (unpack(tmp_path, archive) / name).read_bytes() == content
    assert not trace.exists()
    pickle.loads(content)
    assert trace.exists()


DUPLICATES = {
    "same": ("config.json", "config.json"),
    "case": ("config.json", "Config.JSON"),
    "sharp-s": ("straße.json", "STRASSE.json"),
    "composed": ("\u00e9.json", "e\u0301.json"),
    "case-of-folder": ("a/config.json", "A/config.json"),
}


@pytest.mark.parametrize("kind", DUPLICATES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_names_of_one_file_are_refused(tmp_path: Path, kind: str) -> None:
    first, second = DUPLICATES[kind]
    archive = zip_members([(first, b"{}"), (second, b'{"a": 1}')])
    with pytest.raises(ArchiveUnsafe, match="two entries"):
        unpack(tmp_path, archive)


@pytest.mark.parametrize("names", [("a.json", "a.json/b.json"), ("a.json/b.json", "A.json")])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(ArchiveUnsafe, match="as a file and as a folder"):
        unpack(tmp_path, zip_members([(name, b"{}") for name in names]))


@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
def test_an_encrypted_file_is_refused(tmp_path: Path, flag: int) -> None:
    with pytest.raises(ArchiveMalformed, match=r"encrypted. Pack it without a password"):
        unpack(tmp_path, set_flag(zip_members([("config.json", b"{}")]), flag))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_rare_compression_is_refused(tmp_path: Path, compression: int) -> None:
    with pytest.raises(ArchiveMalformed, match="rare method"):
        unpack(tmp_path, zip_members([("config.json", NOISE)], compression))


class TestSizes:
    def test_announced_bytes_beyond_the_limit_are_refused_before_unpacking(
        self, tmp_path: Path
    ) -> None:
        archive = zip_members([("a.json", bytes(600_000)), ("b.json", bytes(600_000))])
        with pytest.raises(ArchiveTooLarge, match="unpacks to 1,200,000 bytes"):
            unpack(tmp_path, archive)
        assert list_files(tmp_path) == {"archive.zip"}

    def test_a_bomb_within_the_limit_is_refused_by_its_ratio(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(entries, "RATIO_FREE_BYTES", 100_000)
        archive = zip_members([("model.safetensors", bytes(900_000))])
        with pytest.raises(ArchiveTooLarge, match="more than 20 times its size"):
            unpack(tmp_path, archive)

    @pytest.mark.parametrize("announced", [10, 2999, 3001, 900_000])
    def test_a_file_of_another_size_than_announced_is_refused(
        self, tmp_path: Path, announced: int
    ) -> None:
        archive = announce_size(zip_members([("config.json", NOISE)]), announced)
        with pytest.raises(ArchiveMalformed, match=r"'config\.json' in the archive is damaged"):
            unpack(tmp_path, archive)
        assert (tmp_path / "inner" / "model" / "config.json").stat().st_size <= 3000

    def test_a_hundred_thousand_entries_are_refused_by_their_number(self, tmp_path: Path) -> None:
        archive = zip_members([(f"{index}.json", b"") for index in range(100_000)])
        with pytest.raises(ArchiveTooLarge, match=r"100,000 entries, but at most 500"):
            unpack(tmp_path, archive)

    def test_a_full_disk_is_the_services_fault(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unpacking, "_SPARE_BYTES", 2**62)
        with pytest.raises(ServiceUnavailable, match="MB of disk space"):
            unpack(tmp_path, zip_members([("config.json", b"{}")]))


class TestDamage:
    ARCHIVE = zip_members([("config.json", b"{}"), ("model.safetensors", NOISE)])

    @pytest.mark.parametrize("kept", [5, 30, 100, 400, 0.5, 0.9, -1, -22])
    def test_a_truncated_archive_is_refused(self, tmp_path: Path, kept: float) -> None:
        size = len(self.ARCHIVE)
        end = int(kept * size) if isinstance(kept, float) else kept % size
        with pytest.raises(ArchiveMalformed, match="truncated or damaged"):
            unpack(tmp_path, self.ARCHIVE[:end])

    def test_a_wrong_checksum_is_refused(self, tmp_path: Path) -> None:
        stored = zip_members([("model.safetensors", NOISE)], zipfile.ZIP_STORED)
        middle = stored.find(NOISE) + 1000
        changed = stored[:middle] + bytes([stored[middle] ^ 1]) + stored[middle + 1 :]
        with pytest.raises(
            ArchiveMalformed, match=r"'model\.safetensors' in the archive is damaged"
        ):
            unpack(tmp_path, changed)

    @pytest.mark.parametrize("step", range(3))
    def test_a_changed_byte_never_raises_anything_else(self, tmp_path: Path, step: int) -> None:
        for position in range(step, len(self.ARCHIVE), 17):
            changed = bytearray(self.ARCHIVE)
            changed[position] ^= 1 << (position % 8)
            folder = tmp_path / str(position)
            folder.mkdir()
            with suppress(UnusableArchive, UnsupportedMediaType):
                unpack(folder, bytes(changed))
            assert list_files(folder) <= {
                "archive.zip",
                *(f"inner/model/{name}" for name in list_files(folder / "inner" / "model")),
            }

    @pytest.mark.parametrize(
        "content", [b"", b"PK", b"\x80\x04", b"text,label\na,b\n", b"\x1f\x8b"]
    )
    def test_other_bytes_are_no_archive(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(UnsupportedMediaType, match="uploaded as a zip file"):
            unpack(tmp_path, content)

    def test_an_archive_without_files_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ServiceError, match="has no files"):
            unpack(tmp_path, zip_members([("model/", b"")]))


def test_overlapping_entries_do_not_multiply_the_archive(tmp_path: Path) -> None:
    """Two entries of the list that share the bytes of one file."""
    archive = zip_members([("a.json", NOISE)], zipfile.ZIP_STORED)
    start = archive.find(b"PK\x01\x02")
    end = archive.find(b"PK\x05\x06")
    entry = archive[start:end]
    trailer = bytearray(archive[end:])
    count, size = 2, 2 * len(entry)
    trailer[8:10] = trailer[10:12] = count.to_bytes(2, "little")
    trailer[12:16] = size.to_bytes(4, "little")
    doubled = archive[:start] + entry + entry.replace(b"a.json", b"b.json") + bytes(trailer)
    with pytest.raises(ArchiveMalformed):
        unpack(tmp_path, doubled)


def test_files_are_unpacked_without_the_folder_around_them_and_without_junk(
    tmp_path: Path,
) -> None:
    archive = zip_members(
        [
            ("my-model/", b""),
            ("my-model/config.json", b"{}"),
            ("my-model/1_Pooling/config.json", b'{"a": 1}'),
            ("my-model/model.safetensors", NOISE),
            ("my-model/.DS_Store", b"x"),
            ("__MACOSX/my-model/._config.json", b"x"),
        ]
    )
    folder = unpack(tmp_path, archive)
    assert list_files(folder) == {"config.json", "1_Pooling/config.json", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == NOISE
    assert not any(path.stat().st_mode & 0o111 for path in folder.rglob("*.*") if path.is_file())
