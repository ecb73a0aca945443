"""What may move a number, settled once per evaluation, before anything is computed."""

import pyarrow.compute as pc
from prefect import get_run_logger

from conf.runtime import RuntimePlan
from shards.errors import InputError
from shards.reader import ShardedSplit
from tasks.models.compiled import has_compiler
from tasks.models.spec import IMPORTED, DecoderName, Numerics, Preprocessing, ResolvedModel
from tasks.slots.devices import Device

AUTO_COMPILE_PIXELS = 500_000_000
"""Pixels that go into a network, from which on compiling pays on a CPU: 10,000 of 224 x 224.

There a small network (EfficientNet-Lite0) takes minutes, of which compiling saves a quarter or
more, and costs half a minute (docs/engine.md). CIFAR-10 and its like stay far below."""

SEALED = (IMPORTED, "torchscript", "export", "onnx")
"""Loaders that give no eager torch network, so that there is nothing to compile."""


def numerics_for(
    runtime: RuntimePlan, model: ResolvedModel, split: ShardedSplit, device: Device
) -> Numerics:
    """From the plan, the whole split and the kind of device, and nothing that changes while a run
    goes on: a run that is resumed has the numerics with which it began.

    Raises:
        InputError: the plan wants the network compiled, and there is no C++ compiler; or a decoder
            that such a device has not.
    """
    return Numerics(
        precision=runtime.precision,
        decoder=decoder_for(runtime, device),
        device_type=device.kind,
        compile=model.spec.kind not in SEALED and _compiles(runtime, model, split, device),
    )


def decoder_for(runtime: RuntimePlan, device: Device) -> DecoderName:
    """The plan's decoder. Raises InputError if devices of this kind cannot have it."""
    if runtime.decoder == "nvjpeg" and device.kind != "cuda":
        raise InputError(
            f"runtime.decoder: nvjpeg decodes on a CUDA device, and {device} is none; choose "
            f"torchvision or pil"
        )
    return runtime.decoder


def _compiles(
    runtime: RuntimePlan, model: ResolvedModel, split: ShardedSplit, device: Device
) -> bool:
    if runtime.compile == "off" or (runtime.compile == "auto" and device.kind != "cpu"):
        return False
    pixels = input_pixels(model.preprocessing, split)
    if runtime.compile == "auto" and pixels < AUTO_COMPILE_PIXELS:
        return False
    if has_compiler():
        return True
    if runtime.compile == "on":
        raise InputError(
            "runtime.compile: on, but there is no C++ compiler (g++, or what CXX names) on this "
            "machine; install one, or set auto or off"
        )
    get_run_logger().warning(
        "runtime.compile: auto would compile the network for these images, but there is no C++ "
        "compiler (g++, or what CXX names) on this machine: off"
    )
    return False


def input_pixels(preprocessing: Preprocessing, split: ShardedSplit) -> int:
    """Pixels of all images of the split, as the network gets them."""
    sides = preprocessing.crop or preprocessing.resize
    if sides is None:
        area = pc.sum(pc.multiply(split.samples["width"].cast("int64"), split.samples["height"]))
        return int(area.as_py() or 0)
    height, width = (sides, sides) if isinstance(sides, int) else sides
    return height * width * split.manifest.samples
