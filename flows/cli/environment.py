"""Settings that Prefect reads when it is first imported; so this comes before any such import."""

import os
from pathlib import Path

DEFAULTS = {
    # A fresh database takes longer than Prefect's 20 seconds to be made.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # The command prints its own progress and errors; the runs' logs are in the Prefect UI.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
    # A worker asks for work every ten seconds, and one that is busy is no night that has not begun.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "60",
    # By these a server notices that a run's process is gone (conf/automations.yaml).
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}


def prepare() -> None:
    """Fill in what the user has not set."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def isolate(prefect_home: Path) -> None:
    """Use a Prefect of our own in ``prefect_home``, whatever server the user has configured."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    # Prefect makes the last folder of the path only.
    prefect_home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(prefect_home.resolve())
    prepare()
