# A GPU worker (or a driver) with everything attnbench needs; the devel image has nvcc for kernels
# that are built on first use.
#   docker build -f docker/worker.Dockerfile -t attnbench-worker:0.1.0 .
#   docker run --gpus all --shm-size=8g -v "$PWD/results:/home/bench/results" attnbench-worker:0.1.0 \
#     attnbench run experiment=quickstart
FROM nvidia/cuda:13.0.0-devel-ubuntu24.04

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
       g++ git make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Not root: kernels are code, and a benchmark needs no rights. uid 1000 is the base image's own user.
RUN useradd --create-home --uid 1001 bench
USER 1001
WORKDIR /home/bench

RUN python3 -m venv .venv
# Ray asks for the cluster's token (RAY_AUTH_TOKEN), which no image holds.
ENV PATH=/home/bench/.venv/bin:$PATH RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token

# The dependencies first: they change less often than the sources.
COPY --chown=1001 pyproject.toml constraints.txt README.md LICENSE src/
RUN pip install --no-cache-dir -c src/constraints.txt torch 'ray[default]' hydra-core sqlalchemy \
    pandas altair
COPY --chown=1001 harness src/harness
COPY --chown=1001 dashboards src/dashboards
COPY --chown=1001 conf src/conf
COPY --chown=1001 kernels src/kernels
RUN pip install --no-cache-dir -c src/constraints.txt './src[postgres,jobs,hf]'

CMD ["attnbench", "doctor"]
