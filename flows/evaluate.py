"""One pair: source → shards → predictions → tallies → metrics → verdicts."""

from typing import Annotated

from prefect import flow, get_run_logger, runtime, tags
from prefect.client.schemas.objects import State
from pydantic import Field

from conf.asking import asked_for
from conf.plan import Plan
from conf.runtime import RuntimePlan
from flows.build_shards import shards_of
from flows.find_copies import find_training
from flows.numerics import numerics_for
from flows.predict import discard_damaged, predict
from flows.runners import combined
from flows.states import MORE_TIME, fault_state, final_state
from flows.weights import weights_of
from shards.errors import InputError, NightmarkError, ShardError
from shards.reader import ShardedSplit
from shards.store import Store
from tasks.aggregate import aggregate
from tasks.compare import compare_with_baseline, compare_with_version_before
from tasks.deadline import DeadlineError
from tasks.examine import examine
from tasks.gates.verdict import Verdict
from tasks.infer import InferenceRun
from tasks.judge import judge_scoring
from tasks.layout import PairName
from tasks.leases import held
from tasks.metrics.scoring import Scoring
from tasks.metrics.words import counted
from tasks.models.batching import batch_size_for
from tasks.models.labels import bind
from tasks.models.load import resolve
from tasks.models.spec import ResolvedModel, run_name
from tasks.night import Outcome, OutcomeState, SkippedNote, Work, judged_state
from tasks.night_words import ended
from tasks.predictions.ranking import KEPT_CLASSES
from tasks.predictions.store import PredictionStore
from tasks.quick import quick_look
from tasks.records import Pair
from tasks.slots.devices import Device, find_devices
from tasks.weights.kept import Fetched


def _run_name() -> str:
    """``cifar10 x resnet8``, and that it is a quick look where it is one."""
    parameters: dict[str, object] = runtime.flow_run.parameters
    pair = f"{parameters['dataset']} x {parameters['model']}"
    return pair if parameters["quick"] is None else f"{pair}, quick {parameters['quick']}"


@flow(name="evaluate", flow_run_name=_run_name)
def evaluate(
    plan: Plan,
    dataset: str,
    model: str,
    shards_folder: str | None = None,
    quick: Annotated[int, Field(ge=1)] | None = None,
    weights: Fetched | None = None,
) -> State[Outcome]:
    """Evaluate a model of the plan on one of its datasets.

    ``shards_folder`` under the artifact root holds the shards; without it they are built first.
    ``weights`` that lie elsewhere were fetched before; without them they are fetched now.
    With ``quick`` it is judged on the first so many shards, and is never a baseline.

    The state carries the outcome, whatever it is: Completed named Passed or Inconclusive, Failed
    named GateFailed, Incomplete or Unusable. Of a fault of nightmark itself it carries the error.
    """
    pair = PairName(plan.dataset(dataset).split_name, model)
    with tags(f"dataset:{dataset}", f"model:{model}"):
        try:
            splits = [entry.split_name for entry in plan.datasets]
            with held(Store.at(plan.runtime.root), "evaluation", splits):
                outcome = _evaluate(plan, pair, shards_folder, quick, weights)
        except NightmarkError as error:
            outcome = outcome_of(error, pair)
        except Exception as error:  # so that the UI says what to do
            return fault_state(error)
    get_run_logger().info("%s: %s: %s", pair, outcome.state, outcome.message)
    next_step = MORE_TIME if outcome.cut_off else None
    return final_state(outcome.state, ended(outcome.message), outcome, next_step)


def outcome_of(error: Exception, pair: PairName, work: Work | None = None) -> Outcome:
    """What an expected error, after some work, makes of a pair; any other error is raised."""
    if not isinstance(error, NightmarkError):
        raise error
    state: OutcomeState = "unusable" if isinstance(error, InputError) else "incomplete"
    return Outcome(
        pair=Pair.of(pair),
        state=state,
        message=str(error),
        work=work or Work(),
        cut_off=isinstance(error, DeadlineError),
    )


