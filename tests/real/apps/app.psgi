# PSGI: refuses every body without reading it; GET /1M.bin sends the file
use strict;

sub {
    my $env = shift;
    return [413, ["Content-Length" => 10], ["too large\n"]] if $env->{PATH_INFO} ne "/1M.bin";
    open my $file, "<:raw", $ENV{REAL_FILE} or die;
    local $/;
    my $body = <$file>;
    return [200, ["Content-Length" => length $body], [$body]];
};
