# Sourced by suites and windows: Debian's sources, unpacked and built once below target/real/sources.
# shellcheck shell=bash
sources=$root/target/real/sources
lists=$sources/lists
mkdir -p "$sources"

skip() { echo "SKIPPED: suite $1: $2"; }

# need SUITE PACKAGE...: false, and a line, when one is missing
need() {
    local suite=$1 why
    shift
    why=$("$root/scripts/packages" "$@" | grep '^NOT INSTALLED') || return 0
    skip "$suite" "$why"
    return 1
}

apt_sources() { # with lists of our own: those of the machine need no deb-src
    apt-get -q -y -o Dir::Etc::sourcelist="$sources/deb-src.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$lists" -o APT::Sandbox::User=root "$@" </dev/null
}

# The machine's own list of Debian, asked for sources. apt tells the two formats apart by the ending of the file,
# and wants one kind here: deb822 becomes one line for each suite.
source_lists() {
    [ -d "$lists/partial" ] && return
    mkdir -p "$lists/partial" || return
    awk 'function flush(    n, s, i) {
             n = uris == "" ? 0 : split(suites, s, " ")
             for (i = 1; i <= n; i++) print "deb-src" (key == "" ? "" : " [signed-by=" key "]"), uris, s[i], parts
             uris = suites = parts = key = ""
         }
         /^URIs:/ { uris = $2 } /^Suites:/ { $1 = ""; suites = $0 } /^Components:/ { $1 = ""; parts = $0 }
         /^Signed-By:/ { key = $2 } /^$/ { flush() } END { flush() }' \
        /etc/apt/sources.list.d/debian.sources 2>/dev/null >"$sources/deb-src.list"
    sed -n 's/^deb \(.*debian.*\)/deb-src \1/p' /etc/apt/sources.list 2>/dev/null >>"$sources/deb-src.list"
    if [ -s "$sources/deb-src.list" ] && apt_sources update >"$sources/update.log" 2>&1; then return; fi
    rm -rf "$lists"
    return 1
}

# unpack SUITE SOURCE [KIND]: prints the folder; one for each kind of build
unpack() {
    local folder=$sources/$2${3:+-$3}
    if [ ! -d "$folder/src" ]; then
        source_lists || { skip "$1" "no sources of Debian can be had here" >&2; return 1; }
        rm -rf "$folder" && mkdir -p "$folder" || return
        (cd "$folder" && apt_sources source "$2") >"$folder/log" 2>&1 ||
            { skip "$1" "apt-get source $2 failed" >&2; return 1; }
        (cd "$folder" && mv -- "$(find . -mindepth 1 -maxdepth 1 -type d)" src) || return
    fi
    echo "$folder/src"
}

# build SUITE FOLDER SCRIPT: once
build_once() {
    [ -e "$2/.built" ] && return
    if (cd "$2" && nice -n 5 timeout 900 bash -euc "$3") >"$2/../build.log" 2>&1 </dev/null; then
        touch "$2/.built"
    else
        skip "$1" "does not build here: $(tail -n 1 "$2/../build.log")"
        return 1
    fi
}

# shellcheck source=../harness/no-autotools.sh
. "$root/tests/harness/no-autotools.sh"
