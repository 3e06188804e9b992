#!/usr/bin/env python3
"""Tries mutants without a build for each: scripts/mutants says what for.

cargo-mutants lists them, with the place and the text of each. All of one part are compiled into one program:
the body of a function stands there once for each of its mutants, and once as it was, and the environment says at
the start of the program which one is taken (GC_MUTANT, a number from 1 on). What does not compile is left out.
Mutants that cannot be there side by side (outside of functions, in const ones, where the type of the result is
not named) are tried one by one, in builds of their own.

    mutants.py LIST TREE RESULTS REASONS PACKAGE CARGO_OPTION... -- TEST_NAME... -- C_PROGRAM...

LIST: what cargo-mutants --list --json says. TREE: a copy of the project, to be changed. RESULTS: a file that gets
a line for each mutant. REASONS: tests/harness/mutants.txt. TEST_NAME: unit tests; those of the first name are run
first, and whoever survives these has to survive the others, the programs of tests/, and those of tests/c."""

import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from mutants_text import Mutant, Source, rewritten  # noqa: E402

MODULE = """
/// Which mutant of `tests/harness/mutants.py` is taken.
#[doc(hidden)]
pub mod mutation {
    pub fn chosen() -> usize {
        static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let number = std::env::var("GC_MUTANT").ok();
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        })
    }
}
"""
MEMORY = 4 << 30
BUILD = 300  # seconds; a loop that the compiler runs, in a const fn, may have no end
ATTEMPTS = 5
SKIPPED = 77  # what a program of tests/c returns where it cannot run
RUNNING = []
TOLD = {"failed": "noticed", "late": "late", "passed": "survived"}


def write(tree, sources, mutants):
    """The tree with these in it. By file: whose each line is."""
    owners = {}
    for file, source in sources.items():
        own = [it for it in mutants if it.file == file]
        text, owners[file] = rewritten(source, own)
        with open(os.path.join(tree, file), "w") as out:
            out.write(text)
    return owners


class BuildIsLate(Exception):
    pass


def ran(command, tree, env, seconds):
    """A build, which is ended when its time is up, with all that it has started."""
    process = subprocess.Popen(
        command, cwd=tree, env=env, preexec_fn=os.setpgrp, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    RUNNING[:] = [process]
    try:
        out, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise BuildIsLate from None
    finally:
        RUNNING.clear()
    return process.returncode, out, said


def build(tree, package, options, seconds=None):
    """The programs, and the shared library; or the places of what does not compile."""
    # one build for hundreds of runs: what is optimised has the checks of an ordinary test, too
    optimised = f"profile.dev.package.{package}.opt-level=1"
    command = ["cargo", "test", "--no-run", "--message-format=json", "--config", optimised, "-p", package, *options]
    env = dict(os.environ, RUSTFLAGS="--cap-lints=allow")
    status, out, complaints = ran(command, tree, env, seconds)
    programs, library, errors, said = [], "", set(), ""
    for line in out.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["executable"] and message["profile"]["test"]:
            programs.append((message["executable"], "test" not in message["target"]["kind"]))
        if message["reason"] == "compiler-artifact" and "cdylib" in message["target"]["kind"]:
            library = next((file for file in message["filenames"] if file.endswith(".so")), library)
        if message["reason"] == "compiler-message" and message["message"]["level"] == "error":
            said += message["message"]["rendered"]
            errors |= {(span["file_name"], span["line_start"]) for span in places(message["message"])}
    if status != 0 and not errors:
        sys.exit(f"mutants: it cannot be compiled:\n{complaints[-3000:]}{said[-3000:]}")
    if programs and not errors:
        programs = [(kept(tree, program), is_unit) for program, is_unit in programs]
    return programs, library and kept(tree, library), errors, said


def kept(tree, file):
    """A copy: the next part's programs, and its library, have the same names."""
    folder = os.path.join(tree, "programs")
    os.makedirs(folder, exist_ok=True)
    return shutil.copy(file, folder)


def places(message):
    """Of an error; where it is in a macro, also those that use it."""
    for span in message["spans"]:
        while span:
            if span["is_primary"] or span.get("expansion"):
                yield span
            span = (span.get("expansion") or {}).get("span")


def compiled(tree, sources, package, options, mutants):
    """The programs and the library with all that compile; the others are marked."""
    while True:
        owners = write(tree, sources, mutants)
        programs, library, errors, said = build(tree, package, options)
        if programs and not errors:
            return programs, library
        if not reject([owners[file][line - 1] for file, line in errors if line <= len(owners.get(file, []))]):
            sys.exit(f"mutants: it cannot be compiled:\n{said[-3000:]}")
        mutants = [it for it in mutants if it.result is None and not it.is_alone]


def reject(owners):
    """Those whose lines do not compile; if it is the function as it was, what its mutants are is told alone."""
    owners = [it for it in owners if it]
    for owner in owners:
        if isinstance(owner, Mutant):
            owner.result = "unviable"
    if not any(isinstance(owner, Mutant) for owner in owners):
        for owner in owners:
            for mutant in owner:
                mutant.is_alone = True
    return owners


def limits(seconds):
    def set_limits():
        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    return set_limits


@functools.cache
def words_for_haste(program):
    """The first failure is enough; the test harness of newer versions of Rust has a word for that."""
    said = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True).stdout
    return ["-Zunstable-options", "--fail-fast"] if "--fail-fast" in said else []


