"""What evaluating pairs of a plan would compute and reuse; reads much, and writes nothing.

But weights that lie elsewhere are fetched: no other way leads to their fingerprint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect.logging import disable_run_logger

from conf.plan import Plan
from flows.build_shards import source_and_recipe
from flows.evaluate import inference_run
from shards.errors import NightmarkError
from shards.manifest import MANIFEST_NAME
from shards.parts import missing_shards
from shards.reader import Shard, ShardedSplit
from shards.reuse import reusable_shards
from shards.store import Store
from tasks.layout import PairName, SplitName
from tasks.models.load import resolve
from tasks.slots.devices import Device, find_devices
from tasks.updates.forecast import Forecast, LastTime, last_times, reasons
from tasks.weights.kept import fetch


@dataclass(frozen=True)
class _Split:
    """A split, built or not.

    Attributes:
        whole: the finished split; None where shards are to be built.
        count: its shards, where each range of the source gives one.
        taken_over: the shards that would be taken over, by the earlier build that holds them.
    """

    whole: ShardedSplit | None
    count: int
    taken_over: tuple[tuple[ShardedSplit, tuple[Shard, ...]], ...] = ()
    begun: int = 0


def foresee(
    plan: Plan, pairs: Sequence[PairName], overrides: Sequence[str] = ()
) -> tuple[Forecast, ...]:
    """The forecast of each pair, also of those that cannot be evaluated, which others can.

    ``overrides`` are what the plan was loaded with: what changed is said since a night with these.

    Raises:
        NightmarkError: a device is not there, or a night's record is unreadable.
    """
    store = Store.at(plan.runtime.root)
    device = find_devices(plan.runtime.devices)[0]
    last = last_times(store, pairs, overrides)
    splits: dict[SplitName, _Split | NightmarkError] = {}
    forecasts = []
    for pair in pairs:
        if pair.split not in splits:
            splits[pair.split] = _split_or_fault(plan, store, pair.split)
        split = splits[pair.split]
        try:
            if isinstance(split, NightmarkError):
                raise split
            with disable_run_logger():
                forecasts.append(_forecast(plan, pair, split, device, last.get(pair)))
        except NightmarkError as error:
            forecasts.append(Forecast.impossible(pair, str(error)))
    return tuple(forecasts)


def _split_or_fault(plan: Plan, store: Store, name: SplitName) -> _Split | NightmarkError:
    try:
        return _split(plan, store, name)
    except NightmarkError as error:
        return error


def _split(plan: Plan, store: Store, name: SplitName) -> _Split:
    source, recipe = source_and_recipe(plan.dataset(name.dataset), plan.runtime)
    folder = name.shards(recipe.name)
    if store.exists(f"{folder}/{MANIFEST_NAME}"):
        whole = ShardedSplit.open(store, folder)
        return _Split(whole, len(whole.manifest.shardlist))
    missing = missing_shards(store, folder, recipe)
    found = reusable_shards(source, store, folder, recipe, missing)
    by_build: dict[str, tuple[ShardedSplit, list[Shard]]] = {}
    for number, build in found.items():
        _, shards = by_build.setdefault(build.folder, (build, []))
        shards += [s for s in build.shards() if s.entry.url == recipe.shard_name(number)]
    taken_over = tuple((build, tuple(shards)) for build, shards in by_build.values())
    return _Split(None, recipe.shard_count, taken_over, recipe.shard_count - len(missing))


def _forecast(
    plan: Plan, pair: PairName, split: _Split, device: Device, last: LastTime | None
) -> Forecast:
    spec = plan.model(pair.model)
    model = resolve(spec, fetch(Store.at(plan.runtime.root), spec))
    if split.whole is not None:
        run = inference_run(plan.runtime, pair, model, split.whole, device)
        missing = run.predictions.missing(split.whole.shards())
        return Forecast(
            pair,
            why=reasons(last, model.fingerprint, split.whole.version),
            built=0,
            taken_over=0,
            computed=len(missing),
            reused=split.count - len(missing),
            images=sum(shard.entry.nsamples for shard in missing),
        )
    reused = 0
    for build, shards in split.taken_over:
        run = inference_run(plan.runtime, pair, model, build, device)
        reused += len(shards) - len(run.predictions.missing(shards))
    taken_over = sum(len(shards) for _, shards in split.taken_over)
    return Forecast(
        pair,
        why=reasons(last, model.fingerprint, None),
        built=split.count - split.begun - taken_over,
        taken_over=taken_over,
        computed=split.count - reused,
        reused=reused,
        images=None,
    )
