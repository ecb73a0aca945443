"""Train the demo's two CIFAR-10 checkpoints: an early and a late epoch of one run.

    python tests/support/train_cifar_resnet8.py TRAIN.parquet TEST.parquet conf/weights

TRAIN.parquet and TEST.parquet are in the Hugging Face layout (``img`` struct<bytes, path>,
``label`` int64). The run is seeded; batches are shuffled, shifted by up to 4 pixels and mirrored.

The committed checkpoints were trained so on 50,000 training images stored as JPEG (quality 75); of
10,000 test images that had passed through JPEG too, v1 (epoch 4) has 55.5 % right and v2 (epoch 24)
81.2 %, as ``nightmark night`` counts them.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from tasks.models.cifar_resnet import cifar_resnet

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
EPOCHS, EARLY_EPOCH, BATCH, PEAK_RATE = 24, 4, 256, 0.4


def load(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images [n, 3, 32, 32] and labels [n]."""
    table = pq.read_table(path)
    images = np.stack(
        [
            np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB"))
            for row in table["img"].to_pylist()
        ]
    )
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return (pixels - MEAN) / STD, torch.tensor(table["label"].to_pylist())


def augment(images: torch.Tensor) -> torch.Tensor:
    """Mirror half of the batch, then crop all of it at one random shift of up to 4 pixels."""
    mirrored = torch.rand(len(images)) < 0.5
    images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    padded = functional.pad(images, (4, 4, 4, 4))
    row, column = torch.randint(0, 9, (2,)).tolist()
    return padded[:, :, row : row + 32, column : column + 32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("target", type=Path)
    paths = parser.parse_args()
    torch.manual_seed(0)
    images, labels = load(paths.train)
    test_images, test_labels = load(paths.test)
    model = cifar_resnet(depth=8).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        started = time.perf_counter()
        order = torch.randperm(len(images))
        for batch in order.split(BATCH)[: len(images) // BATCH]:
            scores = model(augment(images[batch]).contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(scores, labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            hits = sum(
                int((model(part).argmax(1) == truth).sum())
                for part, truth in zip(test_images.split(500), test_labels.split(500), strict=True)
            )
        seconds = time.perf_counter() - started
        print(
            f"epoch {epoch}: {hits}/{len(test_labels)} right, {seconds:.0f} s",
            flush=True,
        )
        if epoch in (EARLY_EPOCH, EPOCHS):
            version = "v1" if epoch == EARLY_EPOCH else "v2"
            paths.target.mkdir(parents=True, exist_ok=True)
            state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
            save_file(state, paths.target / f"cifar10_resnet8_{version}.safetensors")


if __name__ == "__main__":
    main()
