"""What Prefect costs: the same work by the flow's inference step and by a plain loop, in turns.

    python benchmarks/orchestration.py SHARED [--shards 5] [--rounds 5]

ResNet-56 on the 10,000 CIFAR-10 test images in shards of 1,000, about two seconds each on two quiet
cores, so that a task of five shards lasts ten. Both sides use one engine process and write the same
Parquet. On Prefect's side stands all that ``nightmark evaluate`` does around it: a flow run, a task
run for each group of shards, logs, the progress artifact, and a server in a process of its own on
the same cores. Starting that server is told apart: it is paid once per command, or never where one
runs already. Figures: docs/benchmarks.md.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from flows.cli import environment

environment.prepare()

import engine_runs  # noqa: E402 (Prefect reads its settings at import)
from cases import Case, case_of, cifar_resnet  # noqa: E402
from prefect import flow  # noqa: E402
from prefect.testing.utilities import prefect_test_harness  # noqa: E402

from conf.runtime import RuntimePlan  # noqa: E402
from flows.predict import predict  # noqa: E402
from shards.sources.cifar import CifarSource  # noqa: E402
from tasks.night import Work  # noqa: E402
from tasks.slots.devices import Device, find_devices  # noqa: E402
from tasks.slots.pool import SlotPool, slot_pool  # noqa: E402

T = TypeVar("T")


def plain(chosen: Case, root: Path, pool: SlotPool, per_task: int) -> None:
    run = engine_runs.inference_run(chosen, root, compiled=False)
    for start in range(0, len(chosen.shards), per_task):
        with pool.borrow() as slot:
            engine_runs.predict(chosen.shards[start : start + per_task], run, slot)


def orchestrated(chosen: Case, root: Path, devices: tuple[Device, ...], per_task: int) -> Work:
    run = engine_runs.inference_run(chosen, root, compiled=False)
    runtime = RuntimePlan(shards_per_task=per_task)

    @flow(name="evaluate")
    def inference() -> Work:
        work, errors = predict(chosen.split, run, devices, runtime)
        assert not errors
        return work

    return inference()


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--shards", type=int, default=5, help="in a task, of ten")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["PREFECT_HOME"] = str(scratch / "prefect")
        source = CifarSource.open(options.shared / "cifar10", "test")
        chosen = case_of(cifar_resnet(options.shared, 56), source, scratch, len(source), cores=1)
        devices = find_devices(("auto",))
        harness = prefect_test_harness(server_startup_timeout=120)
        _, starting = timed(harness.__enter__)
        try:
            with slot_pool(devices) as pool:
                compare(chosen, scratch, devices, pool, options.shards, options.rounds)
        finally:
            harness.__exit__(None, None, None)
        print(f"starting Prefect's server, once: {starting:.1f} s")


def compare(
    chosen: Case,
    scratch: Path,
    devices: tuple[Device, ...],
    pool: SlotPool,
    per_task: int,
    rounds: int,
) -> None:
    shares, idle, seconds = [], [], []
    for turn in range(rounds + 1):
        # A folder of its own each time: what is predicted is not predicted again.
        by_loop = partial(plain, chosen, scratch / f"plain{turn}", pool, per_task)
        by_flow = partial(orchestrated, chosen, scratch / f"flow{turn}", devices, per_task)
        _, alone = timed(by_loop)
        work, whole = timed(by_flow)
        print(f"round {turn}: plain {alone:.2f} s, by the flow {whole:.2f} s", flush=True)
        if turn:
            shares.append(1 - alone / whole)
            idle.append(1 - work.cost.task / whole)
            seconds.append(whole)
    tasks = -(-len(chosen.shards) // per_task)
    print(f"{tasks} tasks of {statistics.median(seconds) / tasks:.1f} s each")
    print(f"the flow took longer by {statistics.median(shares):.2%} of its time (median)")
    print(f"no task held the slot for {statistics.median(idle):.2%} of it (median)")


if __name__ == "__main__":
    main()
