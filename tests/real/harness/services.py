"""More servers, most of them of protocols other than HTTP; merged into the list of servers.py."""
from .server import HALF, Server

PYTHON_BEHIND = ["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"]
CERTIFICATE = ("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
               "-keyout {tmp}/key.pem -out {tmp}/cert.pem")
NODE = {"NODE_PATH": "{node}/node_modules"}
APPS = {"PYTHONPATH": "{apps}"}

LIST = [
    # mail
    Server("postfix", "/usr/lib/postfix/sbin/master -d -c {tmp}/postfix", ["deb:postfix"], conf="postfix.cf",
           prepare=["sh {apps}/postfix_folder.sh {tmp} {conf} {port}"]),
    Server("dovecot-imap", "dovecot -F -c {conf}", ["deb:dovecot-imapd"], conf="dovecot-imap.conf"),
    Server("dovecot-pop3", "dovecot -F -c {conf}", ["deb:dovecot-pop3d"], conf="dovecot-pop3.conf"),
    Server("opensmtpd", "smtpd -d -f {conf}", ["deb:opensmtpd"], conf="smtpd.conf"),
    # DNS over TCP
    Server("dnsmasq", "dnsmasq -k -p {port} -C /dev/null -R -h -u root -i lo --host-record=real.test,192.0.2.1",
           ["deb:dnsmasq-base"]),
    Server("dnsmasq-half", "dnsmasq -k -p {port} -C /dev/null -R -h -u root -i lo --host-record=real.test,192.0.2.1",
           ["deb:dnsmasq-base"], options=HALF),
    Server("unbound", "unbound -d -c {conf}", ["deb:unbound"], conf="unbound.conf"),
    Server("knot", "knotd -c {conf}", ["deb:knot"], conf="knot.conf",
           prepare=["cp {apps}/real.test.zone {tmp}/real.test.zone"]),
    Server("nsd", "nsd -d -c {conf}", ["deb:nsd"], conf="nsd.conf",
           prepare=["cp {apps}/real.test.zone {tmp}/real.test.zone"]),
    Server("bind9", "named -f -u root -c {conf}", ["deb:bind9"], conf="named.conf",
           prepare=["cp {apps}/real.test.zone {tmp}/real.test.zone"]),
    # files
    Server("proftpd-max", "proftpd -n -q -c {conf}", ["deb:proftpd-core"], conf="proftpd.conf", hold=1, settle=0.5,
           prepare=["mkdir {tmp}/proftpd"]),
    Server("pure-ftpd-max", "pure-ftpd -S {port} -c 1 -e -H", ["deb:pure-ftpd"], hold=1, settle=0.5),
    Server("pyftpdlib-max", "{venv} {apps}/ftp_app.py {port} {www}", ["pip:pyftpdlib"], hold=1, settle=0.3),
    Server("rsync-max", "rsync --daemon --no-detach --port={port} --config={conf}", ["deb:rsync"],
           conf="rsyncd.conf"),
    Server("git-daemon", "git daemon --reuseaddr --port={port} --base-path={www} {www}", ["deb:git"]),
    # messages, databases
    Server("ngircd-max", "ngircd -n -f {conf}", ["deb:ngircd"], conf="ngircd.conf", hold=1, settle=0.5),
    Server("mosquitto", "mosquitto -c {conf}", ["deb:mosquitto"], conf="mosquitto.conf"),
    Server("postgresql", "setpriv --reuid postgres --regid postgres --clear-groups sh {apps}/postgres.sh {tmp} {port}",
           ["deb:postgresql"], prepare=["sh {apps}/postgres_folder.sh {tmp}"]),
    # the least that it allows is 10, and one more for an administrator
    Server("mariadb-max", "mariadbd --no-defaults --user=root --skip-grant-tables --skip-networking=0 --bind-address=0.0.0.0 "
           "--datadir={tmp}/base --socket={tmp}/socket --port={port} --max-connections=10",
           ["deb:mariadb-server-core"], prepare=["mkdir {tmp}/base"], hold=11, settle=0.5),
    Server("cups", "cupsd -f -c {conf} -s {tmp}/cups-files.conf", ["deb:cups-daemon"], post=413, conf="cupsd.conf",
           prepare=["sh {apps}/cups_folder.sh {tmp} {www}"]),
    # in front of others
    Server("danted", "danted -f {conf}", ["deb:dante-server"], conf="danted.conf"),
    Server("nginx-stream", "nginx -p {tmp} -c {conf}", ["deb:nginx-light", "deb:libnginx-mod-stream"],
           conf="nginx-stream.conf"),
    Server("nginx-stream-proxy", "nginx -p {tmp} -c {conf}", ["deb:nginx-light", "deb:libnginx-mod-stream"],
           conf="nginx-stream-proxy.conf", post=501, before=PYTHON_BEHIND),
    Server("haproxy-tcp", "haproxy -db -f {conf}", ["deb:haproxy"], post=501, conf="haproxy-tcp.cfg",
           before=PYTHON_BEHIND),
    Server("rinetd", "rinetd -f -c {conf}", ["deb:rinetd"], post=501, conf="rinetd.conf", before=PYTHON_BEHIND),
    Server("simpleproxy", "simpleproxy -L {port} -R 127.0.0.1:{port2}", ["deb:simpleproxy"], post=501,
           before=PYTHON_BEHIND),
    Server("simpleproxy-half", "simpleproxy -L {port} -R 127.0.0.1:{port2}", ["deb:simpleproxy"], post=501,
           before=PYTHON_BEHIND, options=HALF),
    Server("sslh", "sslh-select -f -p 0.0.0.0:{port} --http 127.0.0.1:{port2} -u root", ["deb:sslh"], post=501,
           before=PYTHON_BEHIND),
    Server("hitch", "hitch --user=nobody --frontend=[0.0.0.0]:{port} --backend=[127.0.0.1]:{port2} {tmp}/both.pem",
           ["deb:hitch", "deb:openssl"], post=501, before=PYTHON_BEHIND, scheme="https",
           prepare=[CERTIFICATE, "sh -c cat${{IFS}}{tmp}/key.pem${{IFS}}{tmp}/cert.pem>{tmp}/both.pem"]),
    Server("socat-tcp", "socat TCP4-LISTEN:{port},fork,reuseaddr TCP4:127.0.0.1:{port2}", ["deb:socat"], post=501,
           before=PYTHON_BEHIND),
    Server("socat-tcp-half", "socat TCP4-LISTEN:{port},fork,reuseaddr TCP4:127.0.0.1:{port2}", ["deb:socat"],
           post=501, before=PYTHON_BEHIND, options=HALF),
    Server("xinetd-cat", "xinetd -dontfork -f {conf}", ["deb:xinetd"], conf="xinetd.conf"),
    # HTTP
    Server("unicorn", "unicorn -E none -l 0.0.0.0:{port} {apps}/rack.ru", ["deb:unicorn"], post=413),
    Server("unicorn-half", "unicorn -E none -l 0.0.0.0:{port} {apps}/rack.ru", ["deb:unicorn"], post=413, options=HALF),
    Server("mojolicious", "perl {apps}/mojo.pl daemon -l http://*:{port}", ["deb:libmojolicious-perl"], post=413),
    Server("perl-http-simple", "perl {apps}/http_simple.pl {port}", ["deb:libhttp-server-simple-perl"], post=413),
    Server("gunicorn-uvicorn",
           "{venv} -m gunicorn --chdir {apps} -k uvicorn.workers.UvicornWorker -b 0.0.0.0:{port} asgi_app:app",
           ["pip:gunicorn==27.0.*", "pip:uvicorn==0.54.*"], post=413),
    Server("gunicorn-tornado", "{venv} -m gunicorn --chdir {apps} -k tornado -b 0.0.0.0:{port} wsgi_app:app",
           ["pip:gunicorn==27.0.*", "pip:tornado==6.6.*"], post=413),
    Server("hypercorn-trio", "{venv} -m hypercorn -k trio -b 0.0.0.0:{port} asgi_app:app",
           ["pip:hypercorn==0.18.*", "pip:trio"], post=413, env=APPS),
    Server("cherrypy", "{venv} {apps}/cherrypy_app.py {port}", ["pip:cherrypy"], post=413),
    Server("cherrypy-half", "{venv} {apps}/cherrypy_app.py {port}", ["pip:cherrypy"], post=413, options=HALF),
    Server("node-http-server", "node {node}/node_modules/http-server/bin/http-server {www} -p {port} -s",
           ["npm:http-server@14", "node"], post=405, env=NODE),
    Server("node-restify", "node {apps}/restify.js {port}", ["npm:restify@11", "node"], post=413, env=NODE),
    Server("node-hono", "node {apps}/hono.mjs {port}", ["npm:hono@4", "npm:@hono/node-server@1", "node"], post=413,
           env=NODE),
]
