"""``nightmark evaluate --profile``: what each layer of the inference cost."""

from flows.cli.console import OUT, figures_table, print_table
from tasks.models.cost import layers
from tasks.night import Work


def print_profile(work: Work) -> None:
    """A table of layers: per image, and as a share of the time of all slots."""
    images = work.cost.images
    if not images:
        OUT.print("Profile: no image was predicted now, so there is nothing to measure.")
        return
    table = figures_table(names=("layer",), figures=("seconds", "per image", "share of wall time"))
    for layer in layers(work.cost, work.seconds, work.slots):
        share = "-" if layer.share is None else f"{100 * layer.share:.1f} %"
        each = f"{1e6 * layer.seconds / images:,.0f} µs"
        table.add_row(layer.name, f"{layer.seconds:.2f}", each, share)
    OUT.print()
    print_table(table)
