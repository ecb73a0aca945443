"""Which nights are kept: a few of the newest, all of the last days, then one a week and a month."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from tasks.night import Night


class Retention(BaseModel):
    """How long results are kept. A night stays if one of its rules keeps it.

    Nights are counted per plan, and full nights, quick looks and reprocessed pairs each for
    themselves, so that many of one kind never push out those of another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    newest: int = Field(default=7, ge=1, description="So many newest nights, however old.")
    days: int = Field(default=30, ge=0, description="Every night of so many days.")
    weeks: int = Field(default=8, ge=0, description="The last night of so many weeks that had one.")
    months: int = Field(default=12, ge=0, description="The same of months.")
    unused_days: int = Field(
        default=30,
        ge=0,
        description="How long that is kept which no kept night and no baseline needs, such as the "
        "predictions of `nightmark evaluate` or of a night that was cut off.",
    )

    def __str__(self) -> str:
        return (
            f"nights: the newest {self.newest}, {self.days} days, one a week for {self.weeks} "
            f"weeks, one a month for {self.months} months; what is unused: {self.unused_days} days"
        )


def kept_nights(nights: Iterable[Night], rules: Retention, now: datetime) -> Mapping[str, str]:
    """The names of the nights that the rules keep, each with the first rule that does.

    Weeks begin on Mondays, and weeks and months are those of UTC.
    """
    groups: dict[tuple[str, str, bool], list[Night]] = {}
    for night in sorted(nights, key=lambda night: (night.started, night.name), reverse=True):
        groups.setdefault((night.plan, night.kind, night.quick is not None), []).append(night)
    kept: dict[str, str] = {}
    for of_kind in groups.values():
        for name, why in _of_one_kind(of_kind, rules, now):
            kept.setdefault(name, why)
    return kept


def _of_one_kind(nights: list[Night], rules: Retention, now: datetime) -> Iterable[tuple[str, str]]:
    """``nights`` are sorted, the newest first."""
    for night in nights[: rules.newest]:
        yield night.name, "one of the newest"
    for night in nights:
        if now - night.started <= timedelta(days=rules.days):
            yield night.name, f"not older than {rules.days} days"
    for period, form, count in (("week", "%G-%V", rules.weeks), ("month", "%Y-%m", rules.months)):
        newest_of: dict[str, str] = {}
        for night in nights:
            newest_of.setdefault(f"{night.started:{form}}", night.name)
        for name in list(newest_of.values())[:count]:
            yield name, f"the last of its {period}"
