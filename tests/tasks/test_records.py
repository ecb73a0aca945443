from typing import Literal

import pytest
from pydantic import ValidationError

from shards.errors import ShardError
from tasks.layout import PairName, SplitName
from tasks.records import Pair, Record


class Weather(Record):
    schema_name: Literal["nightmark.weather"] = "nightmark.weather"
    schema_version: Literal[1] = 1
    sky: str
    degrees: float


def test_a_record_survives_its_file() -> None:
    clear = Weather(sky="clear ☀", degrees=21.5)
    raw = clear.to_json()
    assert raw.endswith(b"}\n")
    assert Weather.from_json(raw, "weather.json") == clear
    assert Weather(degrees=21.5, sky="clear ☀").to_json() == raw


def test_a_record_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Weather(sky="clear", degrees=21.5).sky = "grey"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"sky": "clear"}',
        b'{"sky": "clear", "degrees": 2, "wind": 3}',
        b'{"schema_version": 2, "sky": "clear", "degrees": 2}',
        b'{"schema_name": "nightmark.night", "sky": "clear", "degrees": 2}',
        b'\xff\xfe{"sky": "clear"}',
    ],
)
def test_what_is_no_such_record(raw: bytes) -> None:
    with pytest.raises(ShardError) as refused:
        Weather.from_json(raw, "folder/weather.json")
    message = str(refused.value)
    assert message.startswith("folder/weather.json is no Weather of this version (")
    assert message.endswith("); remove the file and run again")


def test_pairs_and_their_names() -> None:
    name = PairName(SplitName("cifar10", "test"), "m")
    pair = Pair.of(name)
    assert pair.name == name
    assert str(pair) == str(name) == "cifar10/test/m"


def test_a_record_without_its_schema_is_refused() -> None:
    with pytest.raises(ShardError, match=r"weather\.json does not say which schema it has"):
        Weather.from_json(b'{"sky": "clear", "degrees": 2}', "weather.json")
