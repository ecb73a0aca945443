"""Inference against peers and against a bound: ratios of medians from one run, on this machine.

    python benchmarks/inference.py SHARED [--case cifar10|lite0|resnet50] [--images N] [--rounds 3]

SHARED holds cifar10/ (the test batch), imagenet/official/ (a validation tar and its kit, whose
images are repeated) and weights/. ResNet-20 has its real weights, the ImageNet networks random
ones, which cost the same. All sides run the same module on the same shards and end with Parquet;
ours also checks every shard, ranks, and keeps full scores. Peers:

* a hand-written webdataset + DataLoader loop with no worker, one, and one per core, eager and with
  the module compiled and frozen;
* Ray Data's map_batches, with one actor of all threads and with an actor per core
  (``pip install "nightmark[ray]"``; left out where it is missing).

Warm: processes, networks and programs are there. Cold: the first round, programs compiled anew.
"Started anew" is our engine process with its start, and beside it stands Ray Data with the start of
its actors, both in the first two rounds only; Ray itself is started before and not counted. Ratios
are given of medians, and of the best laps, since a loop whose layers wait for all cores suffers
from any other work on the machine far more than ours does.

The bound is 1 / (1/forward + 1/decode) with the best forward pass found and decoding at full
parallelism: on a CPU both compete for the same cores, so no pipeline can hide one behind the other.
Figures: docs/benchmarks.md.
"""

import argparse
import importlib.util
import os
import tempfile
import warnings
from pathlib import Path

import bounds
import engine_runs
from cases import DEFAULT_IMAGES, NAMES, Case, case
from peers.hand_loop import Frozen, loop
from rounds import Contestant, Rates, measured

from tasks.models.compiled import CACHE_VARIABLE
from tasks.slots.devices import Device
from tasks.slots.pool import SlotPool

CORES = len(os.sched_getaffinity(0))
Contestants = dict[str, Contestant]
WORKERS = tuple(dict.fromkeys((0, 1, CORES)))


def ours(chosen: Case, root: Path, pool: SlotPool) -> tuple[Contestants, Contestants]:
    """In a process that stays, and with its start."""
    compiled = engine_runs.inference_run(chosen, root / "compiled", compiled=True)
    eager = engine_runs.inference_run(chosen, root / "eager", compiled=False)
    # A device of its own, since the other keeps its process.
    anew = Device("cpu", 1, CORES)
    return {
        "ours, compiled": engine_runs.warm(chosen, compiled, pool),
        "ours, eager": engine_runs.warm(chosen, eager, pool),
    }, {
        "ours, compiled, started anew": engine_runs.started_anew(chosen, compiled, anew),
        "ours, eager, started anew": engine_runs.started_anew(chosen, eager, anew),
    }


def loops(chosen: Case, root: Path) -> Contestants:
    forms = {
        "eager": chosen.network(),
        "compiled": Frozen(chosen.network(), chosen.batch),
    }
    return {
        f"loop, {form}, {workers} workers": loop(
            chosen, network, workers, root / "loop.parquet", CORES
        )
        for form, network in forms.items()
        for workers in WORKERS
    }


def ray_runs(chosen: Case, root: Path) -> Contestants:
    if importlib.util.find_spec("ray") is None:
        print('  Ray Data is not installed: pip install "nightmark[ray]"')
        return {}
    from peers import ray_data  # noqa: PLC0415 (only where it is installed)

    network = chosen.network()
    return {
        f"ray data, {actors} actors": ray_data.map_batches(
            chosen, network, actors, root / "ray", max(CORES // actors, 1)
        )
        for actors in dict.fromkeys((1, CORES))
    }


def report(rates: dict[str, Rates]) -> None:
    for name, found in rates.items():
        begun = f"; {found.begun:.1f} without start-up" if found.begun != found.whole else ""
        print(
            f"  {name:30s} {found.whole:9.1f} images/s, best {found.best:9.1f}, "
            f"cold {found.cold:6.1f} s{begun}"
        )
    for words, rate in (
        ("medians", lambda found: found.begun),
        ("best laps", lambda found: found.best),
    ):
        ratios({name: rate(found) for name, found in rates.items()}, words)
    peers = [found.whole for name, found in rates.items() if name.startswith("ray data")]
    if peers:
        anew = max(rates[f"ours, {form}, started anew"].whole for form in ("eager", "compiled"))
        print(f"  ours / ray data, with start-up on both sides: {anew / max(peers):.2f}")


def ratios(rates: dict[str, float], words: str) -> None:
    """Each side with its best setting."""

    def best(start: str) -> float:
        return max(rate for name, rate in rates.items() if name.startswith(start))

    mine = {form: rates[f"ours, {form}"] for form in ("eager", "compiled")}
    peers = {"bound": 1 / (1 / rates["bound: forward"] + 1 / rates["bound: decode"])}
    peers |= {f"loop, {form}": best(f"loop, {form}") for form in ("eager", "compiled")}
    if any(name.startswith("ray data") for name in rates):
        peers["ray data without start-up"] = best("ray data")
    for name, peer in peers.items():
        print(
            f"  {words}: ours / {name} ({peer:.1f}): {max(mine.values()) / peer:.2f}, "
            f"eager {mine['eager'] / peer:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shared", type=Path)
    parser.add_argument("--case", action="append", choices=NAMES)
    parser.add_argument("--images", type=int, help=f"default: {DEFAULT_IMAGES}")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # No program of an earlier run: the first round is cold.
        os.environ[CACHE_VARIABLE] = str(scratch / "programs")
        if importlib.util.find_spec("ray") is not None:
            from peers import ray_data  # noqa: PLC0415

            print(f"ray.init: {ray_data.start(CORES, scratch / 'ray'):.1f} s")
        pool = SlotPool((Device("cpu", 0, CORES),))
        try:
            for name in options.case or NAMES:
                root = scratch / name
                root.mkdir()
                images = options.images or DEFAULT_IMAGES[name]
                chosen = case(name, options.shared, root, images, CORES)
                print(f"{name}: {chosen.images} images in {len(chosen.shards)} shards", flush=True)
                warm, anew = ours(chosen, root, pool)
                bound = {
                    "bound: forward": bounds.forward(chosen, CORES),
                    "bound: decode": bounds.decode(chosen, CORES),
                }
                report(
                    measured(
                        warm | bound | loops(chosen, root),
                        anew | ray_runs(chosen, root),
                        options.rounds,
                    )
                )
        finally:
            pool.close()


if __name__ == "__main__":
    main()
