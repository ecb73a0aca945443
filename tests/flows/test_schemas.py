"""Records have published schemas, and files of a released version keep loading."""

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from flows.cli.schemas import RECORDS, record_schema_text
from shards.errors import InputError
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tests.tasks.report.nights import NAMES, NightCase, cifar, judged, make_night, make_scoring

REPOSITORY = Path(__file__).parents[2]
FROZEN = REPOSITORY / "tests" / "frozen"


@pytest.mark.parametrize("name", RECORDS)
def test_the_committed_schema_is_that_of_the_code(name: str) -> None:
    committed = (REPOSITORY / "conf" / f"{name}.schema.json").read_text("utf-8")
    assert committed == record_schema_text(name), (
        f"write it anew: nightmark record-schema {name} > conf/{name}.schema.json"
    )


@pytest.mark.parametrize("name", RECORDS)
def test_the_command_prints_the_schema(name: str) -> None:
    printed = CliRunner().invoke(app, ["record-schema", name])
    assert printed.stdout == record_schema_text(name)


def test_of_other_records_the_command_says_what_there_is() -> None:
    found = CliRunner().invoke(app, ["record-schema", "nothing"])
    assert isinstance(found.exception, InputError)
    assert "metrics, night, evaluation, comparison" in str(found.exception)


def test_records_of_now_fit_their_schema() -> None:
    scoring = make_scoring(cifar("m"), NAMES, n=200, skill=2.0, present=9, failed=2)
    case = NightCase(make_night((judged(scoring),)), {str(scoring.pair): scoring})
    for name, record in (("metrics", scoring), ("night", case.night)):
        jsonschema.validate(json.loads(record.to_json()), json.loads(record_schema_text(name)))


def test_a_foreign_key_does_not_fit() -> None:
    record = json.loads((FROZEN / "metrics.v1.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "more": 1}, json.loads(record_schema_text("metrics")))


def test_frozen_metrics_keep_loading() -> None:
    raw = (FROZEN / "metrics.v1.json").read_bytes()
    scoring = Scoring.from_json(raw, "metrics.v1.json")
    top1 = scoring.metric("top1")
    assert (scoring.n, top1.hits, top1.n) == (28, 24, 28)
    assert scoring.class_names[:2] == ("cat", "dog")


def test_a_frozen_night_keeps_loading() -> None:
    night = Night.from_json((FROZEN / "night.v1.json").read_bytes(), "night.v1.json")
    assert [outcome.pair.model for outcome in night.outcomes] == ["frozen", "lost"]
    assert (night.kind, night.quick, night.state) == ("night", None, "unusable")
