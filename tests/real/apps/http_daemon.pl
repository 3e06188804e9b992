# Perl's HTTP::Daemon: one request, headers only, then the answer and the end
use strict;
use HTTP::Daemon;

my $daemon = HTTP::Daemon->new(LocalAddr => "0.0.0.0", LocalPort => $ARGV[0], ReuseAddr => 1) or die $!;
while (my $connection = $daemon->accept) {
    my $request = $connection->get_request(1);
    if ($request && $request->uri->path eq "/1M.bin") {
        $connection->send_file_response($ENV{REAL_FILE});
    } elsif ($request) {
        $connection->send_error(413);
    }
    $connection->close;
}
