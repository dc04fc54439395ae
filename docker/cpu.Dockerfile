# Without CUDA: the head of a cluster, a driver, the dashboard, a worker that measures on its CPU.
#   docker build -f docker/cpu.Dockerfile -t attnbench-cpu:0.1.0 .
FROM python:3.12.11-slim-bookworm

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# g++ for torch.compile on a CPU
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ git \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1001 bench
USER 1001
WORKDIR /home/bench

RUN python -m venv .venv
ENV PATH=/home/bench/.venv/bin:$PATH RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=token

COPY --chown=1001 pyproject.toml constraints.txt README.md LICENSE src/
# torch's CPU builds: a few hundred megabytes in place of several thousand
RUN pip install --no-cache-dir -c src/constraints.txt torch \
    --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -c src/constraints.txt 'ray[default]' hydra-core sqlalchemy pandas \
    altair
COPY --chown=1001 harness src/harness
COPY --chown=1001 dashboards src/dashboards
COPY --chown=1001 conf src/conf
COPY --chown=1001 kernels src/kernels
RUN pip install --no-cache-dir -c src/constraints.txt './src[postgres,jobs,dashboard]'

CMD ["attnbench", "doctor"]
