"""What one writes by hand: webdataset, DataLoader, top-k, one Parquet file, and no checks."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import webdataset
from cases import Case
from PIL import Image
from rounds import Contestant, Lap
from torch import Tensor, nn
from torchvision import transforms

from tasks.models.compiled import filled
from tasks.models.spec import Preprocessing


def transform_of(chosen: Preprocessing) -> Callable[[Image.Image], Tensor]:
    steps: list[Callable[..., object]] = []
    if chosen.resize is not None:
        steps += [transforms.Resize(chosen.resize), transforms.CenterCrop(chosen.crop)]
    steps += [transforms.ToTensor(), transforms.Normalize(chosen.mean, chosen.std)]
    return transforms.Compose(steps)


class Frozen(nn.Module):
    """The module compiled with freezing, for batches of one size."""

    def __init__(self, network: nn.Module, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.program = torch.compile(
            network.to(memory_format=torch.channels_last), options={"freezing": True}, dynamic=False
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.program(filled(images, self.batch))[: len(images)]


def loop(chosen: Case, network: nn.Module, workers: int, target: Path, threads: int) -> Contestant:
    transform = transform_of(chosen.model.preprocessing)

    def prepared(sample: dict[str, bytes]) -> tuple[str, Tensor, int]:
        encoded = sample["png"] if "png" in sample else sample["jpg"]
        image = transform(Image.open(io.BytesIO(encoded)).convert("RGB"))
        return sample["__key__"], image, int(sample["cls"])

    def lap() -> Lap:
        torch.set_num_threads(threads)
        dataset = (
            webdataset.WebDataset(chosen.tars, shardshuffle=False)
            .map(prepared)
            .batched(chosen.batch)
        )
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)
        tables = []
        with torch.inference_mode():
            for keys, images, targets in loader:
                best = network(images).softmax(1).topk(5)
                tables.append(
                    pa.table(
                        {
                            "key": keys,
                            "target": pa.array(np.asarray(targets)),
                            "topk": best.indices.tolist(),
                            "prob": best.values.tolist(),
                        }
                    )
                )
        pq.write_table(pa.concat_tables(tables), target)
        return Lap(pq.ParquetFile(target).metadata.num_rows)

    return lap
