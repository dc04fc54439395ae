"""``make soak``: a hundred random kills; KILLS=… and SEED=… say otherwise."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["RAY_AUTH_MODE"] = "disabled"  # before ray is imported: see tests/conftest.py
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def say(line: str) -> None:
    """To whom waits."""
    print(line, flush=True)


def main() -> int:
    """The exit code: 1 where anything was lost or doubled."""
    from tests.dispatch import fake_cluster
    from tests.dispatch.fake_worker import JOB_S
    from tests.soak.soak import Soak

    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    os.environ[JOB_S] = "0.05"
    print(f"seed {given.seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cluster = fake_cluster.started()
        nodes = [fake_cluster.add(cluster, 2) for _ in range(2)]
        soak = Soak(cluster, nodes, Path(folder), seed=given.seed, problems=100, say=say)
        try:
            soak.run(given.kills)
        except BaseException:
            print((Path(folder) / "soak.log").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            cluster.shutdown()
        faults = soak.faults()
    kills = ", ".join(f"{n} of {what}s" for what, n in sorted(soak.killed.items()))
    print(f"{soak.killed.total()} kills ({kills}) in {time.monotonic() - began:.0f} s")
    print("\n".join(faults) or "nothing lost, nothing doubled")
    return 1 if faults else 0


sys.exit(main())
