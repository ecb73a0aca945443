"""This machine: Python, packages, devices, a compiler."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from tasks.doctor.check import Check, fault, fine, warning

OLDEST_PYTHON = (3, 11)
TRAPS = {
    "fastapi": "Prefect's server does not start with it",
    "sqlalchemy": "Prefect's server starts with it, but no schedule ever fires",
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package that nightmark needs; ``wanted`` as pip writes it, ``found`` none if missing."""

    name: str
    wanted: str
    found: str | None
    fits: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to work with.

    Attributes:
        devices: the slots of the plan; ``devices_fault`` says why there are none.
        compiles: ``runtime.compile`` of the plan.
    """

    python: tuple[int, int, int]
    packages: tuple[Package, ...]
    devices: tuple[str, ...]
    devices_fault: str
    compiles: str
    has_compiler: bool


def installed_packages() -> tuple[Package, ...]:
    """What nightmark requires without extras, and what there is."""
    found = []
    for line in metadata.requires("nightmark") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = None
        fits = version is not None and requirement.specifier.contains(version, prereleases=True)
        found.append(Package(requirement.name, str(requirement.specifier), version, fits))
    return tuple(found)


def python_version() -> tuple[int, int, int]:
    major, minor, patch = platform.python_version_tuple()
    return int(major), int(minor), int("".join(filter(str.isdigit, patch)) or 0)


def check_machine(machine: Machine) -> Iterator[Check]:
    """Python, packages, torch, devices, compiler."""
    yield _python(machine.python)
    yield from _packages(machine.packages)
    if machine.devices_fault:
        remedy = "correct runtime.devices, or install a driver and a torch that see the device"
        yield fault("devices", machine.devices_fault, remedy)
    else:
        yield fine("devices", ", ".join(machine.devices))
    yield _compiler(machine)


def _python(found: tuple[int, int, int]) -> Check:
    said = ".".join(map(str, found))
    if found < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return fault("Python", said, f"make a virtual environment with Python {oldest} or newer")
    return fine("Python", said)


def _packages(packages: Sequence[Package]) -> Iterator[Check]:
    wrong = [package for package in packages if not package.fits]
    for package in wrong:
        version = package.found or "missing"
        trap = TRAPS.get(package.name.lower()) if package.found else None
        said = f"{package.name} {version}, {package.wanted} is needed" + (
            f": {trap}" if trap else ""
        )
        yield fault("packages", said, f"pip install '{package.name}{package.wanted}'")
    if not wrong:
        versions = {package.name: package.found for package in packages}
        shown = ", ".join(f"{n} {versions[n]}" for n in ("torch", "prefect") if n in versions)
        yield fine("packages", f"{len(packages)} as required; {shown}")


def _compiler(machine: Machine) -> Check:
    if machine.has_compiler:
        return fine("compiler", "there is a C++ compiler for runtime.compile")
    said = "no g++, clang++ or c++, nor what CXX names"
    if machine.compiles == "on":
        return fault("compiler", said, "install g++, or set runtime.compile to auto or off")
    if machine.compiles == "off":
        return fine("compiler", f"{said}; runtime.compile is off")
    return warning(
        "compiler", said, "install g++ for faster nights on large datasets (docs/engine.md)"
    )
