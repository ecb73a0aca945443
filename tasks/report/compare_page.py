"""The page of a comparison at rest, beside its record: whole in its folder, as a night's are."""

from shards.store import Store
from tasks.layout import PairName
from tasks.metrics.comparison import Comparison
from tasks.report.assets import ASSETS, write_assets
from tasks.report.compare_view import compare_view
from tasks.report.html import INDEX_PAGE, comparison_page
from tasks.report.pictures import copy_pictures
from tasks.stored import read_evaluation

PICTURES = "images"


def write_comparison_page(store: Store, comparison: Comparison) -> str:
    """Write the page of a stored comparison; returns where it lies.

    Images come from the shards of the candidate, as far as they are there; those that lie beside
    the page already are kept.

    Raises:
        ShardError: the record of the candidate's evaluation is missing.
    """
    pair: PairName = comparison.candidate.pair.name
    folder = pair.comparison(comparison.id)
    evaluation = read_evaluation(store, pair, comparison.candidate.evaluation)
    samples = (*comparison.broken_samples, *comparison.fixed_samples)
    keys = tuple(dict.fromkeys(sample.key for sample in samples))
    shards = evaluation.shards_folder
    found, fault = copy_pictures(store, f"{folder}/{PICTURES}", shards, keys)
    view = compare_view(comparison, {key: f"{PICTURES}/{name}" for key, name in found.items()})
    write_assets(store, folder)
    store.publish(f"{folder}/{INDEX_PAGE}", comparison_page(view, ASSETS, fault).encode())
    return store.locate(f"{folder}/{INDEX_PAGE}")
