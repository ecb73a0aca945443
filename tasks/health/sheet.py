"""Pairs of images side by side in one picture, to be judged by eye."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageDraw

from shards.reader import ShardedSplit
from tasks.health.copies import FoundCopies

MOST_PAIRS = 100
COLUMNS = 5
SIDE = 96
CAPTION = 28
GAP = 12
LINE_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two encoded images and the lines under them, at most two."""

    first: bytes
    second: bytes
    caption: tuple[str, ...]


def shown_pairs(
    found: FoundCopies, split: ShardedSplit, other: ShardedSplit, most: int = MOST_PAIRS
) -> tuple[ShownPair, ...]:
    """The surest pairs with their images, read from the shards.

    Raises:
        ShardError: a shard is missing or has another size than its manifest says.
    """
    rows = found.pairs.slice(0, most).to_pylist()
    first = dict(_images(split, {row["key"] for row in rows}))
    second = dict(_images(other, {row["other"] for row in rows}))
    return tuple(
        ShownPair(
            first[row["key"]],
            second[row["other"]],
            (row["key"], f"{row['distance']:.2f} {row['other']}"),
        )
        for row in rows
    )


def contact_sheet(pairs: Sequence[ShownPair]) -> bytes:
    """A PNG of all pairs, ``COLUMNS`` in a row; two images touch, pairs do not."""
    wide, high = 2 * SIDE + GAP, SIDE + CAPTION + GAP
    lines = max(-(-len(pairs) // COLUMNS), 1)
    sheet = Image.new("RGB", (COLUMNS * wide + GAP, lines * high + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for place, pair in enumerate(pairs):
        line, column = divmod(place, COLUMNS)
        left, top = GAP + column * wide, GAP + line * high
        sheet.paste(_picture(pair.first), (left, top))
        sheet.paste(_picture(pair.second), (left + SIDE, top))
        # Pillow's own font knows little beyond ASCII; the end of a key tells it from others.
        lines_of_text = [line.encode("ascii", "replace").decode() for line in pair.caption]
        said = "\n".join(line[-LINE_LENGTH:] for line in lines_of_text)
        pen.multiline_text((left, top + SIDE), said, fill="black", spacing=1)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _picture(image: bytes) -> Image.Image:
    with Image.open(io.BytesIO(image)) as opened:
        return opened.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _images(split: ShardedSplit, keys: set[str]) -> Iterator[tuple[str, bytes]]:
    for shard in split.shards():
        wanted = shard.rows.filter(pc.is_in(shard.rows["key"], pa.array(sorted(keys), pa.string())))
        if not wanted.num_rows:
            continue
        shard.check_size()
        with split.store.open(shard.path) as file:
            for row in wanted.select(["key", "offset", "length"]).to_pylist():
                file.seek(row["offset"])
                yield row["key"], file.read(row["length"])
