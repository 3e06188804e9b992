# Mojolicious: refuses every body above a limit
use Mojolicious::Lite -signatures;

app->log->level('fatal');
app->max_request_size(100_000);
get '/1M.bin' => sub ($c) { $c->reply->file($ENV{REAL_FILE}) };
any '/' => sub ($c) { $c->render(text => "too large\n", status => 413) };
app->start;
