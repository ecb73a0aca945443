"""What the pages of a folder share: the chart library, the style sheet, what pages can do."""

import json
from importlib import resources

import plotly.offline

from shards.store import Store

ASSETS = "assets"
"""A folder beside the first page; every page refers to it by a relative path."""

PLOTLY = "plotly.min.js"
OWN = ("style.css", "evaluation.css", "page.js", "evaluation.js", "history.js")
POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
)
"""Scripts only from files of the folder: markup that came in with a name runs nothing. Styles are
also set in place, since Plotly does so. ``file:`` is what a page opened as a file is to itself."""


def asset_files() -> dict[str, bytes]:
    """The shared files by their names in the folder of assets."""
    templates = resources.files("tasks.report").joinpath("templates")
    script: str = plotly.offline.get_plotlyjs()
    own = {name: templates.joinpath(name).read_bytes() for name in OWN}
    return {PLOTLY: script.encode(), **own}


def write_assets(store: Store, folder: str) -> None:
    """Publish the shared files under the folder of a night, or of a page of its own."""
    for name, content in asset_files().items():
        path = f"{folder}/{ASSETS}/{name}"
        # The chart library is large, and the same while its size is.
        if name != PLOTLY or not store.exists(path) or store.size(path) != len(content):
            store.publish(path, content)


def put_script(name: str, value: object) -> bytes:
    """A script that gives a page the JSON ``value`` under ``name``: ``Nightmark.load`` waits for
    it. A page opened as a file may not read other files in any other way.
    """
    return f"Nightmark.put({script_json(name)}, {script_json(value)});\n".encode()


def script_json(value: object) -> str:
    """JSON that may stand in a script."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return safe_in_script(text)


def safe_in_script(text: str) -> str:
    """JSON in which nothing can end a ``<script>`` element or begin another."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
