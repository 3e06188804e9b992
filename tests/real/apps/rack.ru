# Rack: refuses every body without reading it; GET /1M.bin sends the file
run lambda { |env|
  if env["PATH_INFO"] == "/1M.bin"
    body = File.binread(ENV["REAL_FILE"])
    [200, { "Content-Length" => body.bytesize.to_s }, [body]]
  else
    [413, { "Content-Length" => "10" }, ["too large\n"]]
  end
}
