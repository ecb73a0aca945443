"""What pages share, and values that scripts carry to them."""

import json

from tasks.report.assets import PLOTLY, asset_files, put_script, script_json


def test_the_shared_files_are_plotlys_and_ours() -> None:
    files = asset_files()
    own = ["style.css", "evaluation.css", "page.js", "evaluation.js", "history.js"]
    assert list(files) == [PLOTLY, *own]
    assert b"plotly.js" in files[PLOTLY][:200]
    assert all(b"http" not in content for name, content in files.items() if name != PLOTLY)


def test_a_value_comes_back_whatever_is_in_it() -> None:
    value = {"</script><!--": ["<script>", "a & b", "\u2028", "é", None, 1.5]}
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_script_puts_its_value_under_a_name() -> None:
    assert put_script("images", [1]) == b'Nightmark.put("images", [1]);\n'
