"""Pagination while rows are added and deleted: every row that stays is listed exactly once,
for any page size.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db.comparisons import Comparisons
from shared.db.deliveries import Deliveries
from shared.db.events import Events, format_event_id
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.migrate import apply_migrations
from shared.db.models import Checkpoints
from shared.db.pagination import PageRequest
from shared.db.session import Database
from shared.db.tables import Checkpoint, Comparison, Event, File, Job, Model, Run, WebhookDelivery
from shared.domain import ids
from shared.domain.errors import InvalidRequest
from shared.report.comparison.schemas import StoredComparison
from tests.conftest import new_database
from tests.rows import add_job, job_values


class List(NamedTuple):
    """A list that is read by pages."""

    key: InstrumentedAttribute[Any]
    row: dict[str, object]
    """Values of a row, without the key and the columns that refer to a job."""
    page: Callable[[Session, str, PageRequest], tuple[Sequence[Any], bool]]
    """Reads a page, given a session and the id of a job."""
    prefix: str
    """Of the ids."""
    ties: tuple[str, ...] = ()
    """Columns that refer to a job: ``job_id``, ``run_id``."""


FIRST_MS = 1_750_000_000_000
OTHERS: dict[str, object] = {"owner_id": "another"}
COMPARISON = StoredComparison(metric="accuracy", split="validation", alpha=0.05, jobs=[], pairs=[])
OWN: dict[str, object] = {"owner_id": "local"}
LISTS = {
    "jobs": List(
        Job.id,
        job_values() | OTHERS,
        lambda s, _, page: Jobs(s).list_page("another", page, {}),
        ids.JOB_PREFIX,
    ),
    "files": List(
        File.id,
        OWN | dict.fromkeys(("filename", "purpose", "sha256", "status"), "x") | {"bytes": 1},
        lambda s, _, page: Files(s, "local").list_page(page, None),
        ids.FILE_PREFIX,
    ),
    "events": List(
        Event.seq,
        OWN | dict.fromkeys(("level", "type", "message"), "x"),
        lambda s, job, page: Events(s).list_page(job, page),
        "ftevent-",
        ("job_id", "run_id"),
    ),
    "checkpoints": List(
        Checkpoint.id,
        OWN | {"step": 1, "metrics": {}},
        lambda s, job, page: Checkpoints(s).list_page(job, page),
        ids.CHECKPOINT_PREFIX,
        ("job_id", "run_id"),
    ),
    "webhook deliveries": List(
        WebhookDelivery.id,
        OWN | dict.fromkeys(("type", "payload", "status"), "x"),
        lambda s, job, page: Deliveries(s).list_page(job, page),
        ids.NOTICE_PREFIX,
        ("job_id",),
    ),
    "comparisons": List(
        Comparison.id,
        OWN | {"result": COMPARISON},
        lambda s, _, page: Comparisons(s, "local").list_page(page),
        ids.COMPARISON_PREFIX,
    ),
}


class Installation(NamedTuple):
    database: Database
    ids: dict[str, str]
    """Of a job and its run."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    url = new_database(request, request.param, tmp_path_factory.mktemp("paging"))
    apply_migrations(url)
    database = Database(url)
    job = add_job(database, runs=1)
    with database.read() as session:
        run_id = session.scalars(select(Run.id).where(Run.job_id == job.id)).one()
    with database.write() as session:  # only checkpoints of kept models are listed
        kept = {"owner_id": "local", "base_model": "m", "prefix": "models/a", "labels": []}
        session.add(Model(id="ft:m:local::a", job_id=job.id, run_id=run_id, **kept))
    yield Installation(database, {"job_id": job.id, "run_id": run_id})
    database.dispose()


class Reader:
    """Turns pages, while rows are added behind and in front of it and taken away anywhere."""

    def __init__(
        self, session: Session, listed: List, ids: dict[str, str], *, descending: bool
    ) -> None:
        self._session, self._list, self._ids, self._descending = session, listed, ids, descending
        self._made = 0
        self._first_seq = session.scalar(select(func.max(Event.seq))) or 0
        self.there: set[Any] = set()
        self.told: list[Any] = []
        self.more = True

    def insert(self) -> None:
        """A row that is newer than all before it."""
        self._made += 1
        key = self.make_key(self._made)
        row = (
            self._list.row
            | {name: self._ids[name] for name in self._list.ties}
            | {self._list.key.key: key}
        )
        self._session.execute(insert(self._list.key.class_), row)
        self.there.add(key)

    def make_key(self, number: int) -> Any:
        if self._list.key is Event.seq:
            return self._first_seq + number
        return f"{self._list.prefix}{FIRST_MS + number:012x}{0:012x}"

    def delete(self, place: int) -> None:
        if self.there:
            key = sorted(self.there)[place % len(self.there)]
            self._session.execute(delete(self._list.key.class_).where(self._list.key == key))
            self.there.remove(key)

    def turn(self, limit: int) -> None:
        page = PageRequest(self.get_cursor(), limit, self._descending)
        rows, self.more = self._list.page(self._session, self._ids["job_id"], page)
        keys = [getattr(row, self._list.key.key) for row in rows]
        ahead = sorted(filter(self._is_ahead, self.there), reverse=self._descending)
        assert keys == ahead[:limit]
        assert self.more == (len(ahead) > limit)
        self.told += keys

    def get_cursor(self) -> str | None:
        if not self.told:
            return None
        return format_event_id(self.told[-1]) if self._list.key is Event.seq else str(self.told[-1])

    def _is_ahead(self, key: Any) -> bool:
        return not self.told or bool(
            key < self.told[-1] if self._descending else key > self.told[-1]
        )


