"""JUnit XML as CI systems read it."""

import xml.etree.ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from tasks.report.junit import junit_xml
from tests.tasks.report.nights import MISSING, NightCase, cifar, judged, make_night

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"failure", "error", "skipped", "system-out"},
    "failure": set(),
    "error": set(),
    "skipped": set(),
    "system-out": set(),
}
"""Of the common schema, what nightmark writes."""

ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message", "type"},
}


def test_the_document_is_of_the_common_schema(case: NightCase) -> None:
    for element in ET.fromstring(junit_xml(case.night)).iter():  # noqa: S314  # ours
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())


def test_every_gate_is_a_case_and_counts_add_up(case: NightCase) -> None:
    document = JUnitXml.fromstring(junit_xml(case.night))
    suites = list(document)
    assert [suite.name for suite in suites] == [str(o.pair) for o in case.night.outcomes]
    assert document.tests == sum(len(list(suite)) for suite in suites)
    assert document.failures == sum(suite.failures for suite in suites) > 0
    assert document.errors == sum(suite.errors for suite in suites) > 0
    for suite, outcome in zip(suites, case.night.outcomes, strict=True):
        gates = [str(verdict.gate) for verdict in outcome.verdicts]
        assert [found.name for found in suite][: len(gates)] == gates
        found = (suite.failures + suite.errors) == 0
        assert found == (outcome.state == "passed"), "only a pass is green"


def test_failures_errors_and_warnings_are_told_apart(case: NightCase) -> None:
    outcome = next(o for o in case.night.outcomes if o.state == "failed")
    kinds = {"failed": Failure, "inconclusive": Error, "not_applicable": Skipped}
    for found, verdict in zip(_suite(case, str(outcome.pair)), outcome.verdicts, strict=False):
        if verdict.gate.severity == "warn":
            assert found.result == []
            assert found.system_out == f"Warning: {verdict.sentence}"
        elif verdict.state == "passed":
            assert found.result == []
        else:
            [result] = found.result
            assert isinstance(result, kinds[verdict.state])
            assert result.message == verdict.sentence


def test_a_pair_that_was_not_measured_is_an_error(case: NightCase) -> None:
    [found] = _suite(case, str(cifar("lost")))
    [result] = found.result
    assert isinstance(result, Error)
    assert (result.type, result.message) == ("unusable", MISSING)


@pytest.mark.parametrize("text", ["<script>&\"'", "a\x00b\x1bc", "ümläut \ud800 end"])
def test_any_sentence_is_readable(case: NightCase, text: str) -> None:
    failed = next(o for o in case.night.outcomes if o.state == "failed")
    said = failed.verdicts[0].model_copy(update={"sentence": text, "state": "failed"})
    night = make_night((failed.model_copy(update={"verdicts": (said,)}),))
    [suite] = JUnitXml.fromstring(junit_xml(night))
    [found] = suite
    wanted = "".join("\ufffd" if c in "\x00\x1b\ud800" else c for c in text)
    assert found.result[0].message == wanted


def test_without_gates_nothing_is_green(case: NightCase) -> None:
    scoring = case.scoring("good")
    night = make_night((judged(scoring, ()),))
    [suite] = JUnitXml.fromstring(junit_xml(night))
    assert (suite.tests, suite.errors) == (1, 1)


def test_an_empty_night_is_a_document() -> None:
    assert JUnitXml.fromstring(junit_xml(make_night(()))).tests == 0


def _suite(case: NightCase, name: str):
    return next(suite for suite in JUnitXml.fromstring(junit_xml(case.night)) if suite.name == name)
