// fastify: the body is larger than its own limit, it answers 413
const fastify = require('fastify')({ bodyLimit: 100000 });

fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
fastify.post('/', async () => 'ok');
fastify.listen({ port: Number(process.argv[2]), host: '0.0.0.0' });
