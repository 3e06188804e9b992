#!/bin/sh
# postfix_folder.sh TMP CONF PORT: the folders of a postfix that only takes mail
set -e
mkdir -p "$1/postfix" "$1/data" "$1/queue/pid" "$1/queue/private" "$1/queue/public"
for folder in active bounce corrupt defer deferred flush hold incoming maildrop saved trace; do
    mkdir -p "$1/queue/$folder"
done
cp "$2" "$1/postfix/main.cf"
cat >"$1/postfix/master.cf" <<END
$3 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
chown -R postfix "$1/data" "$1/queue"
chown root "$1/queue" "$1/queue/pid"
