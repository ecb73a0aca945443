"""A night as JUnit XML, for CI systems: one suite per pair, one case per gate.

Element and attribute names are those that Jenkins, GitLab and GitHub read.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from tasks.gates.verdict import Verdict
from tasks.night import Night, Outcome

NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may have, however they are written."""


def junit_xml(night: Night) -> bytes:
    """The document. A gate that failed is a failure; what could not be decided or measured is an
    error, since it is no pass; a gate that had nothing to judge is skipped. A gate that may only
    warn passes, and its warning is in the output.
    """
    root = ET.Element("testsuites", name=_clean(f"{night.plan} {night.name}"))
    for outcome in night.outcomes:
        root.append(_suite(night, outcome))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", _seconds((night.finished - night.started).total_seconds()))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(night: Night, outcome: Outcome) -> ET.Element:
    cases = list(_cases(outcome))
    suite = ET.Element(
        "testsuite",
        name=str(outcome.pair),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=_seconds(outcome.work.seconds),
        timestamp=f"{night.started:%Y-%m-%dT%H:%M:%S}",
    )
    properties = ET.SubElement(suite, "properties")
    facts = (
        ("model_fingerprint", outcome.fingerprint),
        ("dataset_version", outcome.dataset_version),
        ("evaluation", outcome.evaluation or ""),
    )
    for name, value in facts:
        ET.SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    return suite


def _cases(outcome: Outcome) -> Iterator[ET.Element]:
    name = str(outcome.pair)
    for verdict in outcome.verdicts:
        yield _case(name, verdict)
    decided = any(
        verdict.gate.severity == "fail" and verdict.state == outcome.state
        for verdict in outcome.verdicts
    )
    if not decided:
        # What no gate says by itself: nothing was measured, or no gate judged.
        case = ET.Element("testcase", name="can be judged", classname=name, time="0")
        if outcome.state != "passed":
            said = outcome.message or "No gate could judge this pair, so nothing is proven."
            _add(case, "error", said, outcome.state)
        yield case


def _case(pair: str, verdict: Verdict) -> ET.Element:
    case = ET.Element("testcase", name=_clean(str(verdict.gate)), classname=pair, time="0")
    match verdict.state, verdict.gate.severity:
        case "failed", "fail":
            _add(case, "failure", verdict.sentence, "failed")
        case "inconclusive", "fail":
            _add(case, "error", verdict.sentence, "inconclusive")
        case "not_applicable", _:
            _add(case, "skipped", verdict.sentence, "not_applicable")
        case "passed", _:
            pass
        case _:
            ET.SubElement(case, "system-out").text = _clean(f"Warning: {verdict.sentence}")
    return case


def _add(case: ET.Element, name: str, sentence: str, kind: str) -> None:
    said = _clean(sentence)
    ET.SubElement(case, name, message=said, type=kind).text = said


def _clean(text: str) -> str:
    return NOT_IN_XML.sub("\ufffd", text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
