# Part of scripts/preload-tests: the command graceful-close.
# shellcheck shell=bash disable=SC2154

# says TITLE STATUS PATTERN ARGUMENT...: what the command answers
says() {
    local title=$1 status=$2 pattern=$3 got
    shift 3
    timeout 20 env GRACEFUL_CLOSE_PRELOAD="$library" "$command" "$@" </dev/null >"$out/command" 2>&1
    got=$?
    if [ $got -eq "$status" ] && grep -q -- "$pattern" "$out/command"; then
        pass "$kind: $title"
    else
        fail "$kind: $title" "status $got instead of $status, or no '$pattern' in:
$(cat "$out/command")"
    fi
}

# check_command KIND COMMAND: for the library in $library
check_command() {
    local kind=$1 command=$2 fixed=$scratch/static status
    echo 'int main(void) { return 0; }' >"$scratch/static.c"
    if gcc -static -o "$fixed" "$scratch/static.c" 2>/dev/null; then
        says "a static program is refused" 126 "statically linked" run -- "$fixed"
        says "and started if that is wanted" 0 "statically linked" run --anyway -- "$fixed"
        printf '#!%s\n' "$fixed" >"$scratch/script"
        chmod +x "$scratch/script"
        says "a script for it is refused, too" 126 "a script for" run -- "$scratch/script"
        says "--check of a static program" 126 "no: it is statically linked" run --check -- "$fixed"
        says "--check of a script for it" 126 "no: it is a script for .*, which is statically" run --check -- "$scratch/script"
    else
        skip "a static program: the compiler cannot link one"
    fi
    if [ "$(id -u)" -eq 0 ]; then
        cp "$out/closing" "$scratch/rights"
        chown 65534 "$scratch/rights"
        chmod u+s "$scratch/rights"
        says "a set-user-ID program is refused" 126 "set-user-ID" run -- "$scratch/rights"
        says "--check of a set-user-ID program" 126 "no: it is set-user-ID" run --check -- "$scratch/rights"
    else
        skip "a set-user-ID program: not root"
    fi
    if command -v go >/dev/null 2>&1; then
        printf 'package main\nfunc main() {}\n' >"$scratch/main.go"
        (cd "$scratch" && GOFLAGS=-mod=mod GOCACHE="$scratch/go" HOME="$scratch" go build -o go-program main.go) &&
            says "a Go program is refused" 126 "a Go program" run -- "$scratch/go-program"
    else
        # as good as one, for a reader of section names
        objcopy --add-section .note.go.buildid=/dev/null "$out/closing" "$scratch/go-program"
        says "a program with Go's sections is refused" 126 "a Go program" run -- "$scratch/go-program"
    fi
    printf '\177ELF\1\1\1' | cat - /dev/zero | head -c 200 >"$scratch/narrow"
    chmod +x "$scratch/narrow"
    says "a program of another word size is refused" 126 "word size" run -- "$scratch/narrow"
    says "--check of a program of another word size" 126 "no: it is .*word size" run --check -- "$scratch/narrow"
    check_little_memory
    says "no such program" 127 "no such program" run -- no-such-program
    says "not executable" 126 "ermission" run -- tests/preload/lab.h
    says "--check of what is not executable" 126 "ermission" run --check -- tests/preload/lab.h
    (cd "$scratch" && GRACEFUL_CLOSE_PRELOAD=$library "$command" run --log here -- \
        sh -c 'cd / && env true') >"$out/command" 2>&1
    if [ "$(grep -c ': active$' "$scratch/here")" -ge 2 ] && [ ! -e /here ]; then
        pass "$kind: one log, wherever the programs are"
    else
        fail "$kind: one log, wherever the programs are" "$(cat "$out/command" "$scratch/here" 2>&1)"
    fi
    check_settings
    check_starters
    check_runtimes
    says "a wrong option" 125 "no such option" run --frobnicate -- true
    says "no library" 125 "no such library" run --library /nowhere -- true
    says "its version" 0 "^graceful-close [0-9]" --version
    says "its settings" 0 GRACEFUL_CLOSE_TIMEOUT_MS run --help
    says "the program's own status" 7 "" run -- sh -c 'echo x; exit 7'
    says "--check of what is not there" 127 "no such program" run --check -- no-such-program
    check_the_check
    LD_PRELOAD=libc.so.6 says "what is preloaded anyway stays" 0 "preload.so:libc.so.6$" run -- printenv LD_PRELOAD
    says "options reach the program" 0 "^123$" run --idle 123 -- printenv GRACEFUL_CLOSE_IDLE_MS
    if (trap '' PIPE && exec env GRACEFUL_CLOSE_PRELOAD="$library" "$command" run -- \
        grep SigIgn /proc/self/status) </dev/null >"$out/command" 2>&1 &&
        (trap '' PIPE && exec grep SigIgn /proc/self/status) | diff - "$out/command" >/dev/null; then
        pass "$kind: ignored signals stay ignored"
    else
        fail "$kind: ignored signals stay ignored" "$(cat "$out/command")"
    fi
    # installed as packages do it
    mkdir -p "$scratch/usr/bin" "$scratch/usr/lib/graceful_close"
    cp "$command" "$scratch/usr/bin/graceful-close"
    cp "$library" "$scratch/usr/lib/graceful_close/"
    run "$out/installed" "$scratch/usr/bin/graceful-close" run -- "$out/closing" T01
    status=$?
    if [ $status -eq 0 ]; then
        pass "$kind: an installed one finds its library"
    else
        fail "$kind: an installed one finds its library" "status $status
$(cat "$out/installed")"
    fi
}

