# Part of scripts/dist-tests: what the archives for Windows have beyond the others.
# shellcheck shell=bash disable=SC2034,SC2154

# links with MSVC's kind of import library: a program without a C runtime, which ends by the version
cat >"$work/bare.c" <<'C'
#include "graceful_close.h"
__declspec(dllimport) void __stdcall ExitProcess(unsigned int code);
#ifdef TWINS
int __stdcall gc_close_std(gc_socket sock, unsigned int timeout_ms);
int __stdcall gc_close_with_std(gc_socket sock, const gc_options *options, gc_report *report);
unsigned int __stdcall gc_version_number_std(void);
#define gc_version_number gc_version_number_std
#endif
void __cdecl start(void)
{
    unsigned int code = gc_version_number() == GRACEFUL_CLOSE_VERSION_NUMBER ? 42 : 1;
#ifdef TWINS
    gc_close_std((gc_socket)-1, 10);
    gc_close_with_std((gc_socket)-1, NULL, NULL);
    gc_closesocket((gc_socket)-1);
#endif
    ExitProcess(code);
}
C
by_lld_link() { # SYSTEM MACHINE SUFFIX FLAG...
    local here=$work/$1 machine=$2 out=$work/bare-$1.exe
    local exit_process=ExitProcess llvm=i386:x86-64
    if [ "$machine" = i686 ]; then exit_process=ExitProcess@4 llvm=i386; fi
    shift 3
    printf 'LIBRARY kernel32.dll\nEXPORTS\n%s\n' "$exit_process" >"$work/kernel32.def"
    llvm-dlltool -m $llvm -k -d "$work/kernel32.def" -l "$work/kernel32-$machine.lib" &&
        clang --target="$machine-pc-windows-msvc" -ffreestanding -O1 "$@" -I"$here/include" -c "$work/bare.c" -o "$work/bare.obj" &&
        lld-link /nodefaultlib /entry:start /subsystem:console /out:"$out" "$work/bare.obj" \
            "$here/lib/graceful_close.dll.lib" "$work/kernel32-$machine.lib" &&
        cp "$here/bin/graceful_close.dll" "$work/"
}

defines_api() { # SYSTEM: the static library for MSVC, which nothing here can link
    llvm-nm --defined-only --extern-only "$work/$1/lib/graceful_close.lib" 2>/dev/null |
        awk 'NF == 3 && $2 == "T" { print $3 }' | sed -E 's/^_(gc_)/\1/; s/@[0-9]+$//' | grep '^gc_' | sort -u >"$work/defined"
    awk -v on="$1" '!/^#/ && (NF == 1 || $2 == on) { print $1 }' abi/symbols.txt | sort -u | diff - "$work/defined"
}

test_windows() { # SYSTEM MACHINE SUFFIX
    local here=$work/$1
    try "graceful_close.dll, $1: nothing newer than Windows 7" scripts/dist-imports "$here/bin/graceful_close.dll"
    sed 's/^/        /' "$work/log"
    # one file for every Windows: the DLLs that Windows 7 has, and none of ours
    try "gc-selftest.exe, $1: asks for no DLL but Windows 7's" bash -c "$2-w64-mingw32-objdump -p '$here/bin/gc-selftest.exe' |
        sed -n 's/.*DLL Name: //p' | grep -viE '^(advapi32|kernel32|msvcrt|ntdll|ws2_32)[.]dll\$' && exit 1; exit 0"
    try "functions, $1" scripts/abi symbols "$1" "$here/bin/graceful_close.dll"
    try "functions of the static library, $1" scripts/abi symbols "$1" "$here/lib/libgraceful_close.a"
    try "functions of the static library for MSVC, $1" defines_api "$1"
    try "no date in the DLL, $1" bash -c "$2-w64-mingw32-objdump -p '$here/bin/graceful_close.dll' | grep -q '^Time/Date.* 1970'"
    if have clang && have lld-link && have llvm-dlltool; then
        if [ "$2" = i686 ]; then set -- "$1" "$2" -DTWINS; else set -- "$1" "$2" ""; fi
        # shellcheck disable=SC2086
        try "import library for MSVC, $1" by_lld_link "$1" "$2" "" $3
    else
        skip "import library for MSVC, $1: clang, lld-link and llvm-dlltool are not all here"
    fi
}

