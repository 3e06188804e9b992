// Node's own http client: HOST PORT COUNT FILE STATUS; one line of JSON for each request
const fs = require('fs');
const http = require('http');

const [host, port, count, file, status] = process.argv.slice(2);
const body = fs.readFileSync(file);

function once() {
  return new Promise((resolve) => {
    const request = http.request(
      { host, port: Number(port), method: 'POST', path: '/', agent: false, timeout: 20000,
        headers: { 'Content-Length': body.length, 'Content-Type': 'application/octet-stream' } },
      (response) => {
        response.on('data', () => {});
        response.on('end', () => resolve(response.statusCode === Number(status) ? '' : `status ${response.statusCode}`));
        response.on('error', (error) => resolve(`node ${error.code || error.message}`));
      });
    request.on('error', (error) => resolve(`node ${error.code || error.message}`));
    request.on('timeout', () => { resolve('node time-out'); request.destroy(); });
    request.end(body);
  });
}

(async () => {
  for (let i = 0; i < Number(count); i++) {
    const started = process.hrtime.bigint();
    const error = await once();
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    fs.writeSync(1, JSON.stringify([error, ms]) + '\n');
  }
  process.exit(0); // connections whose request is still being sent must not hold us
})();
