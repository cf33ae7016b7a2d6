"""The bars of the report as SVG: each state has its hatch, its number and its place in the legend, so that a black and white print and a
colour-blind reader lose nothing. The same bars give the same bytes.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from transvase.model.report import DELAYS, STATUSES, Bars, said

# Okabe-Ito colours, with a hatch each.
_LOOK: dict[str, tuple[str, str]] = {
    "in_time": ("#0072B2", ""),
    "late": ("#56B4E9", "//"),
    "undated": ("#56B4E9", ".."),
    "adopted": ("#009E73", "--"),
    "waiting": ("#F0E442", ""),
    "missing": ("#E69F00", "\\\\"),
    "refused": ("#D55E00", "xx"),
    "blocked": ("#111111", ""),
    "exempt": ("#DDDDDD", ".."),
    "same_day": ("#0072B2", ""),
    "next_day": ("#56B4E9", "//"),
    "week": ("#F0E442", "--"),
    "month": ("#E69F00", "\\\\"),
    "later": ("#D55E00", "xx"),
}
# Numbers are written on segments wide enough to hold them; the table under the bars has them all.
_ENOUGH = 0.035


def label_of(series: str, language: str) -> str:
    """Label of a series."""
    return said(STATUSES.get(series) or DELAYS[series], language)


def description(bars: Bars, language: str) -> str:
    """The bars in words, for who does not see them."""
    parts = []
    for at, name in enumerate(bars.names):
        told = ", ".join(f"{label_of(s, language)} {counts[at]}" for s, counts in bars.series if counts[at])
        parts.append(f"{said(name, language)} : {told or 0}")
    return f"{said(bars.title, language)}. " + " ; ".join(parts)


def svg(bars: Bars, language: str) -> bytes:
    """The bars drawn, one horizontal bar a name."""
    # Heavy, and only the report draws.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    series = [(s, counts) for s, counts in bars.series if any(counts)]
    most = max((sum(counts[i] for _, counts in series) for i in range(len(bars.names))), default=0) or 1
    settings: Any = {
        "svg.hashsalt": bars.id,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "hatch.linewidth": 0.8,
    }
    with mpl.rc_context(settings):
        lines = -(-len(series) // 3)
        height = 0.34 * len(bars.names) + 0.35 + 0.26 * lines
        figure = Figure(figsize=(9.5, height))
        axes = figure.add_axes((0.17, (0.1 + 0.26 * lines) / height, 0.81, 0.34 * len(bars.names) / height))
        left = [0] * len(bars.names)
        for name, counts in series:
            colour, hatch = _LOOK[name]
            axes.barh(
                range(len(bars.names)), counts, left=left, color=colour, hatch=hatch, edgecolor="white" if name != "exempt" else "#555555",
                linewidth=0.8, height=0.78, label=label_of(name, language),
            )  # fmt: skip
            for at, n in enumerate(counts):
                if n >= most * _ENOUGH * max(1, len(str(n)) / 3):
                    axes.text(
                        left[at] + n / 2, at, str(n), ha="center", va="center", color="#111111",
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
                    )  # fmt: skip
                left[at] += n
        axes.set_yticks(range(len(bars.names)), [said(n, language) for n in bars.names])
        axes.set_ylim(len(bars.names) - 0.5, -0.5)
        axes.set_xlim(0, most)
        axes.set_xticks([])
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0)
        figure.legend(loc="lower left", ncols=3, frameon=False, bbox_to_anchor=(0.0, 0.0), fontsize=9)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def data_uri(bars: Bars, language: str) -> str:
    """The drawing inside an address, for a page that stands alone."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(bars, language)).decode()