# The limits that the program is going to have are those of the command.
check_little_memory() {
    local was
    was=$(ulimit -S -d)
    ulimit -S -d 4095
    says "little memory is a reason to warn" 0 "warning: less memory .* 4 MB of data" run -- true
    says "--check with little memory" 0 "^warning  less memory is allowed" run --check -- true
    ulimit -S -d "$was"
}

# What --check says must be what would happen, and nothing of the program may run for it.
check_the_check() {
    local sources=$scratch/check broken
    says "--check" 0 "would end gracefully" run --check -- sh
    says "--check of a script" 0 "would end gracefully" run --check -- /usr/bin/ldd
    mkdir -p "$sources"
    printf '%s\n' '#include <stdio.h>' \
        '__attribute__((constructor)) static void early(void) { fopen(MARK, "w"); }' \
        'int main(void) { return 0; }' >"$sources/marks.c"
    gcc -DMARK="\"$sources/ran\"" -o "$sources/marks" "$sources/marks.c"
    says "--check of a program that was compiled here" 0 "would end gracefully" run --check -- "$sources/marks"
    if [ ! -e "$sources/ran" ] && "$sources/marks" && [ -e "$sources/ran" ]; then
        pass "$kind: --check starts nothing of the program"
    else
        fail "$kind: --check starts nothing of the program" "$(ls "$sources")"
    fi
    # libraries that no program can load, each for another reason
    echo 'int needed(void) { return 1; }' >"$sources/needed.c"
    echo 'int needed(void); int needs(void) { return needed(); }' >"$sources/needs.c"
    echo 'V_9.9 { needed; };' >"$sources/new"
    echo 'V_1 { needed; };' >"$sources/old"
    needed() { gcc -shared -fPIC -Wl,-soname,libneeded.so "-Wl,--version-script=$sources/$1" -o "$sources/libneeded.so" "$sources/needed.c"; }
    needed new
    for broken in missing version; do
        gcc -shared -fPIC -o "$sources/$broken.so" "$sources/needs.c" "-L$sources" -lneeded \
            "-Wl,-rpath,$sources/$broken"
    done
    mkdir -p "$sources/version"
    needed old
    mv "$sources/libneeded.so" "$sources/version/"
    says "--check with a library that needs another" 126 "no: .*libneeded.so => not found" \
        run --check --library "$sources/missing.so" -- sh
    says "--check with a library that needs a newer system" 126 "no: .*V_9.9' not found" \
        run --check --library "$sources/version.so" -- sh
    # its begin alone: the dynamic linker refuses it, or dies of it
    head -c 4096 "$library" >"$sources/cut.so"
    says "--check with a damaged library" 126 "no: .*[a-z)]$" run --check --library "$sources/cut.so" -- sh
    says "no library but a text" 125 "not a library" run --check --library "$sources/new" -- sh
    # the dynamic linker that a program asks for may not be here
    gcc -DMARK="\"\"" -o "$sources/foreign" "$sources/marks.c" -Wl,--dynamic-linker=/lib/ld-nowhere.so.1
    says "--check of a program without its dynamic linker" 126 "no: its dynamic linker /lib/ld-nowhere.so.1" \
        run --check -- "$sources/foreign"
}

