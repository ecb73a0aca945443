import shutil
from dataclasses import dataclass, field
from types import SimpleNamespace

import pyarrow as pa
import pytest
from prefect.logging import disable_run_logger

from conf.runtime import RuntimePlan
from flows.numerics import AUTO_COMPILE_PIXELS, decoder_for, input_pixels, numerics_for
from shards.errors import InputError
from tasks.models.spec import Numerics, Preprocessing
from tasks.slots.devices import Device

CPU, CUDA = Device("cpu", 0, 2), Device("cuda", 0, 2)
LARGE = AUTO_COMPILE_PIXELS // 224**2 + 1


@dataclass(frozen=True)
class Split:
    """As much of a split as the numerics are settled from."""

    count: int
    samples: pa.Table = field(default_factory=lambda: pa.table({"width": [3], "height": [2]}))

    @property
    def manifest(self) -> SimpleNamespace:
        return SimpleNamespace(samples=self.count)


def settled(
    compiling: str, count: int, device: Device = CPU, *, kind: str = "timm", crop: int | None = 224
) -> Numerics:
    model = SimpleNamespace(spec=SimpleNamespace(kind=kind), preprocessing=Preprocessing(crop=crop))
    runtime = RuntimePlan(compile=compiling)  # type: ignore[arg-type]
    with disable_run_logger():
        return numerics_for(runtime, model, Split(count), device)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: name)


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.mark.parametrize(
    ("compiling", "count", "device", "kind", "expected"),
    [
        ("auto", LARGE, CPU, "timm", True),
        ("auto", LARGE - 2, CPU, "timm", False),
        ("auto", LARGE, CUDA, "timm", False),
        ("auto", LARGE, CPU, "imported", False),
        ("on", LARGE, CPU, "onnx", False),
        ("on", 1, CPU, "module", True),
        ("on", 1, CUDA, "module", True),
        ("off", LARGE, CPU, "timm", False),
    ],
)
def test_what_is_compiled(
    compiling: str, count: int, device: Device, kind: str, expected: bool
) -> None:
    found = settled(compiling, count, device, kind=kind)
    assert found.compile is expected
    assert found.device_type == device.kind


@pytest.mark.usefixtures("no_compiler")
def test_auto_without_a_compiler_is_off_and_on_is_an_error() -> None:
    assert settled("auto", LARGE).compile is False
    with pytest.raises(InputError, match=r"no C\+\+ compiler .* install one, or set auto or off"):
        settled("on", LARGE)


@pytest.mark.parametrize(
    ("preprocessing", "pixels"),
    [
        (Preprocessing(crop=4), 16 * 5),
        (Preprocessing(resize=(2, 3)), 6 * 5),
        (Preprocessing(resize=7, crop=(2, 2)), 4 * 5),
        (Preprocessing(), 3 * 2 + 4 * 10),
    ],
)
def test_pixels_as_the_network_gets_them(preprocessing: Preprocessing, pixels: int) -> None:
    sizes = pa.table(
        {"width": pa.array([3, 4], pa.int32()), "height": pa.array([2, 10], pa.int32())}
    )
    assert input_pixels(preprocessing, Split(5, sizes)) == pixels  # type: ignore[arg-type]


def test_a_decoder_of_devices_is_refused_on_a_cpu() -> None:
    runtime = RuntimePlan(decoder="nvjpeg")
    assert decoder_for(runtime, CUDA) == "nvjpeg"
    with pytest.raises(InputError, match=r"nvjpeg decodes on a CUDA device, and cpu:0 is none"):
        decoder_for(runtime, CPU)
