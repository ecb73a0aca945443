import os

import pytest

from shards.errors import InputError
from tasks.slots import devices
from tasks.slots.devices import Device, find_devices


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores and no GPU."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(devices, "_cuda_devices", lambda: 0)
    return monkeypatch


def test_this_machine_has_a_device() -> None:
    (first, *_) = find_devices(("auto",))
    assert first.threads >= 1


def test_auto_without_a_gpu_is_the_cpu(machine: pytest.MonkeyPatch) -> None:
    assert find_devices(("auto",)) == (Device("cpu", 0, 8),)


def test_auto_with_gpus_is_all_of_them(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(devices, "_cuda_devices", lambda: 2)
    assert find_devices(("auto",)) == (Device("cuda", 0, 4), Device("cuda", 1, 4))


def test_shares_of_the_cpu_share_its_cores(machine: pytest.MonkeyPatch) -> None:
    assert find_devices(("cpu:0", "cpu:1")) == (Device("cpu", 0, 4), Device("cpu", 1, 4))
    many = find_devices(tuple(f"cpu:{number}" for number in range(20)))
    assert {device.threads for device in many} == {1}


def test_a_kind_alone_is_its_first(machine: pytest.MonkeyPatch) -> None:
    assert find_devices(("cpu",)) == (Device("cpu", 0, 8),)


def test_all_gpus_and_several_slots_on_one(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(devices, "_cuda_devices", lambda: 2)
    assert find_devices(("cuda:all",)) == find_devices(("auto",))
    assert find_devices(("cuda:1*2",)) == (Device("cuda", 1, 4, 0), Device("cuda", 1, 4, 1))
    four = find_devices(("cuda:all*2",))
    assert [str(device) for device in four] == ["cuda:0.0", "cuda:0.1", "cuda:1.0", "cuda:1.1"]
    assert {device.threads for device in four} == {2}
    assert find_devices(("cuda:0*2", "cuda:1"))[2] == Device("cuda", 1, 2)
    assert find_devices(("cuda:0*1",)) == (Device("cuda", 0, 8),)


def test_several_slots_on_the_cpu_are_its_shares(machine: pytest.MonkeyPatch) -> None:
    assert find_devices(("cpu*2",)) == find_devices(("cpu:0", "cpu:1"))


@pytest.mark.parametrize(
    "names", [("cuda:0", "cuda:0*2"), ("cuda:0*2", "cuda:0*3"), ("cuda:all", "cuda:1")]
)
def test_a_device_in_two_names(machine: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    machine.setattr(devices, "_cuda_devices", lambda: 2)
    with pytest.raises(InputError, match="names a device twice"):
        find_devices(names)


@pytest.mark.parametrize(
    "name",
    [
        "cpu:all",
        "cpu:0*2",
        "cuda:0*0",
        "cuda:0*",
        "auto*2",
        "gpu",
        "cpu:",
        "cpu:x",
        "cpu:-1",
        "CPU:0",
        "",
        "cuda:0:1",
        "cpu:0\n",
    ],
)
def test_what_is_no_device(machine: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(InputError, match="is no device; write auto, cpu:0 or cuda:0") as refused:
        find_devices((name,))
    assert repr(name) in str(refused.value)


def test_auto_stands_alone(machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'auto' is no device"):
        find_devices(("auto", "cpu:0"))


def test_a_gpu_that_is_not_there(machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cuda:0 is not on this machine \\(0 CUDA devices\\)"):
        find_devices(("cuda:0",))
    with pytest.raises(InputError, match="cuda:all is not on this machine"):
        find_devices(("cuda:all",))
    machine.setattr(devices, "_cuda_devices", lambda: 2)
    with pytest.raises(InputError, match="cuda:2 is not on this machine \\(2 CUDA devices\\)"):
        find_devices(("cuda:0", "cuda:2"))


@pytest.mark.parametrize("names", [("cpu:0", "cpu:0"), ("cpu", "cpu:0"), ("cpu:1", "cpu:01")])
def test_twice_the_same(machine: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"{', '.join(names)} names a device twice"):
        find_devices(names)


def test_kinds_do_not_mix(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(devices, "_cuda_devices", lambda: 1)
    with pytest.raises(InputError, match="CPU and CUDA cannot share one run"):
        find_devices(("cpu:0", "cuda:0"))


def test_names_for_people_and_for_torch() -> None:
    assert str(Device("cuda", 3, 1)) == "cuda:3"
    assert Device("cuda", 3, 1).torch_name == "cuda:0"
    assert (str(Device("cpu", 1, 1)), Device("cpu", 1, 1).torch_name) == ("cpu:1", "cpu")
