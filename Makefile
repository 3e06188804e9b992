# make demo    the library against a plain close, side by side
# make test    checks, Rust, C and C++ tests, on Linux and (under Wine) on Windows
# make help    the other targets

# make install puts it below PREFIX; packagers add DESTDIR, and LIBDIR where it is not PREFIX/lib
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man

CARGO ?= cargo
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
WINDOWS := x86_64-pc-windows-gnu
# what is installed: this machine's, or make install TARGET=x86_64-pc-windows-gnu
TARGET ?= $(HOST)

INSTALL_PLACES = PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" LIBDIR="$(LIBDIR)" BINDIR="$(BINDIR)" \
	INCLUDEDIR="$(INCLUDEDIR)" MANDIR="$(MANDIR)" TARGET="$(TARGET)"

.PHONY: help lib lib-windows demo test test-all test-more test-linux test-windows checks header man docs pictures bench \
	fuzz generic machines checkers mutants soak \
	setup clean \
	packaged install install-preload uninstall preload hook override selftest dist abi

help:
	@echo 'make lib           release libraries for this machine, into target/artifacts/$(HOST)'
	@echo 'make lib-windows   the same for 64-bit Windows, by mingw-w64'
	@echo 'make install       into PREFIX=/usr/local; also DESTDIR, LIBDIR, TARGET (docs/installing.md)'
	@echo 'make packaged      builds what make install installs, where root has no Rust'
	@echo 'make uninstall     takes it away again'
	@echo 'make preload       the library to preload, and the command graceful-close'
	@echo 'make install-preload  installs these two; make install does as well if they are built'
	@echo 'make hook          the DLL for finished Windows programs, and graceful-close.exe'
	@echo 'make override      the libraries that replace closesocket() and close() at link time'
	@echo 'make selftest      gc-selftest.exe, which tells what a real Windows does; in target/artifacts'
	@echo 'make dist          the archives of a release'
	@echo 'make abi           compares the exported functions with the committed list'
	@echo 'make demo          builds the library and shows what it is good for'
	@echo 'make test          the tests of what the library does, on Linux and (under Wine) on Windows;'
	@echo '                   as root on Debian it installs what they need, and says so before'
	@echo 'make test ONLY=many          one test by name: a leg, tests/many.rs, unit tests, tests/c/many.c;'
	@echo '                   with SYSTEM=windows under Wine'
	@echo 'make test-all      also Wine 10, sanitizers, Valgrind, archives, package recipes, languages, other programs,'
	@echo '                   other versions of Rust'
	@echo 'make test-more     what test-all has and test has not'
	@echo 'make test-linux    Rust and C tests of this machine only'
	@echo 'make test-windows  Rust and C tests under Wine only'
	@echo 'make checks        format, lints, documentation, the other systems'
	@echo 'make header        writes include/graceful_close.h anew'
	@echo 'make man           writes the manual pages and docs/reference.md anew, from the header'
	@echo 'make docs          the manual as a site, into target/manual/site'
	@echo 'make pictures      draws the pictures of the manual anew, from captured connections'
	@echo 'make fuzz          fuzzes the library: SECONDS=60 for each target; needs a nightly Rust, and installs it'
	@echo 'make soak          all forms side by side with random faults, for MINUTES=10; everything must add up at the end'
	@echo 'make generic       the tests of what macOS and the BSDs run, on Linux'
	@echo 'make machines      C, C++ and unit tests on other kinds of machines (32-bit x86, ARM, s390x), by qemu-user;'
	@echo '                   as root on Debian it installs what they need'
	@echo 'make checkers      a selection of the tests under loom, Miri, AddressSanitizer and ThreadSanitizer; needs a nightly Rust,'
	@echo '                   and installs it'
	@echo 'make mutants       changes the code in one small place after another, and a test must notice; takes an hour.'
	@echo '                   SHARD=0/20 takes a part, PARTS=machine that folder; installs cargo-mutants'
	@echo 'make bench         the measurements of docs'
	@echo 'make clean'

lib:
	scripts/build-artifacts

lib-windows:
	scripts/build-artifacts $(WINDOWS)

packaged:
	scripts/install build TARGET="$(TARGET)"

install:
	scripts/install library $(INSTALL_PLACES)

install-preload:
	scripts/install preload $(INSTALL_PLACES)

uninstall:
	scripts/install uninstall $(INSTALL_PLACES)

preload:
	scripts/build-preload

hook:
	scripts/build-hook $(WINDOWS)

override:
	scripts/need-rust
	scripts/build-override $(HOST)
	scripts/build-override $(WINDOWS)

selftest:
	scripts/need-rust
	scripts/build-selftest

dist:
	scripts/dist

abi:
	scripts/abi

demo: lib
	scripts/demo target/artifacts/$(HOST) include

setup:
	scripts/setup

# one test by name: make test ONLY=many
ONLY ?=
SYSTEM ?= linux

test:
ifeq ($(ONLY),)
	scripts/test checks header linux windows
else
	scripts/test --only $(ONLY) $(SYSTEM)
endif

test-all:
	scripts/test checks header linux windows wine10 checkers packaging real rust

# the longest first, so that none of them is left over for one core
test-more:
	scripts/test packaging rust wine10 checkers real

test-linux:
	scripts/test linux

test-windows:
	scripts/test windows

checks:
	scripts/test checks header

# not in test-all: building the targets takes minutes
SECONDS ?= 60
fuzz:
	scripts/fuzz $(SECONDS)

generic:
	scripts/generic-tests

machines:
	scripts/machine-tests

checkers:
	scripts/checkers

SHARD ?=
PARTS ?=
mutants:
	scripts/mutants $(if $(SHARD),--shard $(SHARD)) $(PARTS)

# test-all has 20 s of it
MINUTES ?= 10
soak: lib preload
	tests/soak/run --seconds $$(($(MINUTES) * 60))

header:
	scripts/need-rust
	$(CARGO) run --quiet --example generate_header

man:
	scripts/man-pages

docs:
	scripts/docs

pictures:
	scripts/pictures

bench: lib
	scripts/bench

clean:
	$(CARGO) clean
