"""Draws groups of horizontal bars as SVG."""
from xml.sax.saxutils import escape

import draw

LEFT, WIDTH, ROW_HEIGHT, TOP, BAR = 290, 780, 26, 56, 380
STYLE = (
    draw.STYLE
    + "\n  .good.bar { fill: #1a7f37 } .bad.bar { fill: #b3261e } .other.bar { fill: #0550ae }"
    + "\n  @media (prefers-color-scheme: dark) { .good.bar { fill: #3fb950 } .bad.bar { fill: #ff7b72 }"
    + " .other.bar { fill: #58a6ff } }"
)


def picture(title, groups):
    """groups: (heading, [(label, value, words, kind)]); the longest bar of a group is BAR long.
    kind: good, bad or other."""
    parts, y = [], TOP

    def text(x, at, what, kind, anchor):
        kind = f' class="{kind}"' if kind else ""
        parts.append(f'  <text x="{x}" y="{at}" text-anchor="{anchor}"{kind}>{escape(what)}</text>')

    text(WIDTH // 2, 30, title, "title", "middle")
    for heading, rows in groups:
        y += 14
        text(16, y + 17, heading, "", "start")
        y += ROW_HEIGHT
        most = max(value for _, value, _, _ in rows)
        for label, value, words, kind in rows:
            text(LEFT - 10, y + 15, label, "note", "end")
            length = max(2, round(BAR * value / most))
            parts.append(f'  <rect class="{kind} bar" x="{LEFT}" y="{y}" width="{length}" height="18" rx="2"/>')
            text(LEFT + length + 8, y + 14, words, "" if kind == "other" else kind, "start")
            y += ROW_HEIGHT
    height = y + 16
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label="{escape(title)}">'
    )
    page = f'  <rect class="page" width="{WIDTH}" height="{height}" rx="6"/>'
    return "\n".join([head, f"  <style>{STYLE}\n  </style>", page, *parts, "</svg>", ""])
