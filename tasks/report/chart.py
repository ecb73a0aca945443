"""A Plotly figure as a page carries it: JSON that ``page.js`` draws, and what it shows in words."""

from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup

from tasks.report.assets import safe_in_script


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a page.

    Attributes:
        id: of its element, once on a page.
        figure: ``{"data": …, "layout": …}`` as JSON that is safe inside a ``<script>``.
        caption: what it shows, in words: also for those who do not see it.
        height: pixels that are kept free for it.
    """

    id: str
    figure: Markup
    caption: str
    height: int | None = None

    @classmethod
    def of(cls, figure: go.Figure, chart: str, caption: str) -> "Chart":
        """The chart of a figure. A trace with ``meta={"hrefs": […]}`` leads where it is clicked."""
        return cls(
            id=chart,
            figure=Markup(safe_in_script(figure.to_json(validate=False))),  # noqa: S704
            caption=caption,
            height=figure.layout.height,
        )
