# Part of scripts/preload-tests: what the checks in C do not reach.
# shellcheck shell=bash disable=SC2154

# expect TITLE STATUS PROGRAM NAME [VARIABLE=VALUE...]: a check under other settings
expect() {
    local title=$1 wanted=$2 program=$3 name=$4 status
    shift 4
    run "$out/$name.switch" env LD_PRELOAD="$library" "$@" "$out/$program" "$name"
    status=$?
    if [ $status -eq 0 ]; then status=whole; else status=lost; fi
    if [ $status = "$wanted" ]; then
        pass "$title"
    else
        fail "$title" "$status instead of $wanted
$(cat "$out/$name.switch")"
    fi
}

# Each switch must change something: what is whole by default is lost, or the other way round.
check_switches() {
    local log=$scratch/log
    expect "GRACEFUL_CLOSE_OFF" lost closing T01 GRACEFUL_CLOSE_OFF=1
    expect "GRACEFUL_CLOSE_OFF=0 is not off" whole closing T01 GRACEFUL_CLOSE_OFF=0
    expect "GRACEFUL_CLOSE_ONLY, another program" lost closing T01 GRACEFUL_CLOSE_ONLY=nginx,haproxy
    expect "GRACEFUL_CLOSE_ONLY, this program" whole closing T01 GRACEFUL_CLOSE_ONLY=nginx,closing
    expect "GRACEFUL_CLOSE_EXCEPT, this program" lost closing T01 GRACEFUL_CLOSE_EXCEPT=closing
    expect "GRACEFUL_CLOSE_EXIT=wait, closed before" whole closing T02 GRACEFUL_CLOSE_EXIT=wait
    expect "GRACEFUL_CLOSE_EXIT=wait, left open" lost closing T03 GRACEFUL_CLOSE_EXIT=wait
    expect "GRACEFUL_CLOSE_EXIT=off" lost closing T02 GRACEFUL_CLOSE_EXIT=off
    expect "GRACEFUL_CLOSE_MAX_PARKED=0" lost closing T01 GRACEFUL_CLOSE_MAX_PARKED=0
    expect "GRACEFUL_CLOSE_SHUTDOWN_BOTH=half" whole kinds T30 GRACEFUL_CLOSE_SHUTDOWN_BOTH=half
    expect "GRACEFUL_CLOSE_TIMEOUT_MS" lost closing T41 GRACEFUL_CLOSE_TIMEOUT_MS=10
    expect "GRACEFUL_CLOSE_TIMEOUT_MS with a unit" lost closing T41 GRACEFUL_CLOSE_TIMEOUT_MS=10ms
    expect "GRACEFUL_CLOSE_IDLE_MS" lost closing T41 GRACEFUL_CLOSE_IDLE_MS=10
    expect "GRACEFUL_CLOSE_ROLE=any, a client's close" lost kinds T46 \
        GRACEFUL_CLOSE_ROLE=any GRACEFUL_CLOSE_MAX_BYTES=1000000000
    expect "GRACEFUL_CLOSE_MAX_BYTES ends that" whole kinds T46 \
        GRACEFUL_CLOSE_ROLE=any GRACEFUL_CLOSE_MAX_BYTES=1000000
    expect "GRACEFUL_CLOSE_EXIT_IDLE_MS, longer than the check allows" lost processes T27 \
        GRACEFUL_CLOSE_EXIT_IDLE_MS=4000
    expect "GRACEFUL_CLOSE_EXIT_WAIT_MS ends that" whole processes T27 \
        GRACEFUL_CLOSE_EXIT_IDLE_MS=4000 GRACEFUL_CLOSE_EXIT_WAIT_MS=300
    expect "GRACEFUL_CLOSE_EXIT_WAITERS, more than the check allows" lost limits T77 \
        GRACEFUL_CLOSE_EXIT_WAITERS=100
    expect "GRACEFUL_CLOSE_LOG" whole closing T01 GRACEFUL_CLOSE_LOG="$log"
    expect "a setting that is not understood" whole closing T01 GRACEFUL_CLOSE_LOG="$log" GRACEFUL_CLOSE_IDLE_MS=soon
    if grep -q 'closing\[[0-9]*\]: idle soon: not a time.*; the default counts$' "$log"; then
        pass "the log says what is not understood"
    else
        fail "the log says what is not understood" "$(cat "$log")"
    fi
    if grep -q 'closing\[[0-9]*\]: active$' "$log" &&
        grep -q 'closing\[[0-9]*\]: 127\.0\.0\.1:[0-9]*: graceful, [0-9]* ms' "$log"; then
        pass "the log has a line for the process and one for the close"
    else
        fail "the log" "$(cat "$log")"
    fi
}

