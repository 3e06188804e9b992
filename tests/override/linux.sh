# The parts of scripts/override-tests on Linux.
# shellcheck shell=bash disable=SC2154
parts="header migrate lines wrap programs"
static="$lib/libgraceful_close_wrap.a $lib/libgraceful_close.a -lpthread -ldl"
shared="$lib/libgraceful_close_wrap.a -L$lib -lgraceful_close -lpthread"
minimal="-Wl,--wrap=close,--wrap=accept,--wrap=accept4"

# a network of its own, where this is allowed
alone() {
    if command -v ip >/dev/null && unshare -n true 2>/dev/null; then unshare -n sh -c 'ip link set lo up && exec "$@"' - "$@"; else "$@"; fi
}

# 125 compilations, most of which read windows.h
part_header() {
    limit=500
    check "drop-in header, in every order" tests/override/header-matrix
    limit=120
}

migrated() { # PATCH FILE
    local name
    name=$(basename "$2")
    cp "$2" "$out/$name"
    spatch --very-quiet --sp-file "contrib/migrate/$1.cocci" --in-place "$out/$name" &&
        diff -u "tests/migrate/after/$name" "$out/$name" &&
        gcc -std=c99 -pedantic-errors -Wall -Wextra -Wno-unused -Werror -Iinclude -Itests/migrate -c -o /dev/null \
            "$out/$name"
}

export out
export -f alone migrated

