"""The pictures of docs/:  pictures.py record TIME_WAIT | draw | check [TIME_WAIT]

record: runs the program time_wait (examples-c), keeps what it sent in docs/pictures/traces.json, and draws.
draw:   draws all pictures from that file.
check:  whether the pictures are those that draw would write; with the program, also whether a new
        recording shows the same events, the same TIME_WAIT and the same loss.
"""
import json
import os
import sys

import answers
import capture
import costs
import draw
import states

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "pictures")
TRACES = os.path.join(FOLDER, "traces.json")
USED = ("bare-unread", "gc-close-unread", "gc-close", "peer-first", "linger-1-0")
TRIES = 20  # a bare close on the loopback lets one answer in six through

TITLES = {
    "en": {
        "bare-and-graceful": "A server closes while 20,000 bytes are unread: with close() a reset cuts the answer,"
                             " with gc_close() the answer arrives whole",
        "time-wait": "TIME_WAIT stays with the side that sends its FIN first",
        "linger": "SO_LINGER {1, 0} and close() send a reset: no TIME_WAIT, and the answer is cut",
        "we first": "gc_close(): we close first", "peer first": "peer_first_ms: the peer closes first",
        "bare": "Bare close", "graceful": "Graceful close", "linger title": "SO_LINGER {1, 0}",
        "waits": "server waits in gc_close_with()",
    },
    "ko": {
        "bare-and-graceful": "20,000바이트를 읽지 않은 채 서버가 닫는다: close()는 RST를 보내 응답이 잘리고,"
                             " gc_close()는 응답이 모두 도착한다",
        "time-wait": "TIME_WAIT는 FIN을 먼저 보낸 쪽에 남는다",
        "linger": "SO_LINGER {1, 0}으로 close()하면 RST가 나간다: TIME_WAIT는 없지만 응답이 잘린다",
        "we first": "gc_close(): 우리가 먼저 닫음", "peer first": "peer_first_ms: 상대가 먼저 닫음",
        "bare": "그냥 close", "graceful": "올바른 close", "linger title": "SO_LINGER {1, 0}",
        "waits": "서버는 gc_close_with()에서 기다림",
    },
}


def pictures(scenes):
    """{file name: text}"""
    drawn = {}
    for language, title in TITLES.items():
        end = ".svg" if language == "en" else f".{language}.svg"
        drawn["bare-and-graceful" + end] = draw.picture(language, title["bare-and-graceful"], [
            (title["bare"], "close(fd)", True, scenes["bare-unread"]),
            (title["graceful"], "gc_close(fd, 5000)", True, scenes["gc-close-unread"]),
        ])
        drawn["time-wait" + end] = draw.picture(language, title["time-wait"], [
            (title["we first"], "gc_close(fd, 5000)", False, scenes["gc-close"]),
            (title["peer first"], title["waits"], False, scenes["peer-first"]),
        ])
        drawn["linger" + end] = draw.picture(language, title["linger"], [
            (title["linger title"], "close(fd)", False, scenes["linger-1-0"]),
        ])
        drawn["states" + end] = states.picture(language)
        drawn["answers" + end] = answers.picture(language)
    drawn["costs.svg"] = costs.picture()
    return drawn


def essence(scene):
    """What must be equal each time. An acknowledgement may travel with a FIN or alone."""
    events = [(event["from"], event["what"]) for event in scene["events"]]
    whole = [event.get("bytes") for event in scene["events"]] if scene["whole"] else None
    return ([event for event in events if event[1] != "ack"], sorted(event for event in events if event[1] == "ack"),
            scene["time_wait"], sorted(size for size in whole if size) if whole else "cut")


def recorded(program):
    """Again where a close that may cut the answer was too slow to do so."""
    scenes = {}
    for _ in range(TRIES):
        for name, scene in (capture.record(program) or {}).items():
            graceful = name.startswith(("gc-close", "peer-first"))
            if name in USED and name not in scenes and scene["whole"] == graceful:
                scenes[name] = scene
        if len(scenes) == len(USED):
            return {name: scenes[name] for name in USED}
    raise SystemExit(f"not seen in {TRIES} runs: {', '.join(set(USED) - set(scenes))}")


def kept():
    with open(TRACES, encoding="utf-8") as file:
        return json.load(file)


def write(scenes):
    for name, text in pictures(scenes).items():
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(text)


def check(program):
    wrong = []
    scenes = kept()
    drawn = pictures(scenes)
    for name, text in drawn.items():
        path = os.path.join(FOLDER, name)
        if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            wrong.append(f"docs/pictures/{name} is not what scripts/pictures draws")
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".svg") and name not in drawn:
            wrong.append(f"docs/pictures/{name} is drawn by nobody")
    if program:
        for name, scene in recorded(program).items():
            if essence(scene) != essence(scenes[name]):
                wrong.append(f"{name}: docs/pictures/traces.json has {essence(scenes[name])}, now {essence(scene)}")
    print("\n".join(wrong) or "the pictures are as they should be")
    return 1 if wrong else 0


def main(words):
    if len(words) == 2 and words[0] == "record":
        scenes = recorded(words[1])
        with open(TRACES, "w", encoding="utf-8") as file:
            json.dump(scenes, file, indent=1)
            file.write("\n")
        write(scenes)
    elif words == ["draw"]:
        write(kept())
    elif words[:1] == ["check"] and len(words) <= 2:
        return check(words[1] if len(words) == 2 else None)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
