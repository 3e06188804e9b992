<?php
// PHP's own server: the script answers 413, whatever comes; files are the server's own
if (strpos($_SERVER["REQUEST_URI"], "/1M.bin") === 0) {
    return false;
}
http_response_code(413);
echo "too large\n";
