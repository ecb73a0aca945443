"""File locks that guard devices against other processes of this user, and die with their holder."""

import fcntl
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from tasks.slots.devices import Device

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.05


def lock_file(device: Device) -> Path:
    """Held exclusively by a slot that has the device alone, and together by slots that share it."""
    return _folder() / f"{device.kind}-{device.number}.lock"


def lock(device: Device) -> tuple[IO[bytes], ...]:
    """Wait until the device is free for this slot; it is until the files are closed."""
    if device.share is None:
        return (_locked(lock_file(device), fcntl.LOCK_EX, device),)
    whole = _locked(lock_file(device), fcntl.LOCK_SH, device)
    share = _folder() / f"{device.kind}-{device.number}-{device.share}.lock"
    return whole, _locked(share, fcntl.LOCK_EX, device)


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"nightmark-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _locked(path: Path, kind: int, device: Device) -> IO[bytes]:
    file = path.open("ab")
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < patient_until:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)
        else:
            return file
    sys.stderr.write(f"waiting for {device}: another nightmark process is using it\n")
    fcntl.flock(file, kind)
    return file