# A time with its unit is understood, and what is not understood is said, whoever set it.
check_settings() {
    says "a time with its unit" 0 "^10000$" run --timeout 10s -- printenv GRACEFUL_CLOSE_TIMEOUT_MS
    says "--check says how a time is understood" 0 "--timeout 2m: 120000 ms" run --check --timeout 2m -- sh
    says "a time that is none" 125 "--idle soon: not a time.* 500ms, 10s, 2m" run --idle soon -- true
    says "what was left undone" 125 "Nothing was started" run --timeout 1h -- true
    GRACEFUL_CLOSE_TIMEOUT=10s says "the same by the environment" 0 \
        "GRACEFUL_CLOSE_TIMEOUT=10s: 10000 ms" run --check -- sh
    GRACEFUL_CLOSE_IDLE_MS=soon says "a variable that is not understood" 0 \
        "warning  GRACEFUL_CLOSE_IDLE_MS=soon: not a time.*default counts: 5000 ms" run --check -- sh
    GRACEFUL_CLOSE_IDLE_MS=soon says "and without --check" 0 "warning: GRACEFUL_CLOSE_IDLE_MS=soon" run -- true
    GRACEFUL_CLOSE_ROLE=client says "a word that is none" 0 "not one of: server, any" run --check -- sh
    says "a log without a folder" 0 "no log in /no/such/log: there is no folder /no/such" \
        run --check --log /no/such/log -- sh
    says "and without --check" 0 "warning: there will be no log" run --log /no/such/log -- true
    says "--check of what is switched off" 126 "no: it is switched off" run --check --off -- sh
    says "--check of a program that is excepted" 126 "no: .* --except" run --check --except a,sh -- sh
}

