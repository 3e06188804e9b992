"""Draws sequence diagrams as SVG from the traces of capture.py, in English and Korean."""
from xml.sax.saxutils import escape

PANEL, GAP, MARGIN = 430, 20, 16
LIFELINE = {"client": 70, "server": 360}
STEP, TOP = 34, 92
ANSWER = 1048576

STYLE = """
  text { font: 14px system-ui, "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", sans-serif; fill: #1b1f24 }
  .title { font-weight: 600; font-size: 15px }
  .note { font-size: 13px; fill: #57606a }
  .page { fill: #ffffff }
  .life { stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 4 4 }
  .arrow { stroke: #0550ae; stroke-width: 2; fill: none }
  .head { fill: #0550ae; stroke: none }
  .bad.arrow { stroke: #b3261e } .bad.head { fill: #b3261e } text.bad { fill: #b3261e; font-weight: 600 }
  text.good { fill: #1a7f37; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 } .page { fill: #0d1117 } .life { stroke: #6e7681 }
    .arrow { stroke: #58a6ff } .head { fill: #58a6ff }
    .bad.arrow { stroke: #ff7b72 } .bad.head { fill: #ff7b72 } text.bad { fill: #ff7b72 }
    text.good { fill: #3fb950 }
  }"""

WORDS = {
    "en": {
        "client": "client", "server": "server", "connect": "connection", "request": "request, {0} bytes",
        "whole": "answer, {0} bytes", "part": "answer, {0} of {1} bytes", "fin": "FIN", "ack": "ACK of the FIN",
        "rst": "RST", "unread": "server has read 1,000 of 21,000 bytes", "time_wait": "TIME_WAIT",
        "reads on": "server throws away 20,000 bytes", "came whole": "The answer came whole.",
        "cut": "The answer was cut short.",
    },
    "ko": {
        "client": "클라이언트", "server": "서버", "connect": "연결", "request": "요청, {0}바이트",
        "whole": "응답, {0}바이트", "part": "응답, {1}바이트 중 {0}바이트", "fin": "FIN", "ack": "FIN에 대한 ACK",
        "rst": "RST", "unread": "서버는 21,000바이트 중 1,000바이트만 읽음", "time_wait": "TIME_WAIT",
        "reads on": "서버가 남은 20,000바이트를 읽어 버림", "came whole": "응답이 모두 도착했다.",
        "cut": "응답이 중간에 잘렸다.",
    },
}


class Panel:
    """One sequence diagram: text and arrows, from the top down."""

    def __init__(self, left, words):
        self.left, self.words, self.y, self.parts = left, words, TOP, []

    def text(self, x, y, text, kind="", anchor="middle"):
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'  <text x="{self.left + x}" y="{y}" text-anchor="{anchor}"{kind}>{escape(text)}</text>')

    def note(self, text, kind="note"):
        self.text(sum(LIFELINE.values()) // 2, self.y, text, kind)
        self.y += STEP - 8

    def arrow(self, source, label, bad=False):
        target = "server" if source == "client" else "client"
        kind = "bad " if bad else ""
        way = 1 if source == "client" else -1
        begin, end = self.left + LIFELINE[source], self.left + LIFELINE[target]
        self.text(sum(LIFELINE.values()) // 2, self.y, label, "bad" if bad else "")
        y = self.y + 10
        self.parts.append(f'  <path class="{kind}arrow" d="M{begin} {y}H{end - way * 9}"/>')
        self.parts.append(f'  <path class="{kind}head" d="M{end} {y}l{-way * 11} -5v10z"/>')
        self.y += STEP

    def lifelines(self):
        return [
            f'  <path class="life" d="M{self.left + x} {TOP - 20}V{self.y}"/>' for x in LIFELINE.values()
        ]


def number(value):
    return f"{value:,}"


def label(words, event):
    if event["what"] != "data":
        return words[event["what"]]
    if event["from"] == "client":
        return words["request"].format(number(event["bytes"]))
    kind = "whole" if event["bytes"] == ANSWER else "part"
    return words[kind].format(number(event["bytes"]), number(ANSWER))


def panel(left, words, title, call, unread, scene):
    """title: what is shown; call: what the server calls when the answer has been sent."""
    drawn = Panel(left, words)
    drawn.text(sum(LIFELINE.values()) // 2, 32, title, "title")
    for who, x in LIFELINE.items():
        drawn.text(x, 60, words[who])
    for event in scene["events"]:
        last = event["from"] == "server" and event["what"] == "data"
        if last and unread:
            drawn.note(words["unread"])
        drawn.arrow(event["from"], label(words, event), event["what"] == "rst")
        if last:
            drawn.note(call, "title")
        if unread and event["what"] == "fin" and event["from"] == "server" and scene["whole"]:
            drawn.note(words["reads on"])
    bottom = drawn.y
    for who, x in LIFELINE.items():
        if scene["time_wait"][who]:
            drawn.text(x, bottom + 14, words["time_wait"], "title")
    drawn.y = bottom + 34
    drawn.note(words["came whole" if scene["whole"] else "cut"], "good" if scene["whole"] else "bad")
    end, drawn.y = drawn.y, bottom
    return drawn.lifelines() + drawn.parts, end


def picture(language, describe, panels):
    """panels: (title, call, unread, scene). describe: what a screen reader says."""
    words, parts, height = WORDS[language], [], 0
    for at, (title, call, unread, scene) in enumerate(panels):
        lines, end = panel(MARGIN + at * (PANEL + GAP), words, title, call, unread, scene)
        parts += lines
        height = max(height, end)
    width = 2 * MARGIN + len(panels) * PANEL + (len(panels) - 1) * GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" role="img" aria-label="{escape(describe)}">',
            f"  <style>{STYLE}\n  </style>",
            f'  <rect class="page" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )
