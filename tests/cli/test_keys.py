"""``evenkeel keys``: keys are made, listed and revoked in the database, before anything runs."""

import stat
from pathlib import Path

import pytest

from cli.data_dir import DataDir
from cli.errors import BAD_INPUT
from cli.up import ServiceOptions, _format_welcome, are_keys_required
from shared.db.api_keys import ApiKeys, has_keys
from shared.db.session import Database
from shared.domain.api_keys import hash_key
from shared.infra.settings import Settings
from tests.cli.stack import evenkeel


def get_url(home: Path) -> str:
    return f"sqlite:///{home}/evenkeel.db"


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = evenkeel("keys", "create", "web", "--home", str(home), "--expires", "90d")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert made.stdout.count("\n") == 1
    assert "Key web of owner web with scope submit, valid until 20" in made.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "evenkeel.db").stat().st_mode) == 0o600
    reader = evenkeel(
        "keys", "create", "board", "--owner", "web", "--scope", "read", EVENKEEL_HOME=str(home)
    )
    assert reader.returncode == 0, reader.stderr
    database = Database(get_url(home))
    with database.read() as session:
        [web, board] = ApiKeys(session).list_keys()
    database.dispose()
    assert (web.hash, web.owner_id, board.owner_id) == (hash_key(key), "web", "web")
    assert web.expires_at == pytest.approx(web.created_at + 90 * 86_400)
    revoked = evenkeel("keys", "revoke", board.prefix, "--home", str(home))
    assert "Key board" in revoked.stderr
    listed = evenkeel("keys", "--home", str(home)).stdout
    assert [name in listed for name in ("board", "revoked", web.prefix, key)] == [True] * 3 + [
        False
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "web"), "There is a key named web already."),
        (("create", "team"), "say that the key is for that owner: --owner team"),
        (("create", "local"), "say that the key is for that owner: --owner local"),
        (("create", "A B"), "NAME must have 1 to 64 of the characters a-z"),
        (("create", "x", "--owner", "a:b"), "--owner must have 1 to 64"),
        (("create", "x", "--expires", "soon"), "hours, days or weeks: 12h, 90d, 4w."),
        (("revoke", "nobody"), "No key that can be revoked has the name, ID or prefix 'nobody'."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    keys_home: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = evenkeel("keys", *arguments, "--home", str(keys_home))
    assert done.returncode == BAD_INPUT
    assert message in done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def keys_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("keys")
    for arguments in (("web",), ("first", "--owner", "team")):
        assert evenkeel("keys", "create", *arguments, "--home", str(home)).returncode == 0
    return home


def test_the_service_says_how_to_make_a_key_where_it_needs_one(
    keys_home: Path, tmp_path: Path
) -> None:
    assert are_keys_required(Settings(home=keys_home))
    assert not are_keys_required(Settings(home=tmp_path))
    options = ServiceOptions(keys_home, "127.0.0.1", 8000, 1, "auto")
    for needs_key in (True, False):
        lines = _format_welcome("http://a", options, DataDir(keys_home), needs_key=needs_key)
        assert (f"evenkeel keys create NAME --home {keys_home}" in str(lines)) == needs_key


def test_looking_for_keys_creates_no_database(tmp_path: Path) -> None:
    assert not has_keys(get_url(tmp_path))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "evenkeel.db").touch()
    assert not has_keys(get_url(tmp_path))


@pytest.mark.parametrize("arguments", [("keys",), ("keys", "revoke", "web"), ("doctor",)])
@pytest.mark.parametrize("exists", [False, True])
def test_reading_a_wrong_data_folder_makes_nothing_in_it(
    tmp_path: Path, arguments: tuple[str, ...], exists: bool
) -> None:
    home = tmp_path / "home"
    if exists:
        home.mkdir()
    done = evenkeel(*arguments, "--home", str(home))
    assert done.returncode == BAD_INPUT
    assert f"There is no database {home}/evenkeel.db. Name the service's data" in done.stderr
    assert list(tmp_path.rglob("*")) == ([home] if exists else [])


def test_a_beginning_revokes_a_key_if_it_fits_only_one(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    for name in ("web", "web-two", "board"):
        assert evenkeel("keys", "create", name, "--home", home).returncode == 0
    unclear = evenkeel("keys", "revoke", "we", "--home", home)
    assert unclear.returncode == BAD_INPUT
    assert "'we' fits 2 keys: web (" in unclear.stderr
    assert "Key web (" in evenkeel("keys", "revoke", "web", "--home", home).stderr  # a whole name
    assert "Key web-two (" in evenkeel("keys", "revoke", "we", "--home", home).stderr
    assert evenkeel("keys", "revoke", "", "--home", home).returncode == BAD_INPUT