part_migrate() {
    local file patch
    packages "semantic patches" coccinelle || return
    for file in tests/migrate/before/*.c; do
        case $(basename "$file") in winsock_*) patch=closesocket ;; *) patch=close ;; esac
        check "$patch.cocci: $(basename "$file")" migrated "$patch" "$file"
    done
}

part_lines() {
    check "the lines of docs/replacing-closesocket.md, section 4" tests/override/document-lines linux
}

part_wrap() {
    local cc="gcc -std=c89 -pedantic-errors $warnings -O2 -g -Iinclude tests/override/linux_wrap.c"
    local library="-L$out -llinux_wrap -Wl,-rpath,$PWD/$out" linker
    # shellcheck disable=SC2086
    compiles "wrap, a shared library" gcc $warnings -O2 -fPIC -shared -o "$out/liblinux_wrap.so" tests/override/linux_wrap_library.c ||
        return
    packages "wrap, in a network of its own (it runs in this machine's)" iproute2
    # shellcheck disable=SC2086
    compiles "wrap, static" $cc -o "$out/wrap" @"$lib/graceful_close_wrap.opts" $static $library &&
        check "wrap, static library" alone "$out/wrap" all &&
        check "wrap, switched off" alone env GRACEFUL_CLOSE_OFF=1 "$out/wrap" none &&
        check "wrap, switched off by another word" alone env GRACEFUL_CLOSE_OFF=yes "$out/wrap" none
    # shellcheck disable=SC2086
    compiles "wrap, shared" $cc -o "$out/wrap-so" @"$lib/graceful_close_wrap.opts" $shared $library &&
        check "wrap, shared library" alone env LD_LIBRARY_PATH="$lib" "$out/wrap-so" all
    # shellcheck disable=SC2086
    compiles "wrap, close and accept" $cc -o "$out/wrap-some" $minimal $static $library &&
        check "wrap, close and accept alone" alone "$out/wrap-some" some
    # shellcheck disable=SC2086
    compiles "wrap, without libgraceful_close" $cc -o "$out/wrap-own" @"$lib/graceful_close_wrap.opts" \
        "$lib/libgraceful_close_wrap.a" -lpthread -ldl $library && check "wrap, without libgraceful_close" alone "$out/wrap-own" all
    # the warning: what getaddrinfo() and its like need at run time, which nobody calls here
    gcc -w -static -Iinclude tests/override/linux_wrap.c tests/override/linux_wrap_library.c -o "$out/wrap-static" \
        @"$lib/graceful_close_wrap.opts" "$lib/libgraceful_close_wrap.a" -lpthread -ldl 2>"$out/static.log" &&
        check "wrap, a static program" alone "$out/wrap-static" all || fail "wrap, a static program" "$out/static.log"
    for linker in gold lld; do
        if ! gcc "-fuse-ld=$linker" -o "$out/none" -xc - <<<'int main(void) { return 0; }' 2>/dev/null; then
            skip "wrap, linked by $linker: gcc finds none"
            continue
        fi
        # shellcheck disable=SC2086
        compiles "wrap, linked by $linker" $cc "-fuse-ld=$linker" -o "$out/wrap-$linker" @"$lib/graceful_close_wrap.opts" $static \
            $library && check "wrap, linked by $linker" alone "$out/wrap-$linker" all
    done
    # shellcheck disable=SC2086
    compiles "each kind of socket" gcc -std=gnu11 $warnings -O2 -pthread -o "$out/matrix" tests/retrofit/matrix.c \
        @"$lib/graceful_close_wrap.opts" $static &&
        check "each kind of socket, as the rule says" alone tests/retrofit/matrix link "$out/matrix"
    check "nm shows the archive in the program" grep_nm "$out/wrap" yes
    set_user_id
    # without --wrap the archive is not even looked at
    echo 'int close(int); int main(void) { return close(-1) == 0; }' >"$out/none.c"
    # shellcheck disable=SC2086
    compiles "no wrap" gcc -o "$out/none" "$out/none.c" $static &&
        check "without --wrap nothing is there, and nm says so" grep_nm "$out/none" no
    # an archive in front of the object that needs it: the linker says so here, unlike for Windows
    if gcc -o "$out/late" "$lib/libgraceful_close_wrap.a" "$out/none.c" $minimal 2>"$out/late.log"; then
        fail "an archive too early on the line is an error"
    else
        check "an archive too early on the line is an error" grep -q __wrap_close "$out/late.log"
    fi
}

# Who starts a set-user-ID program must not have it write to a file of the owner's.
set_user_id() {
    local folder
    if [ "$(id -u)" -ne 0 ] || ! have setpriv; then skip "a set-user-ID program: needs root and setpriv"; return; fi
    # a folder that others can come to
    folder=$(mktemp -d) && chmod 755 "$folder" && cp "$out/wrap" "$folder/" && chmod 4755 "$folder/wrap"
    setpriv --reuid 65534 --clear-groups env GRACEFUL_CLOSE_LOG="$folder/log" "$folder/wrap" one >"$out/check.log" 2>&1
    local status=$? is_obeyed=no
    if [ -e "$folder/log" ]; then is_obeyed=yes; fi
    check "a set-user-ID program takes no settings from the environment" [ "$status $is_obeyed" = "0 no" ]
    GRACEFUL_CLOSE_LOG="$folder/log" "$out/wrap" one >"$out/check.log" 2>&1
    check "(and another does)" [ -e "$folder/log" ]
    rm -rf "$folder"
}

grep_nm() { # PROGRAM yes|no
    local there=no
    if nm "$1" | grep -q ' T graceful_close_override_active$'; then there=yes; fi
    [ "$there" = "$2" ]
}

export -f grep_nm

# lost SERVER-COMMAND... : runs it, asks, ends it; sets `lost`. `asking` says how.
lost() {
    local log=$out/server.log
    lost=$(timeout -k 5 100 unshare -n bash -c '
        ip link set lo up
        log=$1 asking=$2; shift 2
        "$@" >"$log" 2>&1 </dev/null &
        server=$!
        timeout 80 python3 tests/override/ask.py $asking
        kill $server; sleep 0.3; kill -9 $server 2>/dev/null; wait $server 2>/dev/null; true' - \
        "$log" "$asking" "$@" 2>"$out/ask.log")
}

compare() { # NAME STOCK-COMMAND -- WRAPPED-COMMAND: stock loses some, wrapped none
    local name=$1 stock
    shift
    local -a first=()
    while [ "$1" != -- ]; do first+=("$1"); shift; done
    shift
    lost "${first[@]}"
    stock=$lost
    rm -f "$out/close.log"
    export GRACEFUL_CLOSE_LOG=$out/close.log
    lost "$@"
    unset GRACEFUL_CLOSE_LOG
    case $stock.$lost in
    *[!0-9.]* | .* | *.) cat "$out/ask.log" >>"$out/server.log"; fail "$name: no count ($stock, $lost)" "$out/server.log" ;;
    *)
        echo "        $name: lost $stock, with the wrapped close $lost"
        if [ "$lost" -eq 0 ] || { [ "$must" = less ] && [ "$lost" -le "$stock" ]; }; then pass "$name"; else fail "$name"; fi
        if [ "$stock" -eq 0 ]; then echo "        (the stock program lost nothing in this run)"; fi
        ;;
    esac
}

part_programs() {
    if ! unshare -n true 2>/dev/null; then skip "programs: no network namespace to be had"; return; fi
    packages "programs" gcc g++ make pkg-config python3 libevent-dev iproute2 dpkg-dev xz-utils patch || return
    must=none
    program_tinyproxy
    program_httplib
    program_memcached
}

program_tinyproxy() {
    local title=tinyproxy build=$out/tinyproxy
    fetch tinyproxy || return
    if [ ! -x "$build/src/tinyproxy" ]; then
        rm -rf "$build"
        cp -r "$folder" "$build"
        (cd "$build" && ./configure -q --disable-manpage_support && make -s -C src -j2 $no_autotools) >"$out/$title.log" 2>&1 ||
            { fail "$title builds" "$out/$title.log"; return; }
        cp "$build/src/tinyproxy" "$build/src/stock"
    fi
    rm -f "$build/src/tinyproxy"
    # shellcheck disable=SC2086
    make -s -C "$build/src" tinyproxy $no_autotools LDFLAGS="@$root/$lib/graceful_close_wrap.opts" \
        LIBS="$(sed "s|target/|$root/target/|g" <<<"$static")" >"$out/$title.log" 2>&1 ||
        { fail "$title builds with the archive" "$out/$title.log"; return; }
    cat >"$out/tinyproxy.conf" <<C
Port 18411
Listen 127.0.0.1
Timeout 60
MaxClients 100
LogLevel Critical
DefaultErrorFile "$root/$build/data/templates/default.html"
Deny 127.0.0.0/8
C
    asking="18411 200 upload http://127.0.0.1/"
    compare "tinyproxy, a refused upload of 5 MB, 200 times" "$build/src/stock" -d -c "$out/tinyproxy.conf" -- \
        "$build/src/tinyproxy" -d -c "$out/tinyproxy.conf"
    check "what the program writes to GRACEFUL_CLOSE_LOG" grep -q ': graceful, ' "$out/close.log"
    migrate_tinyproxy "$build"
}

# by name: the patch, and what it asks a person to look at
migrate_tinyproxy() {
    local build=$out/tinyproxy-by-name
    packages "tinyproxy by name" coccinelle || return
    rm -rf "$build"
    cp -r "$1" "$build"
    (
        cd "$build/src" || exit
        rm -f tinyproxy
        spatch --very-quiet --sp-file "$root/contrib/migrate/close.cocci" --in-place --dir . &&
            [ "$(grep -c 'graceful_close:' conns.c)" -eq 2 ] &&
            sed -i 's/if (close (connptr/if (gc_closesocket (connptr/; 0,/#include "conns.h"/s//&\n#include "graceful_close.h"/' \
                conns.c && make -s tinyproxy $no_autotools CPPFLAGS="-I$root/include" LIBS="$root/$lib/libgraceful_close.a -lpthread -ldl"
    ) >"$out/by-name.log" 2>&1 || { fail "tinyproxy by name builds" "$out/by-name.log"; return; }
    asking="18411 50 upload http://127.0.0.1/"
    lost "$build/src/tinyproxy" -d -c "$out/tinyproxy.conf"
    if [ "$lost" = 0 ]; then pass "tinyproxy by name, the same 50 times"; else fail "tinyproxy by name: lost $lost" "$out/server.log"; fi
}

program_httplib() {
    local build=$out/httplib
    fetch cpp-httplib || return
    mkdir -p "$build/www"
    head -c 1000000 /dev/zero >"$build/www/1M.bin"
    if [ ! -e "$build/simplesvr.o" ]; then
        g++ -std=c++14 -O1 -w -I"$folder" -c "$folder/example/simplesvr.cc" -o "$build/simplesvr.o" >"$out/httplib.log" 2>&1 ||
            { fail "cpp-httplib builds" "$out/httplib.log"; return; }
    fi
    # it calls shutdown(SHUT_RDWR) before its close
    # shellcheck disable=SC2086
    g++ -o "$build/stock" "$build/simplesvr.o" -lpthread &&
        g++ -o "$build/wrapped" "$build/simplesvr.o" @"$lib/graceful_close_wrap.opts" -Wl,--wrap=shutdown $static ||
        { fail "cpp-httplib links"; return; }
    asking="18412 200 body /1M.bin"
    compare "cpp-httplib, a file of 1 MB with an unread body, 200 times" "$build/stock" 18412 "$build/www" -- \
        "$build/wrapped" 18412 "$build/www"
}

program_memcached() {
    local build=$out/memcached options="-u root -p 18413 -U 0 -t 1"
    fetch memcached || return
    if [ ! -x "$build/stock" ]; then
        rm -rf "$build"
        cp -r "$folder" "$build"
        (cd "$build" && ./configure -q --disable-docs --disable-dependency-tracking && make -s -j2 $no_autotools memcached) \
            >"$out/memcached.log" 2>&1 || { fail "memcached builds" "$out/memcached.log"; return; }
        cp "$build/memcached" "$build/stock"
    fi
    rm -f "$build/memcached"
    # shellcheck disable=SC2086
    make -s -C "$build" memcached $no_autotools LIBS="-levent @$root/$lib/graceful_close_wrap.opts $(sed "s|target/|$root/target/|g" <<<"$static")" \
        >"$out/memcached.log" 2>&1 || { fail "memcached builds with the archive" "$out/memcached.log"; return; }
    asking="18413 100 quit"
    # shellcheck disable=SC2086
    compare "memcached, a client that goes on after quit, 100 times" "$build/stock" $options -c 1024 -- \
        "$build/memcached" $options -c 1024
    # It sets the limit of descriptors to exactly what it needs: nothing can be kept in the
    # background when it is full, and no wrapper can help.
    asking="18413 15 early"
    must=less
    # shellcheck disable=SC2086
    compare "memcached full, no descriptor to spare, 15 times: not worse" "$build/stock" $options -c 24 -- \
        "$build/memcached" $options -c 24
    must=none
}
