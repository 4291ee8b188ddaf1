"""An estimate as Dask tasks: each shard a task on a worker, joined here.

    pip install distributed
    python examples/estimate_dask.py worker-power-off --free --runs 2000
    python examples/estimate_dask.py --scheduler tcp://scheduler:8786 --shards 64 mine.yaml --runs 1000000

Everything that is not for this script goes to `healsim estimate`. Without --scheduler it begins a local cluster
of two processes. The workers need the binary (HEALSIM, or `healsim` on the PATH) and the scenario's file.
A worker that dies takes nothing with it: Dask gives its shards to another.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from distributed import Client, LocalCluster

HEALSIM = os.environ.get("HEALSIM", "healsim")


def play(number, of, words):
    """One shard's document."""
    command = [HEALSIM, "estimate", *words, "--jobs", "1", "--shard", f"{number}/{of}", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def join(documents):
    """Prints the whole; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, document in enumerate(documents, start=1):
            files.append(Path(folder) / f"shard-{number}.json")
            files[-1].write_text(document)
        return subprocess.run([HEALSIM, "merge", *map(str, files)]).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scheduler", help="of an existing cluster; without it a local one")
    parser.add_argument("--shards", type=int, default=4)
    ours, words = parser.parse_known_args()
    if ours.scheduler:
        cluster = ours.scheduler
    else:
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with Client(cluster) as client:
        numbers = range(1, ours.shards + 1)
        tasks = client.map(play, numbers, of=ours.shards, words=words, pure=False)
        documents = client.gather(tasks)
    sys.exit(join(documents))


if __name__ == "__main__":
    main()