def _evaluate(
    plan: Plan,
    pair: PairName,
    shards_folder: str | None,
    quick: int | None,
    weights: Fetched | None,
) -> Outcome:
    devices = find_devices(plan.runtime.devices)
    # First, so that a model that cannot be used does not cost the shards.
    model = resolve(plan.model(pair.model), weights or weights_of(plan, pair.model))
    dataset = plan.dataset(pair.split.dataset)
    folder = shards_folder or shards_of(dataset, plan.runtime)
    whole = ShardedSplit.open(Store.at(plan.runtime.root), folder)
    # Of the whole, also for a quick look: its predictions are those that the full night needs.
    run = inference_run(plan.runtime, pair, model, whole, devices[0])
    asked = asked_for(plan, pair, whole.manifest.classes, whole.samples)
    split, look = (whole, None) if quick is None else quick_look(whole, quick, dataset.order)
    # Imported scores are compared with the labels of the whole, and cost next to nothing.
    predicted = whole if run.model.is_imported else split
    work, errors = predict(predicted, run, devices, plan.runtime)
    if errors:
        return outcome_of(combined(errors), pair, work)
    try:
        outcome = _judge(plan, split, run, aggregate(split, run, asked.overlay, asked.spec))
    except ShardError as error:
        damaged = discard_damaged(split, run, error)
        again, errors = predict(predicted, run, devices, plan.runtime)
        work = work.followed_by(Work(damaged=damaged)).followed_by(again)
        if errors:
            return outcome_of(combined(errors), pair, work)
        # If it fails again, what is written here does not last.
        outcome = _judge(plan, split, run, aggregate(split, run, asked.overlay, asked.spec))
    skipped = tuple(SkippedNote(**e.model_dump()) for e in whole.manifest.skipped)
    return outcome.model_copy(
        update={
            "work": work,
            "quick": look,
            "skipped": skipped,
            "samples": whole.manifest.samples,
        }
    )


def inference_run(
    runtime: RuntimePlan, pair: PairName, model: ResolvedModel, split: ShardedSplit, device: Device
) -> InferenceRun:
    """The model bound to the classes of the split, under numerics that are settled here."""
    bound = bind(model, split.manifest.classes)
    numerics = numerics_for(runtime, bound, split, device)
    classes = len(split.manifest.classes)
    # Scores of more classes are never kept, and must not be waited for.
    keep_scores = runtime.keep_scores and classes <= KEPT_CLASSES
    largest = max((entry.nsamples for entry in split.manifest.shardlist), default=1)
    return InferenceRun(
        model=bound,
        numerics=numerics,
        predictions=PredictionStore(split.store, pair, run_name(bound, numerics), keep_scores),
        classes=classes,
        batch_size=batch_size_for(runtime.batch_size, device.kind, largest),
    )


def _judge(plan: Plan, split: ShardedSplit, run: InferenceRun, scoring: Scoring) -> Outcome:
    """Figures → against the baseline → findings → verdicts → what becomes of the pair."""
    store, pair = split.store, scoring.pair.name
    reference = compare_with_baseline(store, scoring)
    note = reference.note if reference else compare_with_version_before(store, scoring)
    training = find_training(plan, plan.dataset(pair.split.dataset), split)
    findings = examine(store, scoring, training)
    verdicts = judge_scoring(scoring, plan.gates_for(pair), reference)
    state = judged_state(verdicts, scoring.n, scoring.failed, plan.runtime.max_failed)
    return Outcome(
        pair=scoring.pair,
        state=state,
        message=_message(state, scoring, verdicts),
        scoring=scoring.id,
        evaluation=scoring.evaluation,
        comparison=note,
        verdicts=verdicts,
        preprocessing=str(run.model.preprocessing),
        fingerprint=run.model.fingerprint,
        weights=run.model.origin,
        dataset_version=split.version,
        findings=findings,
    )


def _message(state: OutcomeState, scoring: Scoring, verdicts: tuple[Verdict, ...]) -> str:
    """The sentence of the verdict that decided."""
    if state == "unusable":
        return (
            f"none of the {counted(scoring.unlabelled, 'image')} has a label, so that nothing can "
            f"be judged; give labels with `targets` of the dataset, or take it out of the plan."
        )
    if state == "incomplete":
        images = counted(scoring.failed, "image")
        return f"{images} could not be predicted; the predictions' error column says why."
    decisive = [v.sentence for v in verdicts if v.state == state and v.gate.severity == "fail"]
    if not decisive:
        return "No gate of the plan could judge this pair, so nothing is proven."
    return " ".join(decisive) if state != "passed" else f"{counted(len(decisive), 'gate')} met."
