"""What no pipeline can beat: the forward pass alone, and decoding alone, on all cores."""

from concurrent.futures import ThreadPoolExecutor

import torch
from cases import Case
from rounds import Contestant, Lap

from tasks.models.compiled import Compiled
from tasks.models.preprocess import stacked, to_input


def lanes(cores: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))


def forward(chosen: Case, cores: int) -> Contestant:
    """Tensors in memory through the best form of the network found: compiled, a lane per core."""
    network = Compiled(
        chosen.network().to(memory_format=torch.channels_last), chosen.model.preprocessing
    )
    samples = list(chosen.shards[0].read())[: chosen.batch]
    batch = stacked([to_input(s.image, chosen.model.preprocessing, "pil") for s in samples])
    workers, count = lanes(cores), -(-chosen.images // len(batch))

    def once(_: int) -> None:
        with torch.inference_mode():
            network(batch)

    def lap() -> Lap:
        list(workers.map(once, range(count)))
        return Lap(count * len(batch))

    return lap


def decode(chosen: Case, cores: int) -> Contestant:
    """Encoded images in memory to pixels of the input's size."""
    images = [sample.image for shard in chosen.shards for sample in shard.read()]
    workers = lanes(cores)

    def once(image: bytes) -> None:
        to_input(image, chosen.model.preprocessing, "pil")

    def lap() -> Lap:
        return Lap(len(list(workers.map(once, images))))

    return lap