# What is usual at the end of what a service starts does not fill the log.
check_quiet() {
    local log=$scratch/quiet title="the log says nothing of connections that the starter goes on with"
    expect "small programs under a service, with a log" whole programs T70 GRACEFUL_CLOSE_LOG="$log"
    if grep -q ': active$' "$log" && ! grep -q 'left to other holders' "$log"; then
        pass "$title"
    else
        fail "$title" "$(cat "$log")"
    fi
}

# Who has been refused everything says so, once.
check_refused() {
    local log=$scratch/refused title="the log says that a program has confined the library"
    expect "a program that confines itself, with a log" whole confined T84 GRACEFUL_CLOSE_LOG="$log"
    if [ "$(grep -c 'confined\[[0-9]*\]: does nothing any more: ' "$log")" = 1 ]; then
        pass "$title"
    else
        fail "$title" "$(cat "$log")"
    fi
}

# A PID namespace of its own under the /proc of the outer one: the process has another number there.
check_outer_proc() {
    local title="under the /proc of an outer PID namespace, in doubt" status
    if ! unshare --net --pid --fork true 2>/dev/null; then
        skip "$title: not allowed here"
        return
    fi
    timeout -k 2 "$limit" unshare --net --pid --fork bash -c '"$@"; exit $?' run \
        env LD_PRELOAD="$library" "$out/sharing" T13 </dev/null >"$out/outer" 2>&1
    status=$?
    if [ $status -eq 0 ]; then pass "$title"; else fail "$title" "status $status: $(cat "$out/outer")"; fi
}

# With another user's rights the library takes no orders: a log file would be written with them.
# LD_PRELOAD is ignored there; but the library may be linked, or named in /etc/ld.so.preload.
check_rights() {
    local program=$scratch/linked/program log=$scratch/linked/log title="another user's rights: no log is written with them"
    if [ "$(id -u)" -ne 0 ]; then skip "another user's rights: not root"; return; fi
    chmod 711 "$scratch"
    mkdir -m 777 "$scratch/linked"
    printf '%s\n' '#include <stdio.h>' '#include <sys/auxv.h>' \
        'int main(void) { return printf("%lu\n", getauxval(AT_SECURE)) < 0; }' >"$scratch/secure.c"
    gcc -o "$program" "$scratch/secure.c" -Wl,--no-as-needed "$library" 2>"$out/rights" || {
        fail "$title" "$(cat "$out/rights")"
        return
    }
    env GRACEFUL_CLOSE_LOG="$log" "$program" >"$out/rights" 2>&1
    if ! grep -q ': active$' "$log"; then
        fail "$title" "the program does not write one otherwise: $(cat "$out/rights")"
        return
    fi
    rm "$log"
    chown 65534 "$program"
    chmod u+s "$program"
    env GRACEFUL_CLOSE_LOG="$log" "$program" >"$out/rights" 2>&1
    if ! grep -qx 1 "$out/rights"; then
        skip "another user's rights: not given here: $(cat "$out/rights")"
    elif [ -e "$log" ]; then
        fail "$title" "$(ls -l "$log")"
    else
        pass "$title"
    fi
}

check_costs() { # a table, and a limit far above what is usual: the machine may be busy
    local turn
    for turn in 1 2 3; do
        run "$out/costs.stock.$turn" "$out/costs" costs
        run "$out/costs.graceful.$turn" env LD_PRELOAD="$library" "$out/costs" costs
    done
    if cat "$out"/costs.stock.? "$out"/costs.graceful.? | grep -qvE '^[0-9. ]+$'; then
        fail "costs" "$(cat "$out"/costs.*.?)"
        return
    fi
    # the best of three: what others do on the machine only adds
    if awk '
        { for (i = 1; i <= 3; i++) { at = (FILENAME ~ /graceful/) "," i
            if (!(at in best) || $i < best[at]) best[at] = $i } }
        END {
            split("a file,a UNIX socket,a TCP connection", what, ",")
            print "close() of           without    with    more (us)"
            for (i = 1; i <= 3; i++) {
                more = best[1 "," i] - best[0 "," i]
                printf "%-18s %9.2f %7.2f %7.2f\n", what[i], best[0 "," i], best[1 "," i], more
                if (more > 20) bad = 1
            }
            exit bad
        }' "$out"/costs.stock.? "$out"/costs.graceful.?; then
        pass "costs"
    else
        fail "costs" "more than 20 us on one close"
    fi
}

