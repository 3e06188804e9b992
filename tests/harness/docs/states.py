"""Draws the states that a closing connection goes through, with our steps (RFC 9293, figure 5)."""
from xml.sax.saxutils import escape

import draw

BOX = (196, 42)
PLACES = {
    "ESTABLISHED": (370, 80), "FIN_WAIT_1": (120, 170), "FIN_WAIT_2": (120, 300), "CLOSING": (370, 235),
    "TIME_WAIT": (370, 365), "CLOSE_WAIT": (640, 170), "LAST_ACK": (640, 300), "CLOSED": (640, 410),
}
# from, to, the words beside the line, where they stand, their anchor
EDGES = [
    ("ESTABLISHED", "FIN_WAIT_1", "we", (170, 122), "end"),
    ("ESTABLISHED", "CLOSE_WAIT", "peer", (540, 122), "start"),
    ("FIN_WAIT_1", "FIN_WAIT_2", "acked", (130, 240), "start"),
    ("FIN_WAIT_1", "CLOSING", "fin", (262, 192), "start"),
    ("CLOSING", "TIME_WAIT", "acked", (380, 305), "start"),
    ("FIN_WAIT_2", "TIME_WAIT", "fin", (238, 352), "end"),
    ("CLOSE_WAIT", "LAST_ACK", "we", (650, 240), "start"),
    ("LAST_ACK", "CLOSED", "acked", (650, 360), "start"),
    ("TIME_WAIT", "CLOSED", "timer", (492, 412), "end"),
]
WORDS = {
    "en": {
        "describe": "States of a TCP connection while it is closed, and what gc_close does in each",
        "we": "half-close: our FIN", "peer": "the peer's FIN", "acked": "our FIN is acknowledged", "fin": "the peer's FIN",
        "timer": "Linux: 60 s", "left": "We close first", "right": "The peer closes first",
        "ESTABLISHED": "", "FIN_WAIT_1": "drain", "FIN_WAIT_2": "GC_UNTIL_ACKED: over", "CLOSING": "confirm",
        "TIME_WAIT": "GC_GRACEFUL", "CLOSE_WAIT": "", "LAST_ACK": "drain, then confirm", "CLOSED": "GC_GRACEFUL",
    },
    "ko": {
        "describe": "TCP 연결이 닫히는 동안의 상태와 각 상태에서 gc_close가 하는 일",
        "we": "half-close: 우리의 FIN", "peer": "상대의 FIN", "acked": "우리 FIN이 확인(ACK)됨", "fin": "상대의 FIN",
        "timer": "Linux: 60초", "left": "우리가 먼저 닫음", "right": "상대가 먼저 닫음",
        "ESTABLISHED": "", "FIN_WAIT_1": "남은 데이터를 읽어 버림", "FIN_WAIT_2": "GC_UNTIL_ACKED: 끝", "CLOSING": "확인 대기",
        "TIME_WAIT": "GC_GRACEFUL", "CLOSE_WAIT": "", "LAST_ACK": "읽어 버린 뒤 확인 대기", "CLOSED": "GC_GRACEFUL",
    },
}
WIDTH, HEIGHT = 850, 460


def ends(source, target):
    """The line between two boxes, from edge to edge."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    half = BOX[0] // 2, BOX[1] // 2
    if abs(y2 - y1) <= BOX[1] + 20:  # beside each other
        way = 1 if x2 > x1 else -1
        return x1 + way * half[0], y1, x2 - way * half[0], y2
    if x1 == x2:
        return x1, y1 + half[1], x2, y2 - half[1]
    way = 1 if x2 > x1 else -1
    return x1 + way * half[0] // 2, y1 + half[1], x2 - way * half[0] // 2, y2 - half[1]


def picture(language):
    words = WORDS[language]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' role="img" aria-label="{escape(words["describe"])}">',
        f"  <style>{draw.STYLE}\n  .box {{ fill: none; stroke: #0550ae; stroke-width: 1.5 }}\n"
        "  @media (prefers-color-scheme: dark) { .box { stroke: #58a6ff } }\n  </style>",
        '  <defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>',
        f'  <rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
    ]

    def text(x, y, what, kind="", anchor="middle"):
        kind = f' class="{kind}"' if kind else ""
        parts.append(f'  <text x="{x}" y="{y}" text-anchor="{anchor}"{kind}>{escape(what)}</text>')

    text(120, 40, words["left"], "title")
    text(640, 40, words["right"], "title")
    for source, target, label, (x, y), anchor in EDGES:
        x1, y1, x2, y2 = ends(source, target)
        parts.append(f'  <path class="arrow" d="M{x1} {y1}L{x2} {y2}" marker-end="url(#head)"/>')
        text(x, y, words[label], "note", anchor)
    for name, (x, y) in PLACES.items():
        parts.append(
            f'  <rect class="box" x="{x - BOX[0] // 2}" y="{y - BOX[1] // 2}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
        )
        inside = words[name]
        text(x, y - 2 if inside else y + 5, name, "title")
        if inside:
            kind = "good" if inside == "GC_GRACEFUL" else "note"
            text(x, y + 14, inside, kind)
    return "\n".join(parts + ["</svg>", ""])
