#!/bin/sh
# cups_folder.sh TMP WWW: CUPS has two files of settings, and looks for the second one where it is told
exec sed -e "s,@TMP@,$1,; s,@WWW@,$2," "$(dirname "$0")/cups-files.conf" >"$1/cups-files.conf"
