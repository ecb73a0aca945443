"""Why a piece stays: it is in use, a rule keeps it, something kept needs it, or it is young."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from shards.manifest import Manifest
from shards.store import Store
from tasks.health.copies import Copies, copies_id
from tasks.health.signatures import SIGNATURE_REVISION
from tasks.layout import signature_file
from tasks.leases import Lease, read_leases
from tasks.night import Night
from tasks.retention.needs import Needs
from tasks.retention.pieces import Piece, Stock
from tasks.retention.rules import Retention, kept_nights


@dataclass(frozen=True)
class Reasons:
    """The reasons of a store at one time. All methods raise ShardError for unreadable records."""

    store: Store
    stock: Stock
    rules: Retention
    now: datetime

    def of(self, piece: Piece) -> str | None:
        """Why a piece stays; None if nothing keeps it."""
        place = piece.place
        if place.kind == "lease":
            return self._of_lease(piece)
        if place.kind == "night" and piece.record:
            return self._kept_nights.get(place.name)
        split = None if place.split is None else frozenset((str(place.split),))
        if in_use := self._in_use(split):
            return in_use
        return self._needs.why.get(place.path) or self._young(piece) or self._also.get(place.path)

    @cached_property
    def live(self) -> list[Lease]:
        """Those who work on the store now, but for prunes."""
        return [
            lease for lease in self._leases if lease.is_live(self.now) and lease.work != "prune"
        ]

    @cached_property
    def _leases(self) -> list[Lease]:
        return read_leases(self.store)

    def _of_lease(self, piece: Piece) -> str | None:
        live = {lease.name for lease in self._leases if lease.is_live(self.now)}
        return "held by a running process" if piece.place.name in live else None

    def _in_use(self, splits: frozenset[str] | None) -> str | None:
        """Whether someone works on these splits; None stands for what may be of any."""
        for lease in self.live:
            if splits is None or not splits.isdisjoint(lease.splits):
                return f"in use: {lease}"
        return None

    def _young(self, piece: Piece) -> str | None:
        days = self.rules.unused_days
        is_young = self.now - piece.modified < timedelta(days=days)
        return f"not older than {days} days" if is_young else None

    @cached_property
    def _nights(self) -> dict[str, Night]:
        found = {}
        for piece in self.stock.of_kind("night"):
            if record := piece.record:
                night = Night.from_json(self.store.read(record), self.store.locate(record))
                found[piece.place.name] = night
        return found

    @cached_property
    def _kept_nights(self) -> dict[str, str]:
        kept = dict(kept_nights(self._nights.values(), self.rules, self.now))
        for name, night in self._nights.items():
            splits = frozenset(str(outcome.pair.name.split) for outcome in night.outcomes)
            if in_use := self._in_use(splits):
                kept.setdefault(name, in_use)
        return kept

    @cached_property
    def _needs(self) -> Needs:
        """Of the kept nights, of the baselines, and of what is young."""
        found = Needs(self.store)
        for name, why in self._kept_nights.items():
            found.of_night(self._nights[name], why)
        found.of_baselines()
        needing = {
            "evaluation": found.of_evaluation,
            "scoring": found.of_scoring,
            "comparison": found.of_comparison,
        }
        for piece in self.stock.pieces:
            add = needing.get(piece.place.kind)
            if add and piece.record and (young := self._young(piece)):
                add(piece.place.pair, piece.place.name, young)
        return found

    @cached_property
    def _also(self) -> dict[str, str]:
        """What no record refers to: the newest shards; signatures and copies of what stays."""
        wanted: dict[str, str] = {}
        images = set(self._needs.images)
        newest = _newest_of_each(self.stock.of_kind("shards"))
        for piece in self.stock.of_kind("shards"):
            place, record = piece.place, piece.record
            is_newest = newest.get(str(place.split)) is piece
            if is_newest:
                wanted[place.path] = "the newest shards of their split"
            if record and (is_newest or place.path in self._needs.why or self._young(piece)):
                manifest = Manifest.from_json(self.store.read(record), self.store.locate(record))
                images.add(manifest.digests.images)
                for entry in manifest.shardlist:
                    signatures = signature_file(SIGNATURE_REVISION, entry.sha256)
                    wanted[signatures] = "signatures of shards that stay"
        for piece in self.stock.of_kind("copies"):
            if record := piece.record:
                copies = Copies.from_json(self.store.read(record), self.store.locate(record))
                digests = (copies.images_digest, copies.other_digest)
                if copies.id == copies_id(*digests) and images.issuperset(digests):
                    wanted[piece.place.path] = "copies between images that stay"
        return wanted


def _newest_of_each(shards: list[Piece]) -> dict[str, Piece]:
    """The newest finished shards, by split."""
    finished = [piece for piece in shards if piece.record]
    finished.sort(key=lambda piece: (piece.modified, piece.place.path))
    return {str(piece.place.split): piece for piece in finished}
