"""Facts for ``nightmark doctor``: what the machine, the plan and the Prefect server say."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.resources import files
from typing import Any

import httpx
import yaml
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY

from conf.plan import Plan
from conf.runtime import RuntimePlan
from shards.errors import NightmarkError
from shards.manifest import MANIFEST_NAME
from shards.store import Store
from tasks.doctor.inputs import Input, InputElsewhere
from tasks.doctor.machine import Machine, installed_packages, python_version
from tasks.doctor.server import Deployment, Server, Wanted
from tasks.models.compiled import has_compiler
from tasks.slots.devices import find_devices
from tasks.weights.address import Address

PATIENCE_SECONDS = 10.0
MOST_DEPLOYMENTS = 200


def machine_facts(runtime: RuntimePlan) -> Machine:
    try:
        devices, devices_fault = tuple(map(str, find_devices(runtime.devices))), ""
    except NightmarkError as error:
        devices, devices_fault = (), str(error)
    return Machine(
        python=python_version(),
        packages=installed_packages(),
        devices=devices,
        devices_fault=devices_fault,
        compiles=runtime.compile,
        has_compiler=has_compiler(),
    )


def inputs_of(plan: Plan) -> Iterator[Input | InputElsewhere]:
    """The files and folders that the plan names."""
    for dataset in plan.datasets:
        yield Input(f"dataset {dataset.name}: location", dataset.location)
        if dataset.devkit is not None:
            yield Input(f"dataset {dataset.name}: devkit", dataset.devkit)
        if dataset.targets is not None:
            yield Input(f"dataset {dataset.name}: targets", dataset.targets.file)
    for model in plan.models:
        if model.weights is not None:
            what = f"model {model.name}: weights"
            if isinstance(model.weights, Address):
                yield InputElsewhere(what, model.weights, model.name)
            else:
                yield Input(what, model.weights)
        if model.targets is not None:
            yield Input(f"model {model.name}: targets", model.targets)
    for number, file in enumerate(plan.operating_points, 1):
        yield Input(f"operating_points: {number}", file)


def needed_bytes(plan: Plan, store: Store) -> int:
    """About what the shards take that are not built yet: as much as their sources."""
    needed = 0
    for dataset in plan.datasets:
        folder = dataset.split_name.shards("x").rpartition("/")[0]
        recipes = store.names(folder)
        if not any(store.exists(f"{folder}/{recipe}/{MANIFEST_NAME}") for recipe in recipes):
            needed += Input(dataset.name, dataset.location).size
    return needed


def wanted_deployments() -> tuple[Wanted, ...]:
    """Those of the shipped prefect.yaml."""
    tree = yaml.safe_load((files("conf") / "prefect.yaml").read_text("utf-8"))
    return tuple(Wanted(each["name"], bool(each.get("schedules"))) for each in tree["deployments"])


def server_facts(url: str) -> Server:
    """What the server with this API says; ``url`` is empty where none is configured."""
    if not url:
        return Server("")
    try:
        with httpx.Client(
            base_url=url.rstrip("/"), timeout=PATIENCE_SECONDS, headers=_credentials()
        ) as client:
            before = datetime.now(UTC)
            said = client.get("/admin/version").raise_for_status()
            deployments = tuple(_deployments(client))
            pools = dict.fromkeys(each.pool for each in deployments if each.pool)
            return Server(
                url=url,
                version=str(said.json()),
                clock_offset=_offset(said.headers.get("date"), before),
                deployments=deployments,
                workers=tuple((pool, _online(client, pool)) for pool in pools),
            )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Server(url, fault=str(error) or type(error).__name__)


def _credentials() -> dict[str, str]:
    """What a server that asks for a password is sent, as Prefect's own client does."""
    if user_and_password := PREFECT_API_AUTH_STRING.value():
        encoded = b64encode(user_and_password.encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    key = PREFECT_API_KEY.value()
    return {"Authorization": f"Bearer {key}"} if key else {}


def _offset(date: str | None, before: datetime) -> float | None:
    """The header has whole seconds, cut off; so half a second is added."""
    if date is None:
        return None
    return (parsedate_to_datetime(date) - before).total_seconds() + 0.5


def _deployments(client: httpx.Client) -> Iterator[Deployment]:
    for each in _post(client, "/deployments/filter", {"limit": MOST_DEPLOYMENTS}):
        active = [schedule["schedule"] for schedule in each["schedules"] if schedule["active"]]
        late = {
            "deployments": {"id": {"any_": [each["id"]]}},
            "flow_runs": {"state": {"name": {"any_": ["Late"]}}},
        }
        yield Deployment(
            name=each["name"],
            is_paused=bool(each.get("paused")),
            active_schedules=len(active),
            zones=tuple(each["timezone"] or "UTC" for each in active if "cron" in each),
            pool=each.get("work_pool_name") or "",
            late_runs=int(_post(client, "/flow_runs/count", late)),
        )


def _online(client: httpx.Client, pool: str) -> int:
    workers = _post(client, f"/work_pools/{pool}/workers/filter", {})
    return sum(worker["status"] == "ONLINE" for worker in workers)


def _post(client: httpx.Client, path: str, wanted: dict[str, Any]) -> Any:
    return client.post(path, json=wanted).raise_for_status().json()
