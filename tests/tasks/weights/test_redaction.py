import pytest

from tasks.weights.redaction import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to http://ada:pw@host:1/api failed", "to http://…@host:1/api failed"),
        ("postgresql://ada:p/w@host/db", "postgresql://…@host/db"),
        ("url='https://host/a.bin?sig=x&y=z', 404", "url='https://host/a.bin', 404"),
        ("exceeded with url: /a.bin?sig=x (Caused", "exceeded with url: /a.bin (Caused"),
        ('models.0.weights="https://host/a?sig=x"', 'models.0.weights="https://host/a"'),
    ],
)
def test_what_an_address_may_hold_is_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "hf://org/name@v1:2/a.bin",
        "models:/pets@champion/a.bin",
        "s3://b/a.bin?versionId=3",
        "http://host:8080/a@b.bin",
        "is it there? see /a.bin",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert without_secrets(text) == text
