// koa: refuses without reading the body, and wants the connection to end
const Koa = require('koa');
const app = new Koa();

app.use((context) => {
  context.status = 413;
  context.set('Connection', 'close');
  context.body = 'too large\n';
});
app.listen(Number(process.argv[2]), '0.0.0.0');
