// hono: refuses without reading the body, and wants the connection to end
import { createRequire } from 'node:module';
const require = createRequire(process.env.NODE_PATH + '/');
const { serve } = require('@hono/node-server');
const { Hono } = require('hono');
const app = new Hono();

app.all('/', (context) => context.text('too large\n', 413, { Connection: 'close' }));
serve({ fetch: app.fetch, port: Number(process.argv[2]), hostname: '0.0.0.0' });