def commands_of(programs, names, others):
    """What is run one after the other: unit tests, programs of tests/, those in C."""
    soon = words_for_haste(programs[0][0])
    units = [[program, *soon, name] for program, is_unit in programs if is_unit for name in names]
    return units + [[program, *soon] for program, is_unit in programs if not is_unit] + [[program] for program in others]


def compiled_c(tree, library, names):
    """Programs of tests/c, linked to the library that has the mutants."""
    folder = os.path.dirname(library)
    paths = ["-I", os.path.join(tree, "include"), "-L", folder, f"-Wl,-rpath,{folder}"]
    programs = [os.path.join(folder, name) for name in names]
    for name, program in zip(names, programs):
        source = os.path.join(tree, "tests", "c", f"{name}.c")
        subprocess.run(["cc", "-w", "-pthread", *paths, "-o", program, source, "-lgraceful_close", "-ldl"], check=True)
    return programs


def run_one(tree, command, number, processor, wall):
    """What becomes of a test: passed, failed, or late."""
    env = dict(os.environ, GC_MUTANT=str(number), RUST_BACKTRACE="0", RUSTC_BOOTSTRAP="1")
    process = subprocess.Popen(
        command, cwd=tree, env=env, preexec_fn=limits(processor),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    RUNNING[:] = [process]
    try:
        status = process.wait(wall)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return "late"
    finally:
        RUNNING.clear()
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return "late"
    return "passed" if status in (0, SKIPPED) else "failed"


def is_busy():
    return os.getloadavg()[0] > os.cpu_count()


def run_for_certain(tree, command, number, processor, wall):
    """As run_one. On a busy machine a test may fail for want of time, whatever is in it: that it fails with the mutant,
    passes without, and fails with it again is no accident."""
    for _ in range(ATTEMPTS):
        result = run_one(tree, command, number, processor, wall)
        if result == "passed" or not number or not is_busy():
            return result
        if run_one(tree, command, 0, processor, wall) == "passed":
            return run_one(tree, command, number, processor, wall)
    return "passed"


def run(tree, commands, number, allowed):
    for command, (processor, wall) in zip(commands, allowed):
        result = run_for_certain(tree, command, number, processor, wall)
        if result != "passed":
            return result
    return "passed"


def measured(tree, commands):
    """What each may take: several times what it takes without a mutant."""
    allowed = []
    for command in commands:
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            result = run_one(tree, command, 0, 600, 600)
            if result == "passed":
                break
        else:
            sys.exit(f"mutants: without a mutant, too: {result}: {' '.join(command)}")
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        wall = time.monotonic() - began
        print(f"without {wall:.1f} s, {processor:.1f} s of processor: {' '.join(command)}", file=sys.stderr)
        allowed.append((int(processor * 2) + 3, wall * 5 + 30))
    return allowed


def try_all(tree, commands, mutants):
    allowed = measured(tree, commands)
    for mutant in mutants:
        mutant.result = TOLD[run(tree, commands, mutant.number, allowed)]
        print(f"{mutant.result} {mutant.name}", file=sys.stderr, flush=True)


def result_alone(tree, package, options, names, c_names):
    """Of the tree as it is now: what the programs of these options say."""
    try:
        programs, library, errors, _ = build(tree, package, options, BUILD)
    except BuildIsLate:
        return "late"
    if errors or not programs:
        return "unviable"
    commands = commands_of(programs, names, compiled_c(tree, library, c_names) if library else [])
    return TOLD[run(tree, commands, 0, [(60, 300)] * len(commands))]


def try_alone(tree, sources, package, options, names, c_names, mutant):
    """One that is in no function. Most are noticed by the unit tests: only else the other programs are built."""
    source = sources[mutant.file]
    first, last = source.range(mutant.span)
    path = os.path.join(tree, mutant.file)
    with open(path, "w") as out:
        out.write(source.text[:first] + mutant.text + source.text[last:])
    mutant.result = result_alone(tree, package, ["--lib"], names, [])
    if mutant.result == "survived" and options != ["--lib"]:
        mutant.result = result_alone(tree, package, options, names, c_names)
    print(f"{mutant.result} {mutant.name}", file=sys.stderr, flush=True)
    with open(path, "w") as out:
        out.write(source.text)


def is_const(source, mutant):
    first, last = source.range(mutant.function)
    return "const fn" in source.text[first : source.text.index("{", first, last)]


def reasons_in(path):
    """Blocks of lines: the file and the mutation, the code of that line, the reason."""
    with open(path) as file:
        blocks = [block.splitlines() for block in file.read().split("\n\n")]
    return {tuple(block[:2]) for block in blocks if len(block) > 2 and not block[0].startswith("#")}


def judge(sources, mutants, reasons):
    """What survived without a reason, and reasons without need. A function that has a twin for another system has the
    same mutants as that."""
    def key(mutant):
        return f"{mutant.file}: {mutant.mutation()}", sources[mutant.file].line(mutant.span["start"]["line"])

    bad = 0
    needed = {key(it) for it in mutants if it.result == "survived"}
    for mutant in mutants:
        if mutant.result == "survived" and key(mutant) in reasons:
            mutant.result = "explained"
        elif mutant.result == "survived":
            bad += 1
            print(f"SURVIVED {mutant.name}")
        elif mutant.result in ("noticed", "late") and key(mutant) in reasons - needed:
            bad += 1
            print(f"NOTICED  {mutant.name}: it needs no reason")
    return bad


def end_children(*_):
    for process in RUNNING:
        os.killpg(process.pid, signal.SIGKILL)
    sys.exit(1)


def groups(words):
    """What stands before, between and behind two dashes."""
    first = words.index("--")
    second = words.index("--", first + 1)
    return words[:first], words[first + 1 : second] or [""], words[second + 1 :]


def main():
    signal.signal(signal.SIGTERM, end_children)
    told, tree, results, reasons, package, *rest = sys.argv[1:]
    options, names, c_names = groups(rest)
    with open(told) as file:
        mutants = [Mutant(number, it) for number, it in enumerate(json.load(file), 1)]
    root = {"graceful_close": "src/lib.rs"}.get(package, "retrofit/common/src/lib.rs")
    sources = {}
    for file in {it.file for it in mutants}:
        with open(os.path.join(tree, file)) as source:
            sources[file] = Source(source.read())
    with open(os.path.join(tree, root), "a") as library:
        library.write(MODULE)
    for mutant in mutants:
        if mutant.function and is_const(sources[mutant.file], mutant):
            mutant.is_alone = True
    within = [it for it in mutants if not it.is_alone]
    programs, library = compiled(tree, sources, package, options, within)
    commands = commands_of(programs, names, compiled_c(tree, library, c_names))
    try_all(tree, commands, [it for it in within if it.result is None and not it.is_alone])
    write(tree, sources, [])
    for mutant in mutants:
        if mutant.is_alone:
            try_alone(tree, sources, package, options, names, c_names, mutant)
    bad = judge(sources, mutants, reasons_in(reasons))
    with open(results, "w") as out:
        out.writelines(f"{it.result} {it.name}\n" for it in mutants)
    count = {kind: sum(it.result == kind for it in mutants) for kind in ("noticed", "late", "unviable", "explained", "survived")}
    print(
        f"{len(mutants)} mutants: {count['noticed']} noticed, {count['late']} by the limit of time, "
        f"{count['unviable']} do not compile, {count['explained']} survived with a reason, {count['survived']} without"
    )
    sys.exit(1 if bad else 0)


main()
