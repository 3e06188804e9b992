"""Draws how many answers came whole, from the table of `make demo` that README.md shows."""
import os
import re

import bars

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "README.md")
ROW = re.compile(r"^(curl|wget) +(POST|GET) .*?(gc_close|shutdown \+ close|close) +(\d+)/(\d+) ", re.MULTILINE)
WORDS = {
    "en": {
        "title": "Answers that came whole, of {0}", "POST": "upload of 5 MB refused (413)",
        "GET": "file of 1 MiB, 20 kB unread",
    },
    "ko": {
        "title": "온전히 도착한 응답({0}개 중)", "POST": "5MB 업로드 거절(413)", "GET": "1MiB 파일, 20kB를 읽지 않음",
    },
}


def picture(language):
    with open(README, encoding="utf-8") as file:
        found = ROW.findall(file.read())
    if len(found) != 12:
        raise SystemExit(f"README.md has {len(found)} rows of make demo's first table, not 12")
    words, groups = WORDS[language], {}
    for client, request, close, whole, of in found:
        kind = "good" if whole == of else "bad"
        rows = groups.setdefault(f"{client}, {words[request]}", [])
        rows.append((close, int(whole), whole, kind))
    return bars.picture(words["title"].format(found[0][4]), groups.items())
