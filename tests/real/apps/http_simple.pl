# HTTP::Server::Simple: refuses every body without reading it; GET /1M.bin sends the file
package Refusing;
use strict;
use parent 'HTTP::Server::Simple';

sub setup {
    my ($self, %request) = @_;
    $self->{path} = $request{path};
}

sub handler {
    if (shift->{path} eq '/1M.bin') {
        open my $file, '<:raw', $ENV{REAL_FILE} or die;
        local $/;
        my $body = <$file>;
        print "HTTP/1.0 200 OK\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
    } else {
        print "HTTP/1.0 413 Too Large\r\nContent-Length: 10\r\n\r\ntoo large\n";
    }
}
sub print_banner { }

package main;
my $server = Refusing->new($ARGV[0]);
$server->host('0.0.0.0');
$server->run;
