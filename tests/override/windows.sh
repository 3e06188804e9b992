# The parts of scripts/override-tests on Windows: mingw and Wine.
# shellcheck shell=bash disable=SC2154
parts="link matrix lines define programs"
cc=x86_64-w64-mingw32-gcc
static="$lib/libgraceful_close.a -lws2_32 -lntdll"
shared="$lib/libgraceful_close.dll.a -lws2_32"
archive=$lib/libgraceful_close_override.a

# installed by another way than Debian's packages they are as good
have $cc || packages "overrides on Windows" gcc-mingw-w64-x86-64-win32 || { echo "0 passed, 0 failed"; exit 0; }
have wine || have wine64 || packages "overrides on Windows" wine wine64 || { echo "0 passed, 0 failed"; exit 0; }

# imported PROGRAM yes|no: whether closesocket still comes from ws2_32.dll
imported() {
    local there=no
    if x86_64-w64-mingw32-objdump -p "$1" | grep -qw closesocket; then there=yes; fi
    [ "$there" = "$2" ]
}
present() { # PROGRAM yes|no
    local there=no
    if x86_64-w64-mingw32-nm "$1" | grep -q ' T graceful_close_override_active$'; then there=yes; fi
    [ "$there" = "$2" ]
}
export -f imported present

part_lines() {
    check "the lines of docs/replacing-closesocket.md, section 3" tests/override/document-lines windows
}

part_link() {
    local build="$cc -std=c89 -pedantic-errors -Wall -Wextra -Werror -O2 -Iinclude tests/override/win_link.c tests/override/win_link_other.c"
    cp "$lib/graceful_close.dll" "$out/"
    # shellcheck disable=SC2086
    compiles "override, static" $build -DCOUNTS -o "$out/static.exe" $archive $static && {
        check "override, static library" scripts/wine-run "$out/static.exe" active
        check "override, static library, blocking" env GRACEFUL_CLOSE_BLOCKING=1 scripts/wine-run "$out/static.exe" active
        check "override, switched off" env GRACEFUL_CLOSE_OFF=1 scripts/wine-run "$out/static.exe" bare
        check "nm shows the archive in the program" present "$out/static.exe" yes
    }
    # shellcheck disable=SC2086
    compiles "override, shared" $build -DCOUNTS -o "$out/shared.exe" $archive $shared && {
        check "override, DLL" scripts/wine-run "$out/shared.exe" active
        check "objdump: closesocket is not imported any more" imported "$out/shared.exe" no
    }
    # shellcheck disable=SC2086
    compiles "override in a DLL" $cc -Wall -Wextra -Werror -O2 -shared -static-libgcc tests/override/win_link_plugin.c \
        -o "$out/win_link_plugin.dll" $archive -lws2_32 &&
        compiles "its host" $cc -Wall -Wextra -Werror -O2 tests/override/win_link_host.c -o "$out/host.exe" -lws2_32 &&
        check "override in a DLL: the end of the process is not delayed" ends_soon "$out/host.exe"
    # The two mistakes that nobody is told of.
    # shellcheck disable=SC2086
    compiles "too late" $build -o "$out/late.exe" $shared $archive && {
        check "behind -lws2_32 it does nothing" scripts/wine-run "$out/late.exe" bare
        check "and nm and objdump say so" present "$out/late.exe" no
        check "objdump: closesocket is still imported" imported "$out/late.exe" yes
    }
    # shellcheck disable=SC2086
    compiles "too late, static" $build -o "$out/late-static.exe" $lib/libgraceful_close.a $archive $static &&
        check "behind the static library it does nothing" scripts/wine-run "$out/late-static.exe" bare
    # 32 bit: linked only, there is no Wine for it everywhere
    if ! have i686-w64-mingw32-gcc; then
        skip "override for 32 bit: no i686-w64-mingw32-gcc"
    elif [ ! -d "$(rustc --print target-libdir --target i686-pc-windows-gnu 2>/dev/null)" ]; then
        skip "override for 32 bit: the Rust target i686-pc-windows-gnu is not installed"
    elif scripts/build-override i686-pc-windows-gnu >"$out/build32.log" 2>&1; then
        check "32 bit: the archive has the decorated names" decorated
    else
        fail "scripts/build-override, 32 bit" "$out/build32.log"
    fi
}

# the rule's own test, which all routes share
part_matrix() {
    # shellcheck disable=SC2086
    compiles "each kind of socket" $cc -Wall -Wextra -Werror -O2 tests/retrofit/matrix.c -o "$out/matrix.exe" $archive -lws2_32 &&
        check "each kind of socket, as the rule says" tests/retrofit/matrix archive scripts/wine-run "$out/matrix.exe"
}