# CPython's own tests that an overeager close breaks, among others
check_cpython() {
    local tests="test_socketserver test_asyncore test_asynchat test_httpservers" said
    # the system's Python, which its package of tests belongs to
    said=$(scripts/packages python3 2>&1 &&
        scripts/packages "libpython$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite" 2>&1) || {
        skip "CPython's tests: $(tail -n 1 <<<"$said")"
        return
    }
    # shellcheck disable=SC2086
    one_suite "CPython: $tests" -u network $tests
    one_suite "CPython: test_asyncio, sendfile and streams" test_asyncio -m '*endfile*' -m '*treams*'
    one_suite "CPython: test_socket, TCP" test_socket -m '*TCP*' -m '*Sendfile*' -m '*Close*'
}

one_suite() { # TITLE ARGUMENT...
    local title=$1 stock graceful
    shift
    # both at the same time, each in its own network
    python_tests "$out/python.stock" "$@" &
    python_tests "$out/python.graceful" --with "$@"
    graceful=$?
    wait $!
    stock=$?
    local count
    count=$(grep -cE ' \.\.\. ok$' "$out/python.graceful")
    if [ $stock -ne 0 ]; then
        skip "$title: fails without the library, too: $(tail -n 1 "$out/python.stock")"
    elif [ $graceful -eq 0 ] && [ "$count" -gt 0 ] &&
        [ "$count" -eq "$(grep -cE ' \.\.\. ok$' "$out/python.stock")" ]; then
        pass "$title ($count tests)"
    else
        fail "$title" "$(grep -E '^(FAIL|ERROR)|^Result|test failed' "$out/python.graceful" | head -n 20)
status $graceful, $count tests ok, $(grep -cE ' \.\.\. ok$' "$out/python.stock") without the library"
    fi
}

python_tests() { # LOG [--with] ARGUMENT...
    local log=$1 preload=
    shift
    if [ "$1" = --with ]; then preload=$library; shift; fi
    # shellcheck disable=SC2086
    (cd "$scratch" && timeout -k 2 120 $own_network env PRELOAD="$preload" bash -c '
        ip link set lo up 2>/dev/null
        if [ -n "$PRELOAD" ]; then export LD_PRELOAD=$PRELOAD; fi
        exec /usr/bin/python3 -m test -v "$@"' bash "$@" </dev/null) >"$log" 2>&1
}

# Each line of tests/preload/mutations takes a rule out of the library; one of the checks that
# are named must fail then. \n stands for a line end, \o for a bar and \a for an ampersand.
plain() { sed 's/\\n/\n/g; s/\\o/|/g; s/\\a/\&/g' <<<"$1"; }

mutations() {
    local copy=$scratch/mutant file old new name rule original=$PWD
    mkdir -p "$copy"
    cp -r Cargo.toml Cargo.lock src retrofit benches tests "$copy/" 2>/dev/null
    while IFS='|' read -r rule name file old new; do
        case $rule in '' | '#'*) continue ;; esac
        [[ $rule = *"${1:-}"* ]] || continue
        old=$(plain "$old") new=$(plain "$new")
        OLD=$old NEW=$new perl -0pi -e 's/\Q$ENV{OLD}\E/$ENV{NEW}/ or die "not found\n"' "$copy/retrofit/preload/src/$file" || {
            fail "$rule: not found in $file" "$old"
            continue
        }
        (cd "$copy" && CARGO_TARGET_DIR="$original/target/mutants" nice cargo rustc -q --package graceful_close_preload \
            --lib --crate-type cdylib) >"$out/mutant.log" 2>&1 || {
            fail "$rule: does not compile" "$(tail -n 5 "$out/mutant.log")"
            cp "retrofit/preload/src/$file" "$copy/retrofit/preload/src/$file"
            continue
        }
        cp target/mutants/debug/libgraceful_close_preload.so "$scratch/mutant.so"
        local caught=
        for one in $name; do
            run "$out/mutant.log" env LD_PRELOAD="$scratch/mutant.so" "$(program_of "$one")" "$one" || caught="$caught $one"
        done
        if [ -n "$caught" ]; then
            pass "$rule: without it$caught fails"
        else
            fail "$rule: nothing notices that it is gone ($name)" ""
        fi
        cp "retrofit/preload/src/$file" "$copy/retrofit/preload/src/$file"
    done <tests/preload/mutations
}
