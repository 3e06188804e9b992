// express: refuses without reading the body
const app = require('express')();

app.post('/', (request, response) => response.status(413).send('too large\n'));
app.listen(Number(process.argv[2]), '0.0.0.0');
