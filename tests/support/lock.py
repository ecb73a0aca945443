"""Write the lock files from what is installed: ``python tests/support/lock.py``.

requirements.lock holds everything that nightmark and its demo need, requirements-dev.lock what the
tests and checks need besides. Both are complete, so that pip installs them with ``--no-deps``.
"""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ONLY_X86 = re.compile(r"nvidia-|triton|cuda-")
HEAD = "# Made by tests/support/lock.py from what is installed; do not edit.\n"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Names of everything that a distribution with extras needs, itself included."""
    if (canonical(name), extras) in seen:
        return set()
    seen.add((canonical(name), extras))
    found = {canonical(name)}
    for wanted in requirements(name):
        environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if wanted.marker is None or any(wanted.marker.evaluate(env) for env in environments):
            found |= closure(wanted.name, frozenset(wanted.extras), seen)
    return found


def requirements(name: str) -> list[Requirement]:
    """Ours as pyproject.toml says now; what was installed may be older."""
    if canonical(name) != "nightmark":
        return [Requirement(line) for line in metadata.requires(name) or ()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [
        f'{line} ; extra == "{extra}"'
        for extra, wanted in project["optional-dependencies"].items()
        for line in wanted
    ]
    return [Requirement(line) for line in (*project["dependencies"], *extras)]


def lines(names: set[str]) -> str:
    pinned = []
    for name in sorted(names - {"nightmark"}):
        marker = ' ; platform_machine == "x86_64"' if ONLY_X86.match(name) else ""
        pinned.append(f"{name}=={metadata.version(name)}{marker}")
    return HEAD + "\n".join(pinned) + "\n"


def main() -> None:
    runtime = closure("nightmark", frozenset({"demo"}), set())
    # torch needs setuptools and does not always say so.
    runtime |= {"setuptools"}
    dev = closure("nightmark", frozenset({"demo", "dev"}), set()) - runtime
    (ROOT / "requirements.lock").write_text(lines(runtime))
    (ROOT / "requirements-dev.lock").write_text(lines(dev))


if __name__ == "__main__":
    main()
