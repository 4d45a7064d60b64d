#!/usr/bin/env bash
# Builds the images and proves the composed service: it trains over HTTP, and survives the loss of a worker in mid-training.
# Needs a Docker engine (25 or newer, with compose) and bash, nothing else. A project, passwords, a port and images of its own;
# everything but the builder's cache is gone afterwards. Exit code 0, or 1 with what went wrong and the last of the logs.
#
#   tests/compose/smoke.sh           for a CPU build of torch put its wheel into wheels/, or set TORCH_PIP_ARGS (docs/compose.md)
set -euo pipefail
cd "$(dirname "$0")/../.."

# an operator's own settings must not decide what is tested; EVENKEEL_PYTHON and TORCH_PIP_ARGS, of the build, may
for name in $(compgen -e | grep -E '^(EVENKEEL_|COMPOSE_)' | grep -vx EVENKEEL_PYTHON || true); do unset "$name"; done
random() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
POSTGRES_PASSWORD=$(random) REDIS_PASSWORD=$(random) EVENKEEL_API_KEY=$(random)
EVENKEEL_TAG=smoke-$(random | head -c 8)
COMPOSE_PROJECT_NAME=evenkeel-$EVENKEEL_TAG
EVENKEEL_PORT=0   # any free one
export POSTGRES_PASSWORD REDIS_PASSWORD EVENKEEL_API_KEY EVENKEEL_TAG COMPOSE_PROJECT_NAME EVENKEEL_PORT

compose() { docker compose --env-file /dev/null --file docker-compose.yml "$@"; }
ask() { compose exec -T api python - "$@" < tests/compose/client.py; }
say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
fail() { say "FAILED: $*"; exit 1; }

finish() {
    local code=$?
    trap - EXIT INT TERM
    if [ "$code" != 0 ]; then
        compose ps --all || true
        compose logs --tail 40 --no-color || true
    fi
    say "taking everything down, volumes and our images included"
    compose down --volumes --remove-orphans --timeout 20 >/dev/null 2>&1 || { say "FAILED: not everything went"; code=1; }
    docker image rm "evenkeel-api:$EVENKEEL_TAG" "evenkeel-worker:$EVENKEEL_TAG" >/dev/null 2>&1 || true   # may not be built yet
    if [ "$code" = 0 ]; then say "PASSED"; else say "FAILED"; code=1; fi
    exit "$code"
}

docker info >/dev/null 2>&1 || { echo "No Docker engine answers; start one, or set DOCKER_HOST." >&2; exit 1; }
trap finish EXIT
trap 'exit 1' INT TERM

say "building the images (the first time takes minutes: torch)"
compose build --quiet
docker image ls --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -F ":$EVENKEEL_TAG" | sed 's/^/    /'

say "without a key the API must refuse an address that others can reach"
refusal=$(EVENKEEL_API_KEY='' EVENKEEL_BIND=0.0.0.0 compose run --rm --no-deps -T api 2>&1) && fail "it served 0.0.0.0 without a key"
grep -F 'EVENKEEL_API_KEY' <<< "$refusal" | sed 's/^/    /' || fail "it ended without saying why: $refusal"

say "bringing the service up"
# not --wait: it takes the migration's orderly end for a failure in some versions
compose up --detach --no-build --quiet-pull 2>&1 | grep -iE 'error|unhealthy|warn' && fail "see above"
await_healthy() { # service, how many
    local end=$((SECONDS + 180))
    until [ "$(compose ps --format '{{.Health}}' "$1" | grep -cx healthy)" = "$2" ]; do
        [ "$SECONDS" -lt "$end" ] || fail "$1 is not healthy"
        sleep 1
    done
    say "$1: $2 healthy"
}
await_healthy api 1
await_healthy worker 1

address=$(compose port api 8000)
[ "${address%:*}" = 127.0.0.1 ] || fail "the API is published at $address, not on the loopback address alone"
exec 3<> "/dev/tcp/127.0.0.1/${address##*:}"
printf 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
health=$(head -n 1 <&3 | tr -d '\r')
exec 3<&- 3>&-
[ "$health" = 'HTTP/1.1 200 OK' ] || fail "GET /health from outside: $health"
others=$(compose ps --format '{{.Service}} {{.Publishers}}' | grep -v '^api ' | grep -F '127.0.0.1' || true)
[ -z "$others" ] || fail "more than the API is published: $others"
say "from outside: $address answers, and nothing else is published"
say "the key: $(ask check-key)"

say "a job of two seeds on the default encoder"
job=$(ask train)
calm=$(ask follow "$job")

say "a second worker"
compose up --detach --no-build --no-recreate --scale worker=2 worker >/dev/null 2>&1
await_healthy worker 2

say "the same job again, and its worker killed in mid-training"
job=$(ask train)
victim=$(ask trainer-of "$job")
docker kill "$victim" >/dev/null
say "killed container $victim; its run goes to the other worker when the lease has run out, after a minute at the most"
struck=$(ask follow --restarted "$job")
[ "$calm" = "$struck" ] || fail "the killed job has other weights: $struck instead of $calm"
say "the killed job's weights equal the first job's, bit for bit"

say "stopping: everybody must end by himself when told to"
compose stop >/dev/null 2>&1
for container in $(compose ps --all --quiet); do
    state=$(docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.ExitCode}}' "$container")
    [[ $state != *' 137' || $container == "$victim"* ]] || fail "had to be killed: $state"
    printf '    %s\n' "$state"
done