TURN, ADD, REMOVE = "turn", "add", "remove"
actions = st.lists(
    st.tuples(st.just(TURN), st.integers(1, 6))
    | st.tuples(st.sampled_from([ADD, REMOVE]), st.integers(0, 40)),
    max_size=25,
)


def read_all_pages(
    installation: Installation,
    listed: List,
    rows: int,
    steps: list[tuple[str, int]],
    *,
    descending: bool,
) -> None:
    with installation.database.read() as session:  # nothing of it is kept
        reader = Reader(session, listed, installation.ids, descending=descending)
        for _ in range(rows):
            reader.insert()
        throughout = set(reader.there)
        for step, number in steps:
            if step == TURN:
                reader.turn(number)
            elif step == ADD:
                reader.insert()
            else:
                reader.delete(number)
            throughout &= reader.there
        while reader.more:
            reader.turn(7)
    assert len(set(reader.told)) == len(reader.told)
    assert all((one > next_) == descending for one, next_ in pairwise(reader.told))
    assert throughout <= set(reader.told)


@pytest.mark.parametrize("name", LISTS)
@settings(deadline=None, max_examples=12)
@given(rows=st.integers(0, 15), steps=actions, descending=st.booleans())
def test_nothing_is_missed_or_told_twice(
    installation: Installation, name: str, rows: int, steps: list[tuple[str, int]], descending: bool
) -> None:
    read_all_pages(installation, LISTS[name], rows, steps, descending=descending)


@pytest.mark.long
@pytest.mark.parametrize("name", LISTS)
@settings(deadline=None, max_examples=150)
@given(rows=st.integers(0, 40), steps=actions, descending=st.booleans())
def test_nothing_is_missed_or_told_twice_at_length(
    installation: Installation, name: str, rows: int, steps: list[tuple[str, int]], descending: bool
) -> None:
    read_all_pages(installation, LISTS[name], rows, steps, descending=descending)


def test_the_cursor_of_a_deleted_row_is_a_place_in_the_order(installation: Installation) -> None:
    with installation.database.read() as session:
        for listed in LISTS.values():
            reader = Reader(session, listed, installation.ids, descending=True)
            for _ in range(5):
                reader.insert()
            reader.turn(2)
            reader.delete(3)  # the last one that was listed
            reader.turn(1)
            assert reader.told[-1] == reader.make_key(3)


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_that_cannot_be_from_the_list_is_refused(
    installation: Installation, name: str
) -> None:
    listed = LISTS[name]
    others = [other.prefix for other in LISTS.values() if other.prefix != listed.prefix]
    now = ids.make_id("")
    with installation.database.read() as session:
        reader = Reader(session, listed, installation.ids, descending=True)
        reader.insert()
        for cursor in (
            "nope",
            "",
            now,
            listed.prefix,
            f"{listed.prefix}nope",
            f"{listed.prefix}{now}0",
            f"{listed.prefix}{0:024x}",
            f"{listed.prefix}{'f' * 24}",
            f"{listed.prefix}{now.upper()}x",
            *(prefix + now for prefix in others),
        ):
            for descending in (True, False):
                with pytest.raises(InvalidRequest) as refused:
                    listed.page(
                        session, installation.ids["job_id"], PageRequest(cursor, 2, descending)
                    )
                assert refused.value.param == "after"


@pytest.mark.parametrize("name", [name for name, listed in LISTS.items() if listed.ties])
def test_a_cursor_of_another_job_is_refused(installation: Installation, name: str) -> None:
    listed = LISTS[name]
    other = add_job(installation.database, runs=1)
    with installation.database.read() as session:
        reader = Reader(session, listed, installation.ids, descending=True)
        reader.insert()
        reader.turn(1)
        page = PageRequest(reader.get_cursor(), 2)
        assert listed.page(session, installation.ids["job_id"], page) == ([], False)
        with pytest.raises(InvalidRequest):
            listed.page(session, other.id, page)
