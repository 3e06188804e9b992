# Part of scripts/dist-tests: programs in C against an unpacked archive. scripts/machine-tests has those of musl made
# and run in the same way, by an emulator where there is one.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154

c89="-std=c89 -pedantic-errors -Wall -Wextra -Wconversion -Werror"

# One variant of linking: its programs, and how they are made and run. Those of one SYSTEM are compiled
# once, whatever they are linked with.
#   variant SYSTEM KIND COMPILER INCLUDE-FOLDER LIBRARIES FOREIGN...   FOREIGN: name*, for other systems
variant() {
    compiler=$3 include=$4 libraries=$5
    objects=$work/programs/$1 folder=$work/programs/$1-$2
    mkdir -p "$objects" "$folder"
    shift 5
    names=$(find tests/c -maxdepth 1 -name '*.c' -printf '%f\n' | sed 's/\.c$//' | grep -vE "^($(IFS='|'; echo "$*"))" | sort)
}

make_one() { # NAME
    # shellcheck disable=SC2086
    { [ -e "$objects/$1.o" ] || $compiler $c89 -O1 -I"$include" -c -o "$objects/$1.o" "tests/c/$1.c"; } >"$folder/$1.log" 2>&1 &&
        $compiler -o "$folder/$1.exe" "$objects/$1.o" $libraries >"$folder/$1.log" 2>&1 && return
    # a way of refusing memory or threads that glibc alone has
    if [[ $compiler = *musl-gcc* ]] && grep -q 'dlfcn\|dlsym\|RTLD_NEXT\|malloc_usable\|__libc_\|__NTH\|multiple definition' "$folder/$1.log"; then
        echo "SKIPPED: $1: not with musl, static"
    else
        echo "FAILED  $1 (compiling)"
        sed 's/^/    /' "$folder/$1.log" | head -n 10
    fi
}

run_one() { # NAME
    local program=$folder/$1.exe status
    [ -e "$program" ] || return 0
    case $compiler in *mingw*) program="scripts/wine-run $program" ;; esac
    if [ -n "${emulator:-}" ]; then program="$emulator $program"; fi
    # shellcheck disable=SC2086
    LD_LIBRARY_PATH=$libraries_at timeout -k 5 120 $program >"$folder/$1.log" 2>&1 </dev/null
    status=$?
    case $status in
    0) echo "ran $1" ;;
    77) echo "SKIPPED: $1: $(tail -n 1 "$folder/$1.log" | sed 's/^SKIPPED: //')" ;;
    *)
        echo "FAILED  $1, exit status $status"
        sed 's/^/    /' "$folder/$1.log" | tail -n 10
        ;;
    esac
}

# programs TITLE all|none|NAME...: links every program of the variant, two at a time, and runs those, one at a time:
# some would disturb others (cmake/tests/Beside.cmake)
programs() {
    local title=$1 started=$SECONDS to_run log=$work/programs.log
    shift
    case $1 in
    all) to_run=$names ;;
    none) to_run= ;;
    *) to_run=$(grep -xF "$(printf '%s\n' "$@")" <<<"$names") ;;
    esac
    export work compiler include libraries libraries_at objects folder c89 emulator
    export -f make_one run_one
    {
        xargs -n 1 -P 2 bash -c 'make_one "$1"' make <<<"$names"
        xargs -r -n 1 bash -c 'run_one "$1"' run <<<"$to_run"
    } >"$log" 2>&1
    local linked ran
    linked=$(find "$folder" -name '*.exe' | wc -l)
    ran=$(grep -c '^ran ' "$log")
    if grep -q '^FAILED' "$log" || [ "$linked" -eq 0 ] || { [ -n "$to_run" ] && [ "$ran" -eq 0 ]; }; then
        fail "$title" <(grep -v '^ran ' "$log")
    else
        pass "$title: $linked linked, $ran ran, $(grep -c ^SKIPPED "$log") skipped, $((SECONDS - started)) s"
    fi
}

# A program by find_package, from where the archive was unpacked, in a folder with a blank.
cat >"$work/consumer.c" <<'C'
#include "graceful_close.h"
#include <stdio.h>
int main(void)
{
    printf("%s, %s\n", gc_version_string(), gc_outcome_name(gc_close((gc_socket)-1, 10)));
    return gc_version_number() == GRACEFUL_CLOSE_VERSION_NUMBER ? 0 : 1;
}
C
by_cmake() { # SYSTEM KIND [CMAKE-OPTION...]
    local from="$work/un packed/graceful_close-$version-$1" build="$work/cmake-$1-$2" kind=$2
    shift 2
    rm -rf "$build"
    mkdir -p "$build/source"
    cp "$work/consumer.c" "$build/source/"
    cat >"$build/source/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.15)
project(consumer C)
find_package(graceful_close $version REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE graceful_close::$kind)
CMAKE
    cmake -S "$build/source" -B "$build/build" -DCMAKE_PREFIX_PATH="$from" "$@" && cmake --build "$build/build"
}
