// restify: refuses without reading the body, and wants the connection to end
const restify = require('restify');
const server = restify.createServer();

server.post('/', (request, response, next) => {
  response.header('Connection', 'close');
  response.send(413, 'too large');
  next();
});
server.listen(Number(process.argv[2]), '0.0.0.0');
