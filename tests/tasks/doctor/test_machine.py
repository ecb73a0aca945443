from dataclasses import replace

import pytest

from tasks.doctor.check import Check
from tasks.doctor.machine import Machine, Package, check_machine, installed_packages, python_version

SILENT = "Prefect's server starts with it, but no schedule ever fires"
GOOD = Machine(
    python=(3, 11, 9),
    packages=(Package("torch", ">=2.9", "2.9.0", fits=True),),
    devices=("cpu:0",),
    devices_fault="",
    compiles="auto",
    has_compiler=True,
)


def found(machine: Machine, name: str) -> Check:
    (check,) = (check for check in check_machine(machine) if check.name == name)
    return check


def test_a_good_machine() -> None:
    checks = list(check_machine(GOOD))
    assert {check.state for check in checks} == {"fine"}
    assert found(GOOD, "packages").said == "1 as required; torch 2.9.0"


def test_an_old_python() -> None:
    check = found(replace(GOOD, python=(3, 10, 12)), "Python")
    assert (check.state, check.said) == ("fault", "3.10.12")
    assert "Python 3.11 or newer" in check.remedy


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (Package("torch", ">=2.9", None, fits=False), "torch missing, >=2.9 is needed"),
        (
            Package("fastapi", "<0.151,>=0.139", "0.165.0", fits=False),
            "fastapi 0.165.0, <0.151,>=0.139 is needed: Prefect's server does not start with it",
        ),
        (
            Package("sqlalchemy", "<2.1", "2.1.0", fits=False),
            "sqlalchemy 2.1.0, <2.1 is needed: " + SILENT,
        ),
    ],
)
def test_a_package_that_does_not_fit(package: Package, said: str) -> None:
    check = found(replace(GOOD, packages=(package,)), "packages")
    assert (check.state, check.said) == ("fault", said)
    assert check.remedy == f"pip install '{package.name}{package.wanted}'"


def test_a_device_that_is_not_there() -> None:
    machine = replace(GOOD, devices=(), devices_fault="cuda:0 is not on this machine")
    check = found(machine, "devices")
    assert (check.state, check.said) == ("fault", "cuda:0 is not on this machine")


@pytest.mark.parametrize(
    ("compiles", "state"), [("on", "fault"), ("auto", "warning"), ("off", "fine")]
)
def test_no_compiler(compiles: str, state: str) -> None:
    machine = replace(GOOD, has_compiler=False, compiles=compiles)
    assert found(machine, "compiler").state == state


def test_what_is_installed_here_fits() -> None:
    packages = installed_packages()
    assert [package.name for package in packages if not package.fits] == []
    assert {"torch", "prefect", "fastapi", "sqlalchemy"} <= {p.name for p in packages}
    assert "foolbox" not in {package.name for package in packages}
    assert python_version() >= (3, 11, 0)
