"""What an inspection found, as text: a plan's entry, and a description."""

import re

from shards.sources.inspection import SPLIT_FOLDERS, Inspected

SHOWN = 5


def plan_lines(found: Inspected) -> list[str]:
    """The entry of ``datasets`` in a plan that would open this source, in YAML."""
    name: str = found.spec.source
    if name in ("folder", "parquet", "webdataset"):
        place = found.spec.location.resolve()
        place = place.parent if place.name.lower() in SPLIT_FOLDERS else place
        stem = re.sub(r"[^a-z0-9._-]+", "-", place.name.split(".")[0].lower())
        name = stem.lstrip("._-") or name
    location = str(found.spec.location.resolve()).replace("'", "''")
    return [
        f"- name: {name}",
        f"  split: {found.split}",
        f"  source: {found.spec.source}",
        f"  location: '{location}'",
    ]


def description_lines(found: Inspected) -> list[str]:
    """What was seen, for a person."""
    total = len(found.classes)
    lines = [f"{found.layout}: {found.entries:,} entries"]
    lines.append(f"classes: {found.present:,} of {total:,} present")
    if absent := [
        class_id
        for class_id, count in zip(found.classes.ids, found.counts, strict=True)
        if not count
    ]:
        rest = f" and {len(absent) - SHOWN:,} more" if len(absent) > SHOWN else ""
        lines.append(f"absent: {', '.join(absent[:SHOWN])}{rest}")
    if found.present:
        present = [(count, index) for index, count in enumerate(found.counts) if count]
        (least, rare), (most, common) = min(present), max(present)
        names = found.classes.ids
        spread = (
            f"{least:,} ({names[rare]}) to {most:,} ({names[common]})" if least < most else most
        )
        uneven = "; uneven: look at balanced accuracy too" if found.is_uneven else ""
        lines.append(f"entries per class: {spread}{uneven}")
    if found.unlabelled:
        lines.append(f"without a known label: {found.unlabelled:,}")
    forms = ", ".join(f"{n} {s} {w} x {h}" for (s, w, h), n in found.forms[:SHOWN])
    more = f", {len(found.forms) - SHOWN} more forms" if len(found.forms) > SHOWN else ""
    lines.append(f"of {found.looked_at} entries looked at: {forms or 'no sample'}{more}")
    lines.extend(
        f"would skip {count} of {found.looked_at}: {reason} (e.g. {name})"
        for reason, count, name in found.skipped
    )
    lines.extend(f"note: {note}" for note in found.notes)
    lines.extend(f"hint: {hint}" for hint in found.hints)
    return lines
