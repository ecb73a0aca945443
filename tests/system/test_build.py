"""Building under hard conditions: killed while it takes shards over, a full disk, a huge source."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from shards.image import encode_pngs
from shards.parts import PARTS
from shards.sources.imagenet_train import TRAIN_IMAGES
from tests.shards.made import encoded, pixels
from tests.system.conftest import Start

IMAGES = 600
PER_SHARD = 10


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan of a folder with many small images."""
    images = tmp_path / "images"
    for name, row in (("ant", 0), ("bee", 1)):
        (images / name).mkdir(parents=True)
        noise = pixels(row, IMAGES // 2 * 8, 8).reshape(-1, 8, 8, 3)
        for number, png in enumerate(encode_pngs(noise)):
            (images / name / f"{name}{number:04d}.png").write_bytes(png)
    path = tmp_path / "plan.yaml"
    path.write_text(
        "name: build\n"
        "datasets: [{name: pets, split: test, source: folder, location: images}]\n"
        f"runtime: {{samples_per_shard: {PER_SHARD}}}\n"
    )
    return path


def tars(root: Path) -> dict[str, Path]:
    """The shards below a root by name, those of the newest recipe where there are several."""
    folders = sorted(root.glob("shards/pets/test/*"), key=lambda folder: folder.stat().st_ctime_ns)
    return {path.name: path for path in folders[-1].glob("*.tar")} if folders else {}


def finished(root: Path) -> dict[str, bytes]:
    """Every file of the newest recipe."""
    (folder,) = {path.parent for path in tars(root).values()}
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_take_over_goes_on_to_the_same_bytes(
    start: Start, plan: Path, tmp_path: Path
) -> None:
    assert start("shard", plan).wait() == 0
    (plan.parent / "images/bee/zzz.png").write_bytes(encoded("PNG"))
    root = tmp_path / "root"
    before = set(root.glob("shards/pets/test/*"))

    victim = start("shard", plan)
    deadline = time.monotonic() + 120
    parts: list[Path] = []
    while len(parts) < 5 and time.monotonic() < deadline:
        assert victim.poll() is None, victim.communicate()[0]
        parts = list(root.glob(f"shards/pets/test/*/{PARTS}/*.parquet"))
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    (folder,) = set(root.glob("shards/pets/test/*")) - before
    taken = [path for path in folder.glob("*.tar") if path.stat().st_nlink == 2]
    assert 5 <= len(taken) < IMAGES // PER_SHARD
    assert not (folder / "manifest.json").exists()

    again = start("shard", plan)
    printed, _ = again.communicate()
    assert again.returncode == 0, printed
    fresh = tmp_path / "fresh"
    assert start("shard", plan, NIGHTMARK_ROOT=str(fresh)).wait() == 0
    # What the killed one was just linking or writing may lie there hidden, for an hour.
    left = {name: raw for name, raw in finished(root).items() if not name.startswith(".")}
    assert left == finished(fresh)
    links = [path.stat().st_nlink for path in sorted(folder.glob("*.tar"))]
    assert all(count >= 2 for count in links[: IMAGES // PER_SHARD])
    assert links[-1] == 1


def test_a_full_disk_is_one_clear_error(
    start: Start, plan: Path, small_disk: Path, tmp_path: Path
) -> None:
    building = start("shard", plan, NIGHTMARK_ROOT=str(small_disk / "root"))
    printed, _ = building.communicate()
    assert building.returncode == 3, printed
    assert "Traceback" not in printed
    assert "cannot be written (No space left on device); what was finished before" in printed
    assert start("shard", plan).wait() == 0
    whole = tars(tmp_path / "root")
    left = tars(small_disk / "root")
    assert 0 < len(left) < len(whole)
    for name, path in left.items():
        assert path.read_bytes() == whole[name].read_bytes()
    assert not list(small_disk.rglob("manifest.json"))
    assert not list(small_disk.rglob("*.partial"))


BUILDER = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from flows.build_shards import BUILDERS
from shards.build import build_shard, finish
from shards.recipe import recipe_for
from shards.sources.imagenet_train import open_train_tar
from shards.store import Store

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

before = peak()
source, store = open_train_tar(Path(sys.argv[1])), Store.at(sys.argv[2])
recipe = recipe_for(source, "huge", "train", 1000)
with ThreadPoolExecutor(BUILDERS) as workers:
    list(workers.map(partial(build_shard, source, store, "out", recipe), range(recipe.shard_count)))
manifest = finish(source, store, "out", recipe)
print(manifest.samples, len(manifest.skipped), peak() - before)
"""


def test_a_tar_of_20_gb_is_built_in_little_memory(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every entry is read; every fiftieth is an image, so that not all of it is written again."""
    path = tmp_path / TRAIN_IMAGES
    size, per_class = 5 << 20, 100
    with path.open("wb") as file:
        for wnid in range(1440764, 1440804):
            _header(file, f"n{wnid:08d}.tar", per_class * (512 + size) + 1024)
            for number in range(per_class):
                _header(file, f"{wnid}_{number}.JPEG", size)
                jpeg = b"" if number % 50 else encoded("JPEG")
                file.write(jpeg)
                file.seek(size - len(jpeg), os.SEEK_CUR)
            file.seek(1024, os.SEEK_CUR)
        file.truncate(file.tell() + 1024)
    assert path.stat().st_size > 20e9
    if path.stat().st_blocks * 512 > 1e9:
        pytest.skip("the file system has no sparse files")
    printed = subprocess.run(
        [sys.executable, "-c", BUILDER, path, tmp_path / "root"],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    samples, skipped, megabytes = map(int, printed.split())
    assert samples + skipped == 4000
    assert samples > 0
    assert megabytes < 500  # of all workers together


def _header(file, name: str, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    file.write(member.tobuf(tarfile.GNU_FORMAT))
