# make demo    the library against a plain close, side by side
# make test    everything: checks, Rust and C tests, on Linux and (under Wine) on Windows
# make help    the other targets

CARGO ?= cargo
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
WINDOWS := x86_64-pc-windows-gnu

.PHONY: help lib lib-windows demo test test-linux test-windows checks header bench setup clean

help:
	@echo 'make lib           release libraries for this machine, into target/artifacts/$(HOST)'
	@echo 'make lib-windows   the same for 64-bit Windows, by mingw-w64'
	@echo 'make demo          builds the library and shows what it is good for'
	@echo 'make test          all tests (as root on Debian it installs what they need)'
	@echo 'make test-linux    Rust and C tests of this machine only'
	@echo 'make test-windows  Rust and C tests under Wine only'
	@echo 'make checks        format, lints, documentation, the other systems'
	@echo 'make header        writes include/graceful_close.h anew'
	@echo 'make bench         the measurements of docs'
	@echo 'make clean'

lib:
	scripts/build-artifacts $(HOST)

lib-windows:
	scripts/build-artifacts $(WINDOWS)

demo: lib
	scripts/demo target/artifacts/$(HOST) include

setup:
	scripts/setup

test: setup
	scripts/test

test-linux:
	scripts/test linux

test-windows: setup
	scripts/test windows

checks:
	scripts/test checks header

header:
	$(CARGO) run --quiet --example generate_header

bench: lib
	scripts/bench

clean:
	$(CARGO) clean
