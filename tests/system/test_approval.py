"""What passed waits for a person while nights go on: a real server, worker and deployment."""

from pathlib import Path
from typing import Any

from tests.support.served import REPOSITORY, Served, serving

NEVER = "0 0 1 1 *"
WORKING = "prefect.flow_engine", "prefect.engine"


def suspended(served: Served) -> dict[str, Any] | None:
    runs = served.runs("approve")
    return next((run for run in runs if run["state_name"] == "Suspended"), None)


def test_a_night_asks_and_a_person_answers(tmp_path: Path, free_port: int) -> None:
    text = (REPOSITORY / "tests" / "plans" / "small.yaml").read_text()
    text = text.replace("../../", f"{REPOSITORY}/")
    (tmp_path / "plan.yaml").write_text(f"promotion: approval\n{text}")
    with serving(tmp_path, tmp_path / "plan.yaml", free_port, NEVER) as served:
        assert served.ended(served.begin("nightly"))["state_name"] == "Passed"
        run = served.wait(lambda: suspended(served), 60, "the run that asks")
        served.wait(
            lambda: not any(served.process_of(words) for words in WORKING),
            60,
            "the process of the run that waits to end",
        )
        again = served.ended(served.begin("nightly"))
        assert again["state_name"] == "Passed", "nights do not wait for the answer"
        assert len(served.runs("approve")) == 1, "nobody is asked twice about one evaluation"
        assert not list(served.root.glob("decisions/**/*.json"))

        answer = {"decision": "approve", "who": "Ada", "why": "as I hoped"}
        served.api("POST", f"flow_runs/{run['id']}/resume", json={"run_input": answer})
        ended = served.ended(run["id"])
        assert ended["state_name"] == "Approved", ended["state"]
        assert "Ada: as I hoped" in ended["state"]["message"]
        (decision,) = served.root.glob("decisions/cifar10/test/resnet8/*.json")
        assert '"Ada"' in decision.read_text()
