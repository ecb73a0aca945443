"""The confusion matrix as a small picture, for places that show no charts."""

import base64
import io

import numpy as np
from PIL import Image

from tasks.metrics.scoring import Scoring

SIDE = 480
"""Pixels; the cells of many classes are thinned to as many, each the largest of its block."""
DARK, LIGHT = np.array((8, 48, 107.0)), np.array((247, 251, 255.0))


def confusion_png(scoring: Scoring) -> bytes:
    """Rows = target, columns = prediction; the darker, the larger the share of the row's images."""
    shares = np.zeros((len(scoring.support), len(scoring.support)))
    for target, prediction, count in scoring.confusion:
        shares[target, prediction] = count / scoring.support[target]
    shares = _thinned(shares)
    # A root makes the few mistakes visible beside a diagonal of nearly 1.
    depth = np.sqrt(shares)[..., None]
    pixels = (LIGHT + depth * (DARK - LIGHT)).round().astype(np.uint8)
    size = max(SIDE // len(pixels), 1) * len(pixels)
    picture = Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST)
    sink = io.BytesIO()
    picture.save(sink, format="PNG", optimize=True)
    return sink.getvalue()


def data_uri(png: bytes) -> str:
    """The picture in an address, so that it needs no place of its own."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _thinned(shares: np.ndarray) -> np.ndarray:
    block = -(-len(shares) // SIDE)
    if block == 1:
        return shares
    side = -(-len(shares) // block)
    padded = np.zeros((side * block, side * block))
    padded[: len(shares), : len(shares)] = shares
    thinned: np.ndarray = padded.reshape(side, block, side, block).max(axis=(1, 3))
    return thinned
