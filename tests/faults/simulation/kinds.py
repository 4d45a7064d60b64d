"""The kinds of faults of the simulation, by name. Each strikes at one moment of a worker."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import NoReturn

from sqlalchemy.exc import OperationalError

from shared.infra.storage_errors import StorageFull, StorageUnavailable
from tests.faults.simulation.points import EVERYWHERE, Killed, Place
from tests.faults.simulation.world import World

Fault = Callable[[World], None]


def kill_worker(_world: World) -> NoReturn:
    """End the worker, or the sweeper, with all it has not stored."""
    raise Killed


def freeze_worker(world: World) -> None:
    """Freeze the worker beyond its lease; others take its work over, then it goes on."""
    world.let_others_take_over()


def freeze_worker_and_kill_the_next(world: World) -> None:
    """Freeze the worker beyond its lease, and let it go on while another's lease lasts."""
    world.points.arm(12, partial(kill_worker, world))
    world.let_others_take_over()


def freeze_worker_briefly(world: World) -> None:
    """Let the lease expire and be taken back, with nobody to train the run before it goes on."""
    world.let_time_pass()
    messages = list(world.queue.messages)
    world.sweep_once()
    world.queue.messages.clear()
    world.queue.messages.extend(messages)


def kill_trainer(world: World) -> None:
    world.trainer.dies_next = True


def lose_messages(world: World) -> None:
    world.queue.messages.clear()


def double_messages(world: World) -> None:
    """Wake another worker for every run, three times, while this one is at work."""
    world.queue.messages.extend(world.list_wake_messages() * 3)
    world.let_another_worker_work()


def lose_database_answer(_world: World) -> NoReturn:
    """Fail a statement, or lose the answer to a commit that took effect."""
    raise OperationalError("COMMIT", {}, sqlite3.OperationalError("the answer was lost"))


def refuse_storage(_world: World) -> NoReturn:
    raise StorageUnavailable("The storage does not respond.")


def fill_disk(_world: World) -> NoReturn:
    raise StorageFull("The disk of the storage is full.")


def delete_cache(world: World) -> None:
    world.delete_cache()


def sweep_garbage(world: World) -> None:
    """Collect garbage in mid-work, when a run has taken hours and a publication has not."""
    world.sweep_garbage(timedelta(hours=2))


def unmount_storage(world: World) -> None:
    """Take the storage's folder away for a while."""
    world.take_storage_away(moments=12)


KINDS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        *(kill_worker, freeze_worker, freeze_worker_and_kill_the_next),
        *(freeze_worker_briefly, kill_trainer),
        *(lose_messages, double_messages, lose_database_answer),
        *(refuse_storage, fill_disk, delete_cache, sweep_garbage, unmount_storage),
    )
}
HARMLESS_KINDS = frozenset({"double_messages", "lose_messages"})
"""Kinds after which every run still needs one attempt."""
_PLACES: dict[str, Place] = {
    "lose_database_answer": Place.DATABASE,
    "refuse_storage": Place.STORAGE,
    "fill_disk": Place.STORAGE,
}
"""Kinds that can strike in one place only."""


def list_places(kind: str) -> frozenset[Place]:
    """Return where a fault of this kind can strike."""
    return frozenset({_PLACES[kind]}) if kind in _PLACES else EVERYWHERE
