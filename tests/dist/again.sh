# Part of scripts/dist-tests: the same bytes, wherever and however it is built again.
# shellcheck shell=bash disable=SC2154

# A compiler whose component rust-src is there or not, the other way round than in this machine's:
# a script that gives rustc a folder of symbolic links for its sysroot. Nothing is installed or
# removed. rustc looks for one file to tell whether the source is there; it need not be the real one.
other_compiler() { # FOLDER with|without
    local sysroot=$1/sysroot real file
    real=$(rustc --print sysroot)
    mkdir -p "$1/bin" "$sysroot/lib/rustlib"
    for file in "$real"/* "$real"/lib/* "$real"/lib/rustlib/*; do
        case ${file#"$real"/} in
        lib | lib/rustlib | lib/rustlib/src) ;;
        *) ln -s "$file" "$sysroot/${file#"$real"/}" ;;
        esac
    done
    if [ "$2" = with ] && has_source; then
        ln -s "$real/lib/rustlib/src" "$sysroot/lib/rustlib/src"
    elif [ "$2" = with ]; then
        mkdir -p "$sysroot/lib/rustlib/src/rust/library/std/src"
        echo '// of scripts/dist-tests' >"$sysroot/lib/rustlib/src/rust/library/std/src/lib.rs"
    fi
    printf '#!/bin/sh\nexec "%s/bin/rustc" --sysroot "%s" "$@"\n' "$real" "$sysroot" >"$1/bin/rustc"
    chmod +x "$1/bin/rustc"
}

has_source() { [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/std/src/lib.rs" ]; }

# The tree in another folder, another CARGO_HOME (with what was downloaded), and an environment with
# settings that a build must not take over.
elsewhere() { # with|without COMMAND...: in $away/a tree
    local source=$1 cargo=${CARGO_HOME:-$HOME/.cargo} file
    shift
    if [ ! -d "$away/a tree" ]; then
        mkdir -p "$away/a tree" "$away/cargo home"
        git ls-files -z | tar -c --null --ignore-failed-read -T - -f - 2>/dev/null | tar -x -C "$away/a tree" -f -
        for file in registry git config.toml; do
            if [ -e "$cargo/$file" ]; then ln -s "$cargo/$file" "$away/cargo home/$file"; fi
        done
    fi
    [ -d "$away/$source" ] || other_compiler "$away/$source" "$source"
    (
        cd "$away/a tree" && env RUSTC="$away/$source/bin/rustc" PATH="$away/$source/bin:$PATH" CARGO_HOME="$away/cargo home" \
            CARGO_TARGET_DIR="$away/elsewhere" CARGO_INCREMENTAL=1 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 RUSTFLAGS=-Copt-level=1 \
            SOURCE_DATE_EPOCH="$made_at" GRACEFUL_CLOSE_JOBS=1 "$@"
    )
}

same_archive() { # SYSTEM
    local file=graceful_close-$version-$1.tar.gz
    cmp "$dist/$file" "$away/a tree/target/dist/$file" && return
    mkdir -p "$work/second"
    tar -x -C "$work/second" -f "$away/a tree/target/dist/$file" &&
        diff -rq "$work/second/graceful_close-$version-$1" "$work/$1/"
    return 1
}

# The archives for Linux, one after the other and the other way round.
again_linux() {
    local source=with system log=$work/log.linux
    if has_source; then source=without; fi
    local title="built again elsewhere, $source rust-src, in another order"
    elsewhere $source scripts/dist linux-musl-x86_64 linux-x86_64 >"$log" 2>&1
    for system in linux-x86_64 linux-musl-x86_64; do
        if same_archive $system >>"$log" 2>&1; then pass "$system, $title: the same bytes"; else fail "$system, $title" "$log"; fi
    done
}

# Of Windows the DLL and the libraries that come with it: the standard library is built again for it.
again_windows() {
    local title="windows-x64, built again elsewhere" log=$work/log.windows file at
    local built="$away/a tree/target/packaged/x86_64-pc-windows-gnu"
    elsewhere with scripts/dist-build windows-x64 dll >"$log" 2>&1 || { fail "$title" "$log"; return; }
    for file in graceful_close.dll libgraceful_close.a libgraceful_close.dll.a graceful_close.dll.lib graceful_close.def; do
        at=$work/windows-x64/lib/$file
        if [ $file = graceful_close.dll ]; then at=$work/windows-x64/bin/$file; fi
        cmp "$at" "$built/$file" >>"$log" 2>&1 || { fail "$title: $file" "$log"; return; }
    done
    pass "$title: the same DLL and libraries for GNU compilers"
}
