"""Attacks on keys: guesses, and a service that strangers reach with a key of blanks."""

import os
import subprocess
import time
from collections import Counter

from benchmarks.hostile.attack import Attack, Outcome, Scene
from benchmarks.hostile.target import Response
from shared.infra.child_process import build_module_command, build_module_environment

GUESSES, GUESSING_S = 1_500, 20.0
GUESSER = "127.0.0.9"
GUESS = "ek_0000ff_" + "0" * 60
START_LIMIT_S = 60.0


def guess_keys(scene: Scene) -> Outcome:
    def ask(key: str, source: str = GUESSER) -> Response:
        headers = {"authorization": f"Bearer {key}"}
        return scene.api.request("GET", "/v1/files", headers=headers, source=source)

    begin = time.monotonic()
    statuses = Counter[int]()
    for number in range(GUESSES):
        time.sleep(max(0.0, begin + number * GUESSING_S / GUESSES - time.monotonic()))
        statuses[ask(f"{GUESS}{number:04x}").status] += 1
    log = scene.api.log_path.read_text(encoding="utf-8")
    is_logged = GUESSER in log and GUESS not in log
    is_refused = ask(scene.key).status == 429
    is_other_served = ask(scene.key, "127.0.0.1").status == 200
    return Outcome(
        text=f"{statuses[401]} × 401, then {statuses[429]} × 429; log with the address, without "
        f"the guess: {_say(is_logged)}; another address is served: {_say(is_other_served)}",
        met=statuses[401] <= 10 and is_logged and is_refused and is_other_served,
    )


def start_with_blank_key(scene: Scene) -> Outcome:
    home = scene.api.log_path.parent / "blank"
    home.mkdir(mode=0o700)
    environment = {
        **os.environ,
        **build_module_environment(),
        "EVENKEEL_HOME": str(home),
        "EVENKEEL_API_KEY": " ",
    }
    started = subprocess.run(
        build_module_command("cli", "api", "--host", "0.0.0.0", "--port", "0"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )
    sentence = (started.stderr.strip() or started.stdout.strip()).splitlines()[-1:]
    return Outcome(
        text=f"exit code {started.returncode}: {' '.join(sentence)}",
        met=started.returncode != 0 and "Traceback" not in started.stderr,
    )


def _say(value: bool) -> str:
    return "yes" if value else "no"


ATTACKS = (
    Attack('`evenkeel api --host 0.0.0.0` with the key " "', "refused", start_with_blank_key),
    Attack(f"{GUESSES:,} key guesses in 20 s", "throttled per address, logged", guess_keys),
)