# The DLL of the archive has a standard library of its own, for Windows 7: all programs run with it.
test_x64() {
    local here=$work/windows-x64 kind
    test_windows windows-x64 x86_64
    libraries_at=
    variant windows-x64 shared x86_64-w64-mingw32-gcc "$here/include" \
        "$here/lib/libgraceful_close.dll.a -static-libgcc -lws2_32 -lntdll" posix_ linux_
    cp "$here/bin/graceful_close.dll" "$folder/"
    if has_wine; then
        if [ -e "$work/bare-windows-x64.exe" ]; then
            try "import library for MSVC, windows-x64, runs" \
                bash -c "scripts/wine-run '$work/bare-windows-x64.exe'; [ \$? -eq 42 ]"
        fi
        try "gc-selftest.exe of windows-x64 runs" scripts/wine-run "$here/bin/gc-selftest.exe"
        programs "C tests, windows-x64, shared" all
    else
        skip "running the C tests of windows-x64: Wine is not installed"
        programs "C tests, windows-x64, shared" none
    fi
    variant windows-x64 static x86_64-w64-mingw32-gcc "$here/include" \
        "$here/lib/libgraceful_close.a -static-libgcc -lws2_32 -lntdll" posix_ linux_
    if has_wine; then
        programs "C tests, windows-x64, static" "${some[@]}"
    else
        programs "C tests, windows-x64, static" none
    fi
    variant windows-x64-imported dll "x86_64-w64-mingw32-gcc -DGRACEFUL_CLOSE_DLL" "$here/include" \
        "$here/lib/libgraceful_close.dll.a -static-libgcc -lws2_32 -lntdll" -
    names=$(printf '%s\n' "${some[@]}")
    programs "C tests, windows-x64, functions declared as imported" none
    for kind in shared static; do
        try "find_package, Windows, $kind" by_cmake windows-x64 $kind -DCMAKE_SYSTEM_NAME=Windows \
            -DCMAKE_C_COMPILER=x86_64-w64-mingw32-gcc
    done
    if [ -e target/artifacts/x86_64-pc-windows-gnu/graceful_close.dll ]; then
        refuses "the import check refuses a DLL for Windows 10" \
            scripts/dist-imports target/artifacts/x86_64-pc-windows-gnu/graceful_close.dll
    fi
}

# The DLL of the archive has a standard library of its own here, too: run by Debian 13's Wine with 32 bits.
test_x86() {
    local here=$work/windows-x86 kind why to_run=(none)
    test_windows windows-x86 i686
    for kind in dll.a a; do
        try "stdcall twins link, $kind" i686-w64-mingw32-gcc -DTWINS -nostartfiles -Wl,-e,_start -I"$here/include" \
            -o "$work/twins.exe" "$work/bare.c" "$here/lib/libgraceful_close.$kind" -lws2_32 -lntdll
    done
    try "stdcall twins are imported undecorated" bash -c "i686-w64-mingw32-gcc -DTWINS -nostartfiles -Wl,-e,_start \
        -I'$here/include' -o '$work/twins.exe' '$work/bare.c' '$here/lib/libgraceful_close.dll.a' &&
        i686-w64-mingw32-objdump -p '$work/twins.exe' | grep -qE ' gc_close_std\$'"
    libraries_at=
    if why=$(scripts/wine10 --32 2>&1); then
        export GRACEFUL_CLOSE_WINE=32
        try "gc-selftest.exe of windows-x86 runs" scripts/wine-run "$here/bin/gc-selftest.exe"
        to_run=("${some[@]}" win_stdcall)
    else
        skip "running programs of windows-x86: ${why##*$'\n'}"
    fi
    for kind in dll.a a; do
        variant windows-x86 "$kind" i686-w64-mingw32-gcc "$here/include" \
            "$here/lib/libgraceful_close.$kind -static-libgcc -lws2_32 -lntdll" posix_ linux_
        cp "$here/bin/graceful_close.dll" "$folder/"
        programs "C tests, windows-x86, $kind" "${to_run[@]}"
    done
    unset GRACEFUL_CLOSE_WINE
}
