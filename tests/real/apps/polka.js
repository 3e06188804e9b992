// polka: refuses without reading the body, and wants the connection to end
require('polka')()
  .post('/', (request, response) => {
    response.writeHead(413, { Connection: 'close' });
    response.end('too large\n');
  })
  .listen(Number(process.argv[2]), '0.0.0.0');
