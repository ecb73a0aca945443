import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from tasks.models.decoding import UndecodableImageError
from tasks.models.preprocess import normalise, to_input
from tasks.models.spec import Preprocessing
from tests.support.shared_data import SHARED, needs_shared

VAL = SHARED / "data/imagenet/kaggle_cls_loc/ILSVRC/Data/CLS-LOC/val"
# Upright, lying, square, and (130) greyscale, the smallest of them 97 pixels wide.
NUMBERS = (6, 14, 130, 155, 159, 187, 244, 254)
CPU = torch.device("cpu")
IMAGENET = Preprocessing(
    resize=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
DECODERS = ("pil", "torchvision")
DECODE = """
import sys
from pathlib import Path
from tasks.models.decoding import UndecodableImageError
from tasks.models.preprocess import to_input
from tasks.models.spec import Preprocessing

try:
    to_input(Path(sys.argv[1]).read_bytes(), Preprocessing(), "torchvision")
except UndecodableImageError as refused:
    assert str(refused)
"""


def photos() -> list[Path]:
    return [VAL / f"ILSVRC2012_val_{number:08d}.JPEG" for number in NUMBERS]


def reference(image: bytes, preprocessing: Preprocessing) -> torch.Tensor:
    """As torchvision's own reference evaluation does it."""
    steps: list[object] = []
    if preprocessing.resize is not None:
        mode = InterpolationMode(preprocessing.interpolation)
        size = preprocessing.resize
        steps.append(transforms.Resize(size, interpolation=mode))
    if preprocessing.crop is not None:
        steps.append(transforms.CenterCrop(preprocessing.crop))
    steps.append(transforms.ToTensor())
    steps.append(transforms.Normalize(preprocessing.mean, preprocessing.std))
    with Image.open(io.BytesIO(image)) as opened:
        return transforms.Compose(steps)(opened.convert("RGB"))


def ours(image: bytes, preprocessing: Preprocessing, decoder: str) -> torch.Tensor:
    return normalise([to_input(image, preprocessing, decoder)], preprocessing, CPU)[0]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def gradient(height: int = 40, width: int = 60) -> Image.Image:
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([rows * 6, columns * 4, (rows + columns) * 2], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


@needs_shared
@pytest.mark.parametrize(
    "preprocessing",
    [
        IMAGENET,
        IMAGENET.model_copy(update={"interpolation": "bicubic"}),
        IMAGENET.model_copy(update={"interpolation": "nearest"}),
        IMAGENET.model_copy(update={"resize": (224, 224), "crop": None}),
        # Smaller images are padded.
        IMAGENET.model_copy(update={"resize": None}),
        IMAGENET.model_copy(update={"resize": 97, "crop": 64}),
    ],
    ids=str,
)
def test_pil_equals_the_reference_bit_for_bit(preprocessing: Preprocessing) -> None:
    for path in photos():
        image = path.read_bytes()
        found = ours(image, preprocessing, "pil")
        assert torch.equal(found, reference(image, preprocessing)), path.name


@needs_shared
def test_torchvision_is_close_to_the_reference() -> None:
    for path in photos():
        image = path.read_bytes()
        found = to_input(image, IMAGENET, "torchvision").int()
        expected = to_input(image, IMAGENET, "pil").int()
        assert found.shape == expected.shape == (3, 224, 224)
        difference = (found - expected).abs()
        assert difference.float().mean() < 1, path.name
        assert difference.max() <= 24, path.name


@needs_shared
def test_a_batch_is_its_images() -> None:
    images = [path.read_bytes() for path in photos()]
    inputs = [to_input(image, IMAGENET, "pil") for image in images]
    batch = normalise(inputs, IMAGENET, CPU)
    assert batch.dtype == torch.float32
    assert batch.shape == (len(images), 3, 224, 224)
    for row, image in zip(batch, images, strict=True):
        assert torch.equal(row, reference(image, IMAGENET))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    ("image", "exact"),
    [
        (saved(gradient().convert("L"), "PNG"), True),
        (saved(gradient().convert("L"), "JPEG", quality=95), False),
        (saved(gradient().convert("P"), "PNG"), True),
        (saved(gradient().convert("RGBA"), "PNG"), True),
        (saved(gradient().convert("LA"), "PNG"), True),
        (saved(gradient().convert("1"), "PNG"), True),
        (saved(gradient().convert("CMYK"), "JPEG", quality=95), False),
    ],
    ids=["grey png", "grey jpeg", "palette", "alpha", "grey alpha", "bilevel", "cmyk jpeg"],
)
def test_every_mode_gives_three_channels(image: bytes, exact: bool, decoder: str) -> None:
    found = to_input(image, Preprocessing(), decoder)
    assert found.dtype == torch.uint8
    assert found.shape == (3, 40, 60)
    with Image.open(io.BytesIO(image)) as opened:
        expected = np.asarray(opened.convert("RGB")).transpose(2, 0, 1)
    difference = np.abs(found.numpy().astype(int) - expected)
    assert difference.max() <= (0 if exact else 8)


@pytest.mark.parametrize("decoder", DECODERS)
def test_sixteen_bits_per_channel(decoder: str) -> None:
    # ImageNet's originals have none; folders of users may.
    deep = np.linspace(0, 65535, 40 * 60).reshape(40, 60).astype(np.uint16)
    image = saved(Image.fromarray(deep), "PNG")
    found = to_input(image, Preprocessing(), decoder)
    assert found.dtype == torch.uint8
    assert found.shape == (3, 40, 60)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation_is_ignored(orientation: int, decoder: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    turned = saved(gradient(), "JPEG", quality=95, exif=exif)
    plain = saved(gradient(), "JPEG", quality=95)
    found = to_input(turned, Preprocessing(), decoder)
    assert torch.equal(found, to_input(plain, Preprocessing(), decoder))
    assert found.shape == (3, 40, 60)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\0",
        b"not an image",
        saved(gradient(), "PNG")[:80],
        saved(gradient(), "JPEG")[:200],
        saved(gradient(), "PNG")[:40],
        b"\xff\xd8\xff" + b"junk" * 20,
        b"\x89PNG\r\n\x1a\n" + b"junk" * 20,
    ],
    ids=["empty", "zero", "words", "half png", "half jpeg", "png header", "jpeg junk", "png junk"],
)
def test_what_is_no_image_is_told(image: bytes, decoder: str) -> None:
    with pytest.raises(UndecodableImageError) as refused:
        to_input(image, Preprocessing(), decoder)
    assert str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("decoder", "form"), [("pil", "PNG"), ("pil", "JPEG"), ("torchvision", "JPEG")]
)
def test_a_damaged_image_is_pixels_or_undecodable_and_nothing_else(decoder: str, form: str) -> None:
    rng = np.random.default_rng(0)
    original = saved(gradient(), form)
    reasons: set[str] = set()
    for _ in range(200):
        damaged = bytearray(original)
        for _ in range(int(rng.integers(1, 6))):
            damaged[int(rng.integers(8, len(damaged)))] = int(rng.integers(256))
        try:
            assert to_input(bytes(damaged), Preprocessing(crop=8), decoder).shape == (3, 8, 8)
        except UndecodableImageError as refused:
            reasons.add(str(refused))
    assert "" not in reasons


