"""The page of a comparison at rest, beside its record: whole in its folder, as a night's are."""

from shards.errors import InputError
from shards.store import Store
from tasks.comparisons import RECORD, read_changed
from tasks.layout import PairName
from tasks.metrics.comparison import Comparison
from tasks.report.assets import ASSETS, write_assets
from tasks.report.change_chart import change_chart
from tasks.report.compare_view import compare_view
from tasks.report.html import INDEX_PAGE, comparison_page
from tasks.report.pictures import copy_pictures
from tasks.stored import read_evaluation

PICTURES = "images"


def write_comparison_page(store: Store, comparison: Comparison, to: str = "") -> str:
    """Write the page of a stored comparison; returns where it lies.

    Images come from the shards of the candidate, as far as they are there; those that lie beside
    the page already are kept.

    Args:
        store: the artifact root.
        comparison: one that is stored there.
        to: a folder (a path or a URL) that gets the page, too, with all that it needs.

    Raises:
        ShardError: the record of the candidate's evaluation, or the list of samples, is missing.
        InputError: in ``to`` lies something else.
    """
    target = _empty_or_ours(to) if to else None
    pair: PairName = comparison.candidate.pair.name
    folder = pair.comparison(comparison.id)
    evaluation = read_evaluation(store, pair, comparison.candidate.evaluation)
    changed = read_changed(store, comparison)
    samples = (*comparison.broken_samples, *comparison.fixed_samples)
    keys = tuple(dict.fromkeys(sample.key for sample in samples))
    shards = evaluation.shards_folder
    found, fault = copy_pictures(store, f"{folder}/{PICTURES}", shards, keys)
    pictures = {key: f"{PICTURES}/{name}" for key, name in found.items()}
    view = compare_view(comparison, changed, pictures)
    write_assets(store, folder)
    page = comparison_page(view, change_chart(comparison, view.classes), ASSETS, fault)
    store.publish(f"{folder}/{INDEX_PAGE}", page.encode())
    if target is None:
        return store.locate(f"{folder}/{INDEX_PAGE}")
    _copy(store, folder, target)
    return target.locate(INDEX_PAGE)


def _empty_or_ours(to: str) -> Store:
    target = Store.at(to)
    there = target.names("")
    if there and RECORD not in there:
        raise InputError(
            f"{to} holds something else ({there[0]}); name an empty or a new folder for the page"
        )
    return target


def _copy(store: Store, folder: str, target: Store) -> None:
    """All of a folder, and none of the images of a comparison that lay there before."""
    paths = [file.path.removeprefix(f"{folder}/") for file in store.files(folder)]
    for path in sorted(paths, key=lambda path: path == INDEX_PAGE):
        target.publish(path, store.read(f"{folder}/{path}"))
    for name in target.names(PICTURES):
        if f"{PICTURES}/{name}" not in paths:
            target.remove(f"{PICTURES}/{name}")
