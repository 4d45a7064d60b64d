"""``python -m tests.faults.report``: play the campaign and write docs/results/reliability.md.

It needs a base model of the tests and, for PostgreSQL, the server from the developers' packages.
"""

import argparse
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import own_postgres
from tests.encoders import build_bert_folder
from tests.faults.simulation.campaign import Campaign, Check, Outcome, Round
from tests.faults.simulation.kinds import KINDS
from tests.faults.simulation.mutations import MUTATIONS
from tests.faults.simulation.world import open_world
from tests.faults.test_mutations import find_named_fault

_COLUMNS = (Check.LOST, Check.DOUBLED, Check.DIFFERS, Check.STALE)
PAGE = Path(__file__).parents[2] / "docs" / "results" / "reliability.md"


def play_campaign(kind: str, rounds: int, seed: int) -> Outcome:
    """Play the rounds on a database of this kind."""
    with tempfile.TemporaryDirectory() as folder, _open_database(kind, Path(folder)) as url:
        build_bert_folder(Path(folder) / "models" / "tiny-bert")
        with open_world(Path(folder) / "home", url, Path(folder) / "models") as world:
            return Campaign(world, seed).play(rounds)


@contextmanager
def _open_database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        (folder / "home").mkdir()
        yield f"sqlite:///{folder / 'home' / 'test.db'}"
        return
    with own_postgres() as server:
        yield server.create_database("campaign")


def find_mutations() -> dict[str, str]:
    """Return what the named check says without each mechanism; empty if it says nothing."""
    found = {}
    for name in MUTATIONS:
        with tempfile.TemporaryDirectory() as folder:
            build_bert_folder(Path(folder) / "models" / "tiny-bert")
            (Path(folder) / "home").mkdir()
            found[name] = find_named_fault(name, Path(folder) / "home", Path(folder) / "models")
    return found


def format_page(outcomes: dict[str, Outcome], mutations: dict[str, str], seed: int) -> str:
    rows = [
        _format_row(name, kind, [r for r in outcome.rounds if _has_kind(r, kind)])
        for name, outcome in outcomes.items()
        for kind in KINDS
    ]
    totals = [_format_row(name, "**all**", outcome.rounds) for name, outcome in outcomes.items()]
    rounds = max(len(outcome.rounds) for outcome in outcomes.values())
    mutation_rows = [
        f"| {name} | {MUTATIONS[name].check} | {'red' if said else '**not noticed**'} | "
        f"{_shorten(said)} |"
        for name, said in mutations.items()
    ]
    return _PAGE.format(
        rounds=rounds,
        seed=seed,
        rows="\n".join([*rows, *totals]),
        mutations="\n".join(mutation_rows),
    )


def _has_kind(one: Round, kind: str) -> bool:
    return any(strike.kind == kind for strike in one.strikes)


def _format_row(database: str, kind: str, rounds: list[Round]) -> str:
    counts = Counter(found.check for one in rounds for found in one.violations)
    named = [counts.pop(check, 0) for check in _COLUMNS]
    refused = sum(one.stale_refused for one in rounds)
    cells = [len(rounds), *named, refused, counts.total()]
    return f"| {database} | {kind.replace('_', ' ')} | {' | '.join(map(str, cells))} |"


def _shorten(said: str) -> str:
    return said.replace("|", "/")[:60]


_PAGE = """# Reliability

Faults of every kind strike at random moments of two jobs of two owners: at any transaction,
storage operation or message of their workers, in {rounds} rounds a database (seed {seed}).
In every other round the first job has three runs of a given recipe, in the others every stage there
is: two rounds of pilots or more, a head that is fitted first, an early discard of half of its four
runs, and a distillation of the others. A round may have two faults. Afterwards the jobs must have
ended with the numbers of undisturbed ones: every point of every series, every score, decision and
file of a published model. Once garbage is
collected, every blob must have a row and every row its blobs. Every change of a state must be a
legal move, and no run may end twice.

The workers, the sweeper and the publication are the product's own code; the trainer is simulated.
`tests/faults` has the same kinds of faults against real processes.

This page is written by `python -m tests.faults.report --rounds {rounds} --seed {seed}`.

| database | fault | rounds | lost | doubled | differing | stale writes accepted | refused | other |
|---|---|---|---|---|---|---|---|---|
{rows}

*Lost* are jobs that never ended; *doubled* are points, announced endings and models that are there
twice; *differing* are numbers, decisions of a stage and files of models that differ; *other* are
needless attempts, messages that were not sent, illegal moves, orphans and unexpected errors. A
refused stale write is a worker that was
frozen beyond its lease and found its fence gone; it counts for every fault of its round.

## Mechanisms taken out

The campaign must notice when a mechanism is missing, and by the check that is meant to: an error
on the way does not count. Each is taken out in turn (`tests/faults/simulation/mutations.py`):

| mechanism | check | campaign | what it said |
|---|---|---|---|
{mutations}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # thousands of lines about faults that are meant to be
    outcomes = {
        kind: play_campaign(kind, arguments.rounds, arguments.seed)
        for kind in ("sqlite", "postgresql")
    }
    for kind, outcome in outcomes.items():
        for one in outcome.failed:
            sys.stderr.write(f"{kind}: {one}\n")
    PAGE.write_text(format_page(outcomes, find_mutations(), arguments.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