# the archive would wait 10 s for the silent peer
ends_soon() { # PROGRAM
    local started=$SECONDS
    GRACEFUL_CLOSE_EXIT_WAIT_MS=10000 scripts/wine-run "$1" && [ $((SECONDS - started)) -lt 8 ]
}
export -f ends_soon

decorated() {
    i686-w64-mingw32-nm target/artifacts/i686-pc-windows-gnu/libgraceful_close_override.a >"$out/names" &&
        grep -q ' T _closesocket@4$' "$out/names" && grep -q ' __imp__closesocket@4$' "$out/names"
}
export out
export -f decorated

part_define() {
    cat >"$out/define.c" <<'C'
#include <winsock2.h>

/* as a program that knows nothing: a call and a table */
static int (WSAAPI *const table[])(SOCKET) = {closesocket};

int main(void)
{
    WSADATA data;
    SOCKET sock;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 1;
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (closesocket(sock) != 0 || table[0](sock) != SOCKET_ERROR || WSAGetLastError() != WSAENOTSOCK) return 2;
    return 0;
}
C
    local how
    for how in "-Dclosesocket=gc_closesocket" "-Iinclude -include graceful_close_override.h"; do
        # shellcheck disable=SC2086
        compiles "$how, static" $cc -O2 -Wall -Wextra -Werror $how "$out/define.c" -o "$out/define.exe" $static &&
            check "$how, static library" scripts/wine-run "$out/define.exe"
        check "$how: gc_closesocket is in it" bash -c "x86_64-w64-mingw32-nm '$out/define.exe' | grep -q 'T gc_closesocket'"
        cp "$lib/graceful_close.dll" "$out/"
        # shellcheck disable=SC2086
        compiles "$how, DLL" $cc -O2 -Wall -Wextra -Werror $how "$out/define.c" -o "$out/define.exe" $shared &&
            check "$how, DLL" scripts/wine-run "$out/define.exe"
        check "$how: closesocket is not imported" imported "$out/define.exe" no
    done
}

part_programs() {
    local build=$out/rinetd how flags libs source ways="bare archive define"
    packages "rinetd" python3 dpkg-dev xz-utils patch || return
    if packages "rinetd by name" coccinelle; then ways="$ways name"; fi
    fetch rinetd || return
    mkdir -p "$build"
    echo "127.0.0.1 18431 127.0.0.1 18432" >"$build/rinetd.conf"
    for how in $ways; do
        flags='' libs=$static source=$folder/src
        case $how in
        name)
            source=$root/$build/name
            by_name "$folder/src" "$source" || { fail "rinetd by name: the patch" "$out/rinetd.log"; return; }
            flags=-I$root/include
            ;;
        bare) libs=-lws2_32 ;;
        archive) libs="$archive $static" ;;
        define) flags=-Dclosesocket=gc_closesocket ;;
        esac
        # shellcheck disable=SC2086
        (cd "$source" && $cc -O2 -w -D_CONSOLE -DPACKAGE_VERSION='"0.73"' $flags rinetd.c match.c net.c parse.c getopt.c \
            -o "$root/$build/$how.exe" $(sed "s|target/|$root/target/|g" <<<"$libs")) >"$out/rinetd.log" 2>&1 ||
            { fail "rinetd, $how (building)" "$out/rinetd.log"; return; }
        forward "$how"
        echo "        rinetd, $how: $answers"
        case $how.$answers in
        bare."0 of 6 whole") pass "rinetd loses answers as it is" ;;
        bare.*) skip "rinetd as it is: here it lost not every answer: $answers" ;;
        *."6 of 6 whole") pass "rinetd, $how: nothing lost" ;;
        *) fail "rinetd, $how: $answers" "$out/rinetd.log" ;;
        esac
    done
}

# as the semantic patch leaves it, with nothing edited by hand
by_name() { # FROM TO
    rm -rf "$2"
    cp -r "$1" "$2" &&
        spatch --very-quiet --sp-file "$root/contrib/migrate/closesocket.cocci" --in-place "$2/rinetd.c" >"$out/rinetd.log" 2>&1 &&
        [ "$(grep -c 'gc_close(' "$2/rinetd.c")" -ge 10 ] && grep -q 'closesocket(si.fd)' "$2/rinetd.c" # a listener
}

# the forwarder under Wine, the server behind it and the client native
forward() { # HOW: sets `answers`
    local server
    (cd "$build" && exec timeout -k 5 100 "$root/scripts/wine-run" "$1.exe" -f -c rinetd.conf) >"$out/rinetd.log" 2>&1 </dev/null &
    server=$!
    answers=$(timeout 90 python3 tests/override/chatty.py 18431 18432 6 2>>"$out/rinetd.log")
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    sleep 0.5
}
