"""A checkpoint in a bucket, on the hub, in a registry: evaluated, replaced, noticed, and away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import remote_weights
from tests.support.remote_weights import Place
from tests.system.conftest import Start

PLAN = Path(__file__).parents[1] / "plans/small.yaml"
WEIGHTS = Path(__file__).parents[2] / "conf/weights"
LOCAL = "../../conf/weights/cifar10_resnet8_v2.safetensors"
UNUSABLE = 2


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[Place]:
    if kind == "s3":
        with remote_weights.s3() as place:
            yield place
    elif kind == "hub":
        with remote_weights.hub() as place:
            yield place
    else:
        with remote_weights.mlflow(folder) as place:
            yield place


def put(place: Place, version: str) -> None:
    place.put((WEIGHTS / f"cifar10_resnet8_{version}.safetensors").read_bytes())


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("s3", "ETag ", "ETag "),
        ("hub", "commit ", "commit "),
        ("mlflow", "version 1", "version 2"),
    ],
)
def test_from_the_first_night_to_the_next_version(
    tmp_path: Path, start: Start, kind: str, first: str, second: str
) -> None:
    with place_of(kind, tmp_path) as place:
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN.read_text().replace(LOCAL, place.address))

        def ran(*words: object, away: bool = False) -> tuple[int, str]:
            environment = place.away if away else place.environment
            running = start(*words, **environment)
            printed, _ = running.communicate(timeout=240)
            return running.returncode, " ".join(printed.split())

        put(place, "v1")
        code, printed = ran("night", plan)
        assert code in (0, 1, 4), printed

        put(place, "v2")
        code, printed = ran("watch-models", plan)
        assert code == 0, printed
        assert "resnet8 changed from " in printed
        code, printed = ran("reprocess", plan, "--model", "resnet8")
        assert code == 0, printed

        nights = sorted((tmp_path / "root/nights").glob("*/night.json"))
        (old,), (new,) = (json.loads(night.read_text())["outcomes"] for night in nights)
        assert old["weights"].startswith(f"{place.address} at {first}")
        assert new["weights"].startswith(f"{place.address} at {second}")
        assert new["weights"] != old["weights"]
        assert new["comparison"]["evaluation"] == old["evaluation"]
        assert len(list((tmp_path / "root/weights/resnet8").glob("*/fetched.json"))) == 2

        code, printed = ran("night", plan, away=True)
        assert code == UNUSABLE, printed
        assert f"model resnet8: weights {place.address} cannot be had (" in printed
        assert "or give `weights` as a local path" in printed
