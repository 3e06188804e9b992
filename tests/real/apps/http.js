// node's own server: refuses without reading the body
require('http').createServer((request, response) => {
  response.writeHead(413, { Connection: 'close' });
  response.end('too large\n');
}).listen(Number(process.argv[2]), '0.0.0.0');
