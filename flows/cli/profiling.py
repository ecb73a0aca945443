"""``nightmark evaluate --profile``: what each layer of the inference cost."""

from rich.table import Table

from flows.cli.console import OUT
from tasks.models.cost import layers
from tasks.night import Work


def print_profile(work: Work) -> None:
    """A table of layers: per image, and as a share of the time of all slots."""
    images = work.cost.images
    if not images:
        OUT.print("Profile: no image was predicted now, so there is nothing to measure.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer", no_wrap=True)
    for heading in ("seconds", "per image", "share of wall time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for layer in layers(work.cost, work.seconds, work.slots):
        share = "-" if layer.share is None else f"{100 * layer.share:.1f} %"
        each = f"{1e6 * layer.seconds / images:,.0f} µs"
        table.add_row(layer.name, f"{layer.seconds:.2f}", each, share)
    OUT.print()
    OUT.print(table)
