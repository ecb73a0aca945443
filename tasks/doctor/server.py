"""The Prefect server: whether it answers, fits the client, and will start nights by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.doctor.check import Check, fault, fine, skipped, warning

CLOCK_SECONDS = 5.0
UNSET = "PREFECT_API_URL is not set: commands use a server of their own, and nothing is scheduled"
DEPLOY = "prefect deploy --all (or nightmark serve PLAN, which does all of it)"


@dataclass(frozen=True, slots=True)
class Deployment:
    """As the server knows it; ``zones`` are those of its active schedules by the clock."""

    name: str
    is_paused: bool
    active_schedules: int
    zones: tuple[str, ...]
    pool: str
    late_runs: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """What a server said of itself.

    Attributes:
        url: of its API; empty where none is configured.
        fault: why it does not answer.
        clock_offset: seconds by which its clock is ahead of ours.
        workers: how many are online, by the name of their pool.
    """

    url: str
    fault: str = ""
    version: str = ""
    clock_offset: float | None = None
    deployments: tuple[Deployment, ...] = ()
    workers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment that there should be; ``is_scheduled``: with an active schedule."""

    name: str
    is_scheduled: bool


def check_server(
    server: Server, client: str, wanted: Sequence[Wanted], zone: str
) -> Iterator[Check]:
    """``client`` is the version of Prefect here, ``zone`` the time zone of the plan."""
    if not server.url:
        yield skipped("Prefect server", UNSET)
        return
    if server.fault:
        yield fault(
            "Prefect server",
            f"{server.url} does not answer: {server.fault}",
            "start it (prefect server start), correct PREFECT_API_URL (where it asks for a "
            "password, PREFECT_API_AUTH_STRING), or unset it",
        )
        return
    yield _version(server, client)
    yield _clock(server.clock_offset)
    there = {deployment.name: deployment for deployment in server.deployments}
    for each in wanted:
        yield _deployment(each, there.get(each.name), zone)
    pools = dict.fromkeys(there[each.name].pool for each in wanted if each.name in there)
    yield from (_worker(pool, dict(server.workers).get(pool, 0)) for pool in pools)


def _version(server: Server, client: str) -> Check:
    name = "Prefect server"
    said = f"{server.url} answers, version {server.version}; the client is {client}"
    theirs, ours = _numbers(server.version), _numbers(client)
    if theirs[0] != ours[0]:
        return fault(name, said, f"use Prefect {server.version} here or {client} there")
    if theirs < ours:
        return fault(
            name, said, f"upgrade the server to {client} first: it must not be older than clients"
        )
    return fine(name, said)


def _numbers(version: str) -> tuple[int, int]:
    """Major and minor; zeros where it is no version."""
    parts = [part for part in version.split(".")[:2] if part.isdigit()]
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 else (0, 0)


def _clock(offset: float | None) -> Check:
    if offset is None:
        return skipped("clock", "the server does not tell its time")
    said = f"the server's differs from this machine's by {abs(offset):.0f} s"
    if abs(offset) > CLOCK_SECONDS:
        return fault("clock", said, "set both by NTP: schedules and time-outs compare times")
    return fine("clock", said)


def _deployment(wanted: Wanted, found: Deployment | None, zone: str) -> Check:
    name = f"deployment {wanted.name}"
    if found is None:
        return fault(name, "not on the server", DEPLOY)
    if found.is_paused or (wanted.is_scheduled and not found.active_schedules):
        said = "is paused" if found.is_paused else "has no active schedule"
        return fault(name, said, f"resume it in the Prefect UI (Deployments), or {DEPLOY}")
    if found.late_runs:
        said = f"{found.late_runs} of its runs are late"
        return fault(name, said, "start a worker, or look at what the runs before wait for")
    if other := [clock for clock in found.zones if clock != zone]:
        return warning(
            name,
            f"its schedule goes by {', '.join(other)}, the plan (runtime.time_zone) by {zone}",
            "use one of them: NIGHTMARK_TIMEZONE when deploying, or runtime.time_zone",
        )
    times = f"{found.active_schedules} active schedules" if wanted.is_scheduled else "ready"
    return fine(name, times)


def _worker(pool: str, online: int) -> Check:
    name = f"worker of {pool}"
    if not online:
        remedy = f"prefect worker start --pool {pool}"
        return fault(name, "none is online, so that no run ever begins", remedy)
    return fine(name, f"{online} online")
