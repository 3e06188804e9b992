vcl 4.1;
backend files { .host = "127.0.0.1"; .port = "@PORT2@"; }
sub vcl_recv {
    if (req.method == "POST") { return (synth(413)); }
    return (pass);
}
