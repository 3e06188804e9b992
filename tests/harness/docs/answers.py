"""Draws how many answers came whole, from the table of `make demo` that README.md shows."""
import os
import re
from xml.sax.saxutils import escape

import draw

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "README.md")
ROW = re.compile(r"^(curl|wget) +(POST|GET) .*?(gc_close|shutdown \+ close|close) +(\d+)/(\d+) ", re.MULTILINE)
LEFT, WIDTH, ROW_HEIGHT, TOP = 290, 780, 26, 56
BAR = 400

WORDS = {
    "en": {
        "title": "Answers that came whole, of {0}", "POST": "upload of 5 MB refused (413)",
        "GET": "file of 1 MiB, 20 kB unread",
    },
    "ko": {
        "title": "온전히 도착한 응답({0}개 중)", "POST": "5MB 업로드 거절(413)", "GET": "1MiB 파일, 20kB를 읽지 않음",
    },
}


def rows():
    """[(client, request, close, whole, of)]"""
    with open(README, encoding="utf-8") as file:
        found = ROW.findall(file.read())
    if len(found) != 12:
        raise SystemExit(f"README.md has {len(found)} rows of make demo's first table, not 12")
    return [(client, request, close, int(whole), int(of)) for client, request, close, whole, of in found]


def picture(language):
    words, parts, y, before = WORDS[language], [], TOP, None
    table = rows()
    title = words["title"].format(table[0][4])

    def text(x, at, what, kind, anchor):
        kind = f' class="{kind}"' if kind else ""
        parts.append(f'  <text x="{x}" y="{at}" text-anchor="{anchor}"{kind}>{escape(what)}</text>')

    text(WIDTH // 2, 30, title, "title", "middle")
    for client, request, close, whole, of in table:
        if (client, request) != before:
            before = (client, request)
            y += 14
            text(16, y + 17, f"{client}, {words[request]}", "", "start")
            y += ROW_HEIGHT
        text(LEFT - 10, y + 15, close, "note", "end")
        kind = "good" if whole == of else "bad"
        length = max(2, BAR * whole // of)
        parts.append(f'  <rect class="{kind} bar" x="{LEFT}" y="{y}" width="{length}" height="18" rx="2"/>')
        text(LEFT + length + 8, y + 14, str(whole), kind, "start")
        y += ROW_HEIGHT
    height = y + 16
    style = (
        draw.STYLE
        + "\n  .good.bar { fill: #1a7f37 } .bad.bar { fill: #b3261e }"
        + "\n  @media (prefers-color-scheme: dark) { .good.bar { fill: #3fb950 } .bad.bar { fill: #ff7b72 } }"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" role="img" aria-label="{escape(title)}">'
    )
    page = f'  <rect class="page" width="{WIDTH}" height="{height}" rx="6"/>'
    return "\n".join([head, f"  <style>{style}\n  </style>", page, *parts, "</svg>", ""])
