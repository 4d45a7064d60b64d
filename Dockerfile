# Two images from one file: `api` (no torch) and `worker` (with it). Needs BuildKit, the builder of Docker since 23.
#
#   docker build --target api    -t evenkeel-api .
#   docker build --target worker -t evenkeel-worker .
#
# torch: the package index's wheel for Linux brings CUDA (several GB). For a CPU machine put a CPU wheel into wheels/, or name
# an index that has it: --build-arg TORCH_PIP_ARGS="--index-url <index of CPU wheels>". See docs/compose.md.

# Any CPython from 3.11 that every pinned wheel exists for. A wheel in wheels/ is for one of them (cp311, cp312, ...);
# with one for 3.12 at hand, --build-arg PYTHON=3.12 works just as well.
ARG PYTHON=3.11


FROM python:${PYTHON}-slim AS tini
RUN apt-get update && apt-get install --yes --no-install-recommends tini


FROM python:${PYTHON}-slim AS base

# as process 1 it passes TERM on from the first moment and reaps what a killed process leaves behind
COPY --from=tini /usr/bin/tini /usr/bin/tini

# a fixed uid: the volume that API and worker share, and a folder of the host put in its place, belong to one known number
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin evenkeel \
    && install --directory --owner=evenkeel --group=evenkeel --mode=0750 /data /var/cache/evenkeel

# PYTHONSAFEPATH: the folder a process happens to run in must not be able to replace our packages api, worker, shared and cli
ENV PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    EVENKEEL_HOME=/data \
    EVENKEEL_CACHE_DIR=/var/cache/evenkeel

# the dependencies alone, so that a change of the code installs none of them again
RUN --mount=type=bind,source=pyproject.toml,target=/build/pyproject.toml \
    --mount=type=bind,source=constraints.txt,target=/build/constraints.txt \
    --mount=type=cache,target=/root/.cache/pip \
    python -c "import tomllib; print(*tomllib.load(open('/build/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > /tmp/requirements.txt \
    && pip install --constraint /build/constraints.txt --requirement /tmp/requirements.txt \
    && rm /tmp/requirements.txt

WORKDIR /data
STOPSIGNAL SIGTERM


FROM base AS wheel
COPY pyproject.toml README.md /build/
COPY api /build/api
COPY cli /build/cli
COPY shared /build/shared
COPY worker /build/worker
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /dist /build


FROM base AS api
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist pip install --no-deps --no-index /dist/*.whl
# each package name is ours alone, and there is no torch
RUN python -c "import importlib.metadata as m, importlib.util as u; owners = m.packages_distributions(); \
assert all(owners[name] == ['evenkeel'] for name in ('api', 'cli', 'shared', 'worker')), owners; \
assert not [name for name in ('torch', 'transformers') if u.find_spec(name)]"
USER evenkeel
VOLUME /data
ENV EVENKEEL_HOST=0.0.0.0 \
    EVENKEEL_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['EVENKEEL_PORT'] + '/health', timeout=4)"]
ENTRYPOINT ["tini", "--", "evenkeel"]
CMD ["api"]


FROM base AS worker
# torch in a layer of its own, which only another constraints.txt, wheel or argument makes anew. A wheel `2.13.0+cpu`
# satisfies `torch==2.13.0` and is preferred to the index's plain 2.13.0.
ARG TORCH_PIP_ARGS=""
RUN --mount=type=bind,source=wheels,target=/wheels \
    --mount=type=bind,source=constraints.txt,target=/build/constraints.txt \
    --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint /build/constraints.txt --find-links /wheels ${TORCH_PIP_ARGS} torch \
    && python -c "import torch; print('torch', torch.__version__, 'CUDA', torch.version.cuda)"
RUN --mount=type=bind,source=wheels,target=/wheels \
    --mount=type=bind,source=pyproject.toml,target=/build/pyproject.toml \
    --mount=type=bind,source=constraints.txt,target=/build/constraints.txt \
    --mount=type=cache,target=/root/.cache/pip \
    python -c "import tomllib; print(*tomllib.load(open('/build/pyproject.toml', 'rb'))['project']['optional-dependencies']['worker'], sep='\n')" \
        > /tmp/requirements.txt \
    && pip install --constraint /build/constraints.txt --find-links /wheels --requirement /tmp/requirements.txt \
    && rm /tmp/requirements.txt
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist pip install --no-deps --no-index /dist/*.whl
RUN python -c "import importlib.metadata as m; owners = m.packages_distributions(); \
assert all(owners[name] == ['evenkeel'] for name in ('api', 'cli', 'shared', 'worker')), owners; \
import worker.trainer"
USER evenkeel
VOLUME /data
HEALTHCHECK --interval=30s --timeout=20s --start-period=90s --start-interval=3s --retries=3 \
    CMD ["python", "-m", "worker.maintenance.health"]
ENTRYPOINT ["tini", "--", "evenkeel"]
CMD ["worker"]
