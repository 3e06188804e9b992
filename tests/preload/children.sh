# Part of scripts/preload-tests: programs that cannot have the library, started by those that have it.
# shellcheck shell=bash disable=SC2154

ways="execve execv execvp execvpe execl execlp execle fexecve execveat execveat-fd syscall vfork posix_spawn posix_spawnp"

# same TITLE COMMAND...: with the library the command says and does what it does without
same() {
    local title=$1 stock graceful
    shift
    "$@" </dev/null >"$out/child.stock" 2>&1
    stock=$?
    LD_PRELOAD=$library "$@" </dev/null >"$out/child.graceful" 2>&1
    graceful=$?
    if [ $stock -eq $graceful ] && cmp -s "$out/child.stock" "$out/child.graceful"; then
        pass "$title"
    else
        fail "$title" "status $graceful instead of $stock
$(cat "$out/child.graceful")"
    fi
}

# children_of KIND PROGRAM: whichever way it is started
children_of() {
    local kind=$1 program=$2 way said
    if LD_PRELOAD=$library "$program" >"$out/child" 2>&1 && grep -qx ran "$out/child" && [ "$(wc -l <"$out/child")" -eq 1 ]; then
        fail "$kind, started by the shell of this test" "it starts with the library, too: this shows nothing"
        return
    fi
    for way in $ways; do
        PATH=$scratch/children:$PATH same "$kind, started by $way" "$scratch/children/starts" "$way" "$program"
    done
    same "$kind, started by a shell" sh -c "$program; :"
    printf '#!%s\n' "$program" >"$scratch/children/script"
    chmod 755 "$scratch/children/script"
    same "$kind, as the interpreter of a script" env "$scratch/children/script"
    # what else is preloaded is not ours to take away
    env LD_PRELOAD="$library /no/such.so" sh -c "$program; :" >"$out/child" 2>&1
    case $kind in
    *musl) said=1 ;; # says nothing of what is not there
    *) said=2 ;;     # the shell's dynamic linker, and that of the program
    esac
    if [ "$(grep -c '/no/such.so' "$out/child")" -eq $said ] && ! grep -q "$library" "$out/child"; then
        pass "$kind: what else is preloaded stays"
    else
        fail "$kind: what else is preloaded stays" "$(cat "$out/child")"
    fi
}

check_children() {
    local folder=$scratch/children log=$scratch/children/log
    mkdir -p "$folder"
    gcc -Wall -Wextra -o "$folder/starts" tests/preload/starts.c || { fail "compiling tests/preload/starts.c" ""; return; }
    printf '%s\n' 'int puts(const char *);' 'int main(void) { return puts("ran") < 0; }' >"$folder/plain.c"
    scripts/packages gcc-i686-linux-gnu libc6-dev-i386-cross libc6-i386 musl-tools >/dev/null 2>&1
    if i686-linux-gnu-gcc -o "$folder/plain32" "$folder/plain.c" 2>/dev/null; then
        children_of "a 32-bit program" "$folder/plain32"
        LD_PRELOAD=$library GRACEFUL_CLOSE_LOG=$log sh -c "$folder/plain32; :" >/dev/null
        if grep -q 'starts a program without the library: it is for another processor' "$log"; then
            pass "the log says so"
        else
            fail "the log says so" "$(cat "$log")"
        fi
    else
        skip "a 32-bit child: gcc-i686-linux-gnu is not installed"
    fi
    if musl-gcc -o "$folder/musl" "$folder/plain.c" 2>/dev/null; then
        children_of "a program for musl" "$folder/musl"
    else
        skip "a child for musl: musl-gcc is not installed"
    fi
    if gcc -fsanitize=address -o "$folder/asan" "$folder/plain.c" 2>/dev/null; then
        children_of "AddressSanitizer as a library" "$folder/asan"
    else
        skip "a child with AddressSanitizer: the compiler has none"
    fi
    LD_PRELOAD=$library sh -c 'env true; exec env' >"$out/child" 2>&1
    if grep -qx "LD_PRELOAD=$library" "$out/child"; then
        pass "all others have the library"
    else
        fail "all others have the library" "$(cat "$out/child")"
    fi
    if [ "$(id -u)" -ne 0 ]; then skip "children of another user: not root"; return; fi
    mkdir -m 700 "$folder/closed"
    cp "$library" "$folder/closed/"
    library=$folder/closed/$(basename "$library") same "a child that may not read the library" \
        setpriv --reuid 65534 --regid 65534 --clear-groups echo ran
    mkdir -p "$folder/root/bin"
    cp /bin/sh "$folder/root/bin/"
    ldd /bin/sh | grep -o '/[^ ]*' | while read -r file; do
        mkdir -p "$folder/root$(dirname "$file")"
        cp "$file" "$folder/root$file"
    done
    same "a child in a root without the library" chroot "$folder/root" /bin/sh -c 'echo ran'
}