def test_a_damaged_png_does_not_take_the_process_down(tmp_path: Path) -> None:
    # torchvision 0.29 crashes over a PNG whose pixels are damaged (libpng: IDAT: CRC error).
    damaged = bytearray(saved(gradient(), "PNG"))
    damaged[85] = 129
    (tmp_path / "damaged.png").write_bytes(damaged)
    ended = subprocess.run(
        [sys.executable, "-c", DECODE, str(tmp_path / "damaged.png")],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert ended.returncode == 0, ended.stderr


def test_a_refusal_is_worded_the_same_in_every_run() -> None:
    # It stands in the rows of predictions, which are a pure function of shard, model and numerics.
    for decoder in DECODERS:
        with pytest.raises(UndecodableImageError) as refused:
            to_input(b"not an image", Preprocessing(), decoder)
        assert "0x" not in str(refused.value)


def test_images_of_unequal_size_need_a_crop() -> None:
    images = [torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(3, 4, 5, dtype=torch.uint8)]
    with pytest.raises(ValueError, match="differ in size after preprocessing; give `resize` and"):
        normalise(images, Preprocessing(), CPU)


@pytest.mark.parametrize(
    ("mode", "size", "preprocessing"),
    [
        ("center", (96, 96), {"resize": 109, "crop": 96}),
        ("squash", (96, 64), {"resize": (109, 73), "crop": (96, 64)}),
        ("border", (96, 96), {"resize": 109, "crop": 96, "fit": "longer"}),
    ],
)
@pytest.mark.parametrize("shape", [(200, 120), (120, 200), (150, 150), (40, 90)])
def test_the_ways_to_crop_are_timms(
    mode: str, size: tuple[int, int], preprocessing: dict[str, object], shape: tuple[int, int]
) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    words = Preprocessing.model_validate(
        {"interpolation": "bicubic", "mean": mean, "std": std, **preprocessing}
    )
    image = gradient(*shape)
    theirs = timm.data.transforms_factory.transforms_imagenet_eval(
        img_size=size, crop_pct=0.875, crop_mode=mode, interpolation="bicubic", mean=mean, std=std
    )(image)
    for decoder in DECODERS:
        found = ours(saved(image, "PNG"), words, decoder)
        assert found.shape == theirs.shape
        if decoder == "pil":
            torch.testing.assert_close(found, theirs, atol=1e-5, rtol=0)


def test_blue_first_and_other_scales() -> None:
    image = saved(gradient(), "PNG")
    plain = ours(image, Preprocessing(), "pil")
    mean, std = (10.0, 20.0, 30.0), (1.0, 2.0, 4.0)
    caffe = Preprocessing(channels="bgr", divisor=1, mean=mean, std=std)
    expected = (plain.flip(0) * 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
        3, 1, 1
    )
    for decoder in DECODERS:
        torch.testing.assert_close(ours(image, caffe, decoder), expected, atol=1e-4, rtol=0)


def test_the_longer_side_needs_one_number_and_a_crop() -> None:
    for words in ({"resize": (9, 9), "crop": 9}, {"resize": 9}, {}):
        with pytest.raises(ValueError, match="`fit: longer` needs"):
            Preprocessing.model_validate({"fit": "longer", **words})
