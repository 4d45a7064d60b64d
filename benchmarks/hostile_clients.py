"""Attack an API process, and measure what others notice: ``python -m benchmarks.hostile_clients``.

The process runs in a temporary home on loopback, with a key. The attacks come one after the other,
and an honest client asks for ``/health`` and for a list of jobs meanwhile. First nobody attacks.
The benchmark ends by itself.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.hostile import keys, requests, sockets
from benchmarks.hostile.attack import Attack, Outcome, Scene
from benchmarks.hostile.bystander import watch_latency
from benchmarks.hostile.memory import watch_memory
from benchmarks.hostile.target import RunningApi, running_api
from benchmarks.hostile_clients_page import Measured, print_measured, write_page

LIMIT_S = 1_800
"""The whole benchmark; it takes about 5 minutes on two idle cores."""
KEY = "the-key-of-the-attacked-service"
QUIET_S = 10.0
SETTLE_S = 2.0
"""After an attack, for what it left to end."""
FILE_BYTES = 7_900_000


def main(argv: Sequence[str] | None = None) -> None:
    """Run all attacks, or those whose names contain a text, and write the page."""
    options = _parse_arguments(argv)
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(LIMIT_S)
    attacks = [
        attack
        for attack in (_NOBODY, *sockets.ATTACKS, *requests.ATTACKS, *keys.ATTACKS)
        if options.only in attack.name
    ]
    with tempfile.TemporaryDirectory(prefix="evenkeel-hostile-") as folder:
        home = Path(folder)
        with running_api(home, {"EVENKEEL_API_KEY": KEY}) as api:
            scene = _prepare(api)
            measured = [_measure(attack, scene) for attack in attacks]
    if options.dry:
        json.dump(measured, sys.stdout, indent=1, ensure_ascii=False)
    else:
        write_page("python -m benchmarks.hostile_clients", measured, note=options.note)


def _wait(_: Scene) -> Outcome:
    time.sleep(QUIET_S)
    return Outcome(text="", met=True)


_NOBODY = Attack("nobody attacks", "", _wait)


def _prepare(api: RunningApi) -> Scene:
    """Upload the files that attacks use, which also loads what the process loads at first use."""
    scene = Scene(api, KEY, "", "")
    long_row = b'"%s",good\n"%s",bad\n' % (b"word " * 1_900, b"term " * 1_900)
    contents = (requests.build_table(FILE_BYTES), [b"text,label\n", long_row * 60])
    ids = [requests.upload(scene, content).read_json()["id"] for content in contents]
    return Scene(api, KEY, *ids)


def _measure(attack: Attack, scene: Scene) -> Measured:
    begin, waited = time.monotonic(), scene.api.measure_wait()
    with (
        watch_memory(scene.api.process) as memory,
        watch_latency(scene.api.port, scene.key) as bystander,
    ):
        outcome = _attack(attack, scene)
        seconds = time.monotonic() - begin
        time.sleep(SETTLE_S)
        waited = (scene.api.measure_wait() - waited) / (time.monotonic() - begin)
    measured = Measured(
        name=attack.name,
        wanted=attack.wanted,
        outcome=outcome["text"],
        outcome_met=outcome["met"],
        seconds=round(seconds, 1),
        waited_share=round(waited, 3),
        latencies=bystander.latencies,
        memory=memory.memory,
        memory_limit_mb=attack.memory_mb,
        reader_limit_mb=attack.reader_mb,
    )
    print_measured(measured)
    return measured


def _attack(attack: Attack, scene: Scene) -> Outcome:
    """Run the attack; one whose own connections fail has not found what is wanted."""
    try:
        return attack.run(scene)
    except OSError as error:
        return Outcome(text=f"broken off by {type(error).__name__}: {error}", met=False)


def _give_up(_: int, __: FrameType | None) -> None:
    raise SystemExit(f"The attacks did not end within {LIMIT_S} s.")


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="attacks whose names contain this text")
    parser.add_argument("--note", default="", help="a sentence on the machine, for the page")
    parser.add_argument("--dry", action="store_true", help="print the figures and write no result")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
