// hapi: the body is larger than the route allows, it answers 413
const server = require('@hapi/hapi').server({ port: Number(process.argv[2]), host: '0.0.0.0' });

server.route({ method: 'POST', path: '/', options: { payload: { maxBytes: 100000 } }, handler: () => 'ok' });
server.start();