# What they start does not get the library, or cannot have it.
check_starters() {
    local starter
    for starter in "env -i true" "env -u LD_PRELOAD true"; do
        # shellcheck disable=SC2086
        says "--check of $starter" 126 "no: env starts .*without LD_PRELOAD.*behind it" run --check -- $starter
        # shellcheck disable=SC2086
        says "$starter is started, with a warning" 0 "warning: env starts" run -- $starter
    done
    says "env that sets a variable is fine" 0 "would end gracefully" run --check -- env A=1 sh
    says "--check of what a starter starts" 126 "no: it starts .*narrow, which is for another" \
        run --check -- nice -n 5 "$scratch/narrow"
    # the file's name decides, so that it need not be installed
    for starter in sudo service inetd cron; do
        mkdir -p "$scratch/starters"
        ln -sf /bin/true "$scratch/starters/$starter"
        says "--check of $starter" 126 "no: $starter starts .*without LD_PRELOAD" \
            run --check -- "$scratch/starters/$starter" x
    done
    ln -sf /bin/true "$scratch/starters/xinetd"
    echo 'passenv = PATH' >"$scratch/xinetd.conf"
    says "--check of xinetd with a passenv" 126 "no: xinetd starts .*passenv" \
        run --check -- "$scratch/starters/xinetd" -f "$scratch/xinetd.conf"
    echo 'passenv = PATH LD_PRELOAD' >"$scratch/xinetd.conf"
    says "--check of xinetd with LD_PRELOAD in it" 0 "would end gracefully" \
        run --check -- "$scratch/starters/xinetd" -f "$scratch/xinetd.conf"
    says "--check of inetd -E" 0 "would end gracefully" run --check -- "$scratch/starters/inetd" -E x
    mkdir -p "$scratch/root/bin"
    ln -sf /bin/true "$scratch/starters/chroot"
    says "--check of chroot without the library" 126 "no: its new root has no" \
        run --check -- "$scratch/starters/chroot" "$scratch/root" /bin/true
    # what the command says must not go to a client
    python3 -c 'import os, socket, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
subprocess.run(sys.argv[1:], stdin=accepted, stdout=accepted, stderr=accepted)
accepted.close()
print(repr(client.recv(1000)))' env GRACEFUL_CLOSE_PRELOAD="$library" "$command" run -- env -i echo answer \
        >"$out/command" 2>&1
    if grep -qx "b'answer\\\\n'" "$out/command"; then
        pass "$kind: no warning into a connection"
    else
        fail "$kind: no warning into a connection" "$(cat "$out/command")"
    fi
}

# Other widths, C libraries and runtimes, as the compilers here make them; and rights.
check_runtimes() {
    local place=$scratch/closed
    echo 'int printf(const char *, ...); int main(void) { return printf("ran\n") < 0; }' >"$scratch/plain.c"
    scripts/packages gcc-i686-linux-gnu libc6-dev-i386-cross libc6-i386 musl-tools >/dev/null 2>&1
    if i686-linux-gnu-gcc -o "$scratch/plain32" "$scratch/plain.c" 2>/dev/null; then
        says "--check of a 32-bit program" 126 "no: .*word size (32 bits)" run --check -- "$scratch/plain32"
    else
        skip "--check of a 32-bit program: gcc-i686-linux-gnu is not installed"
    fi
    if musl-gcc -o "$scratch/musl" "$scratch/plain.c" 2>/dev/null; then
        says "--check of a program for musl" 126 "no: it is linked to musl" run --check -- "$scratch/musl"
        says "it is not started" 126 "linked to musl" run -- "$scratch/musl"
    else
        skip "--check of a program for musl: musl-gcc is not installed"
    fi
    if gcc -fsanitize=address -o "$scratch/asan" "$scratch/plain.c" 2>/dev/null; then
        says "AddressSanitizer as a library is started" 0 "^ran$" run -- "$scratch/asan"
        says "behind a starter, too" 0 "^ran$" run -- env "$scratch/asan"
        says "--check says what it gets" 0 "verify_asan_link_order=0" run --check -- "$scratch/asan"
    else
        skip "AddressSanitizer: the compiler has none"
    fi
    if [ "$(id -u)" -ne 0 ]; then skip "a library that others may not read: not root"; return; fi
    mkdir -p "$place"
    cp "$library" "$place/"
    chmod 700 "$place"
    says "--check of a library in a closed folder" 0 "warning  other users may not read .*chmod a+x $place" \
        run --check --library "$place/$(basename "$library")" -- sh
    chmod 755 "$place"
    chmod 600 "$place/$(basename "$library")"
    says "of one that is closed itself" 0 "warning  other users .*chmod a+r" \
        run --check --library "$place/$(basename "$library")" -- sh
    chmod 711 "$place/.."
    setpriv --reuid 65534 --regid 65534 --clear-groups "$command" run --library "$place/$(basename "$library")" -- true \
        >"$out/command" 2>&1
    if [ $? -eq 125 ] && grep -q "the library may not be read" "$out/command"; then
        pass "$kind: a library that the user may not read"
    else
        fail "$kind: a library that the user may not read" "$(cat "$out/command")"
    fi
}
