# Sourced by what builds Debian's sources. Patches touch files that automake would read again; what is
# there already is good enough, and automake need not be installed.
# shellcheck shell=bash disable=SC2034
no_autotools="AUTOMAKE=: AUTOCONF=: ACLOCAL=: AUTOHEADER=: MAKEINFO=:"
