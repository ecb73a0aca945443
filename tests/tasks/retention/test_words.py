import pytest

from tasks.retention.words import size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB")),
        *((5e9, "5.0 GB"), (2e12, "2.0 TB"), (2e16, "20,000.0 TB")),
    ],
)
def test_sizes(size: float, text: str) -> None:
    assert size_text(size) == text
