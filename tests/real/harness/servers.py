"""The servers, as data.

commands: started in this order, the last one is the subject; {port}, {www}, {tmp}, {conf} (the
filled-in file of conf/) and {python}, {venv}, {apps}, {node} are put in.
post: the status with which an upload of 5 MB to / is answered; 0: no HTTP.
hold: connections that the harness keeps open, for servers that refuse those beyond a number.
options: for `graceful-close run`. env goes into the environment.
"""
from . import services
from .server import HALF, Server

LIST = [
    Server("pyhttp", "{python} -m http.server {port} --directory {www}", post=501),
    Server("busybox", "busybox httpd -f -p {port} -h {www}", ["deb:busybox"], post=501),
    Server("micro-httpd-tcpserver", "tcpserver -RHl0 0.0.0.0 {port} /usr/sbin/micro-httpd {www}",
           ["deb:micro-httpd", "deb:ucspi-tcp"], post=501),
    Server("micro-httpd-inetd", "inetd -E -i {conf}", ["deb:micro-httpd", "deb:openbsd-inetd"], post=501,
           conf="inetd-micro-httpd.conf"),
    Server("webfs", "webfsd -F -p {port} -r {www}", ["deb:webfs"], post=501),
    Server("weborf", "weborf -b {www} -p {port}", ["deb:weborf"], post=0),
    Server("civetweb", "civetweb -document_root {www} -listening_ports {port}", ["deb:civetweb"]),
    Server("haproxy", "haproxy -db -f {conf}", ["deb:haproxy"], post=403, conf="haproxy.cfg"),
    Server("tinyproxy", "tinyproxy -d -c {conf}", ["deb:tinyproxy"], post=403, conf="tinyproxy.conf"),
    Server("stunnel-pyhttp", "stunnel4 {conf}", ["deb:stunnel4", "deb:openssl"], post=501, conf="stunnel.conf",
           before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"], scheme="https",
           prepare=["openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
                    "-keyout {tmp}/cert.pem -out {tmp}/cert.pem"]),
    Server("gunicorn-sync", "{venv} -m gunicorn --chdir {apps} -k sync -b 0.0.0.0:{port} wsgi_app:app",
           ["pip:gunicorn==27.0.*"], post=413),
    Server("gunicorn-gthread",
           "{venv} -m gunicorn --chdir {apps} -k gthread --threads 4 -b 0.0.0.0:{port} wsgi_app:app",
           ["pip:gunicorn==27.0.*"], post=413),
    Server("gunicorn-gevent", "{venv} -m gunicorn --chdir {apps} -k gevent -b 0.0.0.0:{port} wsgi_app:app",
           ["pip:gunicorn==27.0.*", "pip:gevent==26.*", "pip:packaging"], post=413),
    Server("cheroot", "{venv} {apps}/cheroot_app.py {port}", ["pip:cheroot==11.1.*"], post=413),
    Server("cheroot-half", "{venv} {apps}/cheroot_app.py {port}", ["pip:cheroot==11.1.*"], post=413, options=HALF),
    Server("wsgiref", "{python} {apps}/wsgi_app.py {port}", post=413),
    Server("uvicorn-asyncio",
           "{venv} -m uvicorn --app-dir {apps} --loop asyncio --http h11 --no-access-log --host 0.0.0.0 "
           "--port {port} asgi_app:app", ["pip:uvicorn==0.54.*"], post=413),
    Server("uvicorn-uvloop",
           "{venv} -m uvicorn --app-dir {apps} --loop uvloop --http h11 --no-access-log --host 0.0.0.0 "
           "--port {port} asgi_app:app", ["pip:uvicorn==0.54.*", "pip:uvloop==0.23.*"], post=413),
    Server("hypercorn", "{venv} -m hypercorn -b 0.0.0.0:{port} asgi_app:app", ["pip:hypercorn==0.18.*"], post=413,
           env={"PYTHONPATH": "{apps}"}),
    Server("tornado", "{venv} {apps}/tornado_app.py {port}", ["pip:tornado==6.6.*"], post=400),
    Server("node-fastify", "node {apps}/fastify.js {port}", ["npm:fastify@5", "node"], post=413,
           env={"NODE_PATH": "{node}/node_modules"}),
    Server("node-express", "node {apps}/express.js {port}", ["npm:express@5", "node"], post=413,
           env={"NODE_PATH": "{node}/node_modules"}),
    Server("waitress-limit",
           "{venv} -m waitress --host=0.0.0.0 --port={port} --max-request-body-size=100000 wsgi_app:app",
           ["pip:waitress==3.0.*"], post=413, env={"PYTHONPATH": "{apps}"}),
    # not HTTP
    Server("inetd-cat", "inetd -E -i {conf}", ["deb:openbsd-inetd"], conf="inetd-cat.conf"),
    Server("inetd-daytime", "inetd -E -i {conf}", ["deb:openbsd-inetd"], conf="inetd-daytime.conf",
           port=13),
    Server("tcpserver-cat", "tcpserver -RHl0 0.0.0.0 {port} cat {www}/1M.bin", ["deb:ucspi-tcp"]),
    Server("socat-file", "socat -U TCP4-LISTEN:{port},fork,reuseaddr FILE:{www}/1M.bin", ["deb:socat"]),
    Server("socat-file-half", "socat -U TCP4-LISTEN:{port},fork,reuseaddr FILE:{www}/1M.bin", ["deb:socat"],
           options=HALF),
    Server("redis", "redis-server --port {port} --bind 0.0.0.0 --protected-mode no --dir {tmp} --loglevel warning",
           ["deb:redis-server"]),
    Server("redis-maxclients", "redis-server --port {port} --bind 0.0.0.0 --protected-mode no --dir {tmp} "
           "--loglevel warning --maxclients 2", ["deb:redis-server"], hold=2),
    Server("memcached-max", "memcached -u root -l 0.0.0.0 -p {port} -c 32 -o maxconns_fast", ["deb:memcached"],
           hold=32),
    Server("exim-max", "exim4 -C {conf} -bdf", ["deb:exim4-daemon-light"], conf="exim.conf", hold=1, settle=0.5),
    Server("vsftpd-max", "vsftpd {conf}", ["deb:vsftpd"], conf="vsftpd.conf", hold=1, settle=0.5),
    # more of the configurations that people run
    Server("threading-http-1.1", "{python} {apps}/threading_server.py {port} {www}", post=413),
    Server("uvicorn-httptools",
           "{venv} -m uvicorn --app-dir {apps} --loop asyncio --http httptools --no-access-log --host 0.0.0.0 "
           "--port {port} asgi_app:app", ["pip:uvicorn==0.54.*", "pip:httptools"], post=413),
    Server("daphne", "{venv} -m daphne -b 0.0.0.0 -p {port} asgi_app:app", ["pip:daphne"], post=413,
           env={"PYTHONPATH": "{apps}"}),
    Server("granian", "{venv} -m granian --interface wsgi --host 0.0.0.0 --port {port} wsgi_app:app",
           ["pip:granian"], post=413, env={"PYTHONPATH": "{apps}"}),
    Server("gevent-pywsgi", "{venv} {apps}/gevent_app.py {port}", ["pip:gevent==26.*"], post=413),
    Server("eventlet", "{venv} {apps}/eventlet_app.py {port}", ["pip:eventlet"], post=413),
    Server("twisted", "{venv} {apps}/twisted_app.py {port} {www}/1M.bin", ["pip:twisted"], post=413),
    Server("sanic", "{venv} {apps}/sanic_app.py {port}", ["pip:sanic"], post=413),
    Server("node-http", "node {apps}/http.js {port}", ["node"], post=413),
    Server("node-koa", "node {apps}/koa.js {port}", ["npm:koa@2", "node"], post=413,
           env={"NODE_PATH": "{node}/node_modules"}),
    Server("node-hapi", "node {apps}/hapi.js {port}", ["npm:@hapi/hapi@21", "node"], post=413,
           env={"NODE_PATH": "{node}/node_modules"}),
    Server("node-polka", "node {apps}/polka.js {port}", ["npm:polka@0.5", "node"], post=413,
           env={"NODE_PATH": "{node}/node_modules"}),
    Server("uwsgi", "uwsgi --plugins http,python3 --http-socket 0.0.0.0:{port} --chdir {apps} --module wsgi_app:app",
           ["deb:uwsgi-core", "deb:uwsgi-plugin-python3"], post=413),
    Server("uwsgi-http", "uwsgi --plugins http,python3 --http 0.0.0.0:{port} --chdir {apps} --module wsgi_app:app",
           ["deb:uwsgi-core", "deb:uwsgi-plugin-python3"], post=413),
    Server("webrick", "ruby -run -e httpd {www} -p {port}", ["deb:ruby-webrick"], post=405),
    Server("puma", "puma -q -b tcp://0.0.0.0:{port} {apps}/rack.ru", ["deb:puma"], post=413),
    Server("thin", "thin start -R {apps}/rack.ru -a 0.0.0.0 -p {port}", ["deb:thin"], post=413),
    Server("starman", "starman --listen 0.0.0.0:{port} --workers 2 {apps}/app.psgi", ["deb:starman"], post=413),
    Server("twiggy", "plackup -s Twiggy --host 0.0.0.0 --port {port} -E none {apps}/app.psgi", ["deb:twiggy"], post=413),
    Server("perl-http-daemon", "perl {apps}/http_daemon.pl {port}", ["deb:libhttp-daemon-perl"], post=413),
    Server("php", "php -S 0.0.0.0:{port} -t {www} {apps}/refuse.php", ["deb:php-cli"], post=413),
    Server("varnish", "varnishd -F -T none -n {tmp}/varnish -j none -a :{port} -f {conf}", ["deb:varnish"], post=413,
           conf="varnish.vcl", before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"]),
    Server("squid", "squid -N -f {conf}", ["deb:squid"], post=413, conf="squid.conf",
           before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"]),
    Server("privoxy", "privoxy --no-daemon {conf}", ["deb:privoxy"], post=400, conf="privoxy.conf"),
    Server("h2o", "h2o -c {conf}", ["deb:h2o"], post=413, conf="h2o.conf"),
    Server("redir", "redir -n :{port} 127.0.0.1:{port2}", ["deb:redir"], post=501,
           before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"]),
    Server("redir-half", "redir -n :{port} 127.0.0.1:{port2}", ["deb:redir"], post=501,
           before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"], options=HALF),
    Server("pen", "pen -f -r {port} 127.0.0.1:{port2}", ["deb:pen"], post=501,
           before=["{python} -m http.server {port2} --bind 127.0.0.1 --directory {www}"]),
    # it refuses to run as root, so its parent is another user's process
    Server("gophernicus", "tcpserver -RHl0 -u65534 -g65534 0.0.0.0 {port} /usr/sbin/gophernicus -nf -nv -nx -r {www} "
           "-h localhost", ["deb:gophernicus", "deb:ucspi-tcp"]),
    Server("socat-exec", "socat TCP4-LISTEN:{port},fork,reuseaddr SYSTEM:cat$IFS{www}/1M.bin", ["deb:socat"]),
    # these close without a word
    Server("aria2", "aria2c --enable-rpc --rpc-listen-all --rpc-listen-port={port} --no-conf", ["deb:aria2"], post=413),
    # controls: these lose nothing, and must go on so
    Server("nginx-on", "nginx -p {tmp} -c {conf}", ["deb:nginx-light"], post=413, conf="nginx-on.conf"),
    Server("nginx-off", "nginx -p {tmp} -c {conf}", ["deb:nginx-light"], post=413, conf="nginx-off.conf"),
    Server("lighttpd", "lighttpd -D -f {conf}", ["deb:lighttpd"], post=413, conf="lighttpd.conf"),
    Server("apache2", "apache2 -D FOREGROUND -d {tmp} -f {conf}", ["deb:apache2-bin"], post=413, conf="apache2.conf"),
    Server("mini-httpd", "mini_httpd -D -p {port} -d {www} -u root", ["deb:mini-httpd"], post=501),
    Server("flask-dev", "{venv} {apps}/flask_app.py {port}", ["pip:flask==3.1.*"], post=413),
    Server("aiohttp", "{venv} {apps}/aiohttp_app.py {port}", ["pip:aiohttp==3.14.*"], post=413),
    Server("waitress", "{venv} -m waitress --host=0.0.0.0 --port={port} wsgi_app:app",
           ["pip:waitress==3.0.*"], post=413, env={"PYTHONPATH": "{apps}"}),
]

BY_NAME = {server.name: server for server in LIST + services.LIST}
