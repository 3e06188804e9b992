-- A server that answers early: early_answer.lua bare|graceful|layout|checks, with LuaSocket.
-- See ../tests/check_early_answer.py, which plays the client.
local ffi = require "ffi"
local socket = require "socket"
local graceful = require "graceful_close"

local lib = graceful.lib
local mode = arg[1]

local function answer()
    local lines = {}
    for line = 0, 16383 do lines[#lines + 1] = ("%015d\n"):format(line) end
    return table.concat(lines)
end

local function serve()
    local listener = assert(socket.bind("127.0.0.1", 0))
    print("port " .. select(2, listener:getsockname()))
    io.stdout:flush()
    local client = assert(listener:accept())
    listener:close()
    local read = #assert(client:receive "*l")
    read = read + 2 -- the end of the line
    while client:dirty() do -- what LuaSocket holds is no longer the kernel's, and not drained
        read = read + #assert(client:receive(1))
    end
    assert(client:send(answer()))
    if mode == "bare" then
        client:close()
        print("read=" .. read)
        return
    end
    local report = assert(graceful.close(client, 10000))
    assert(client:getfd() == -1, "the object still has its descriptor")
    print(("read=%d outcome=%d name=%s closed=%d peer_closed=%d system_error=%d drained=%d unacked=%s"):format(
        read, report.outcome, report.name, report.closed and 1 or 0, report.peer_closed and 1 or 0,
        report.system_error, report.drained_bytes, report.unacked_bytes or "unknown"))
end

local function layout()
    local structs = {
        { "gc_options", "struct_size", "timeout_ms", "idle_timeout_ms", "peer_first_ms", "fallback", "if_shared", "flags",
            "max_drain_bytes", "on_data", "user", "background_ms" },
        { "gc_report", "struct_size", "outcome", "system_error", "closed", "peer_closed", "drained_bytes", "unacked_bytes",
            "elapsed_us" },
    }
    print("version " .. lib.gc_version_number() .. " " .. graceful.version())
    for _, struct in ipairs(structs) do
        local line = { struct[1], ffi.sizeof(struct[1]) }
        for i = 2, #struct do line[#line + 1] = ffi.offsetof(struct[1], struct[i]) end
        print(table.concat(line, " "))
    end
end

local function pair()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local client = assert(socket.connect("127.0.0.1", (select(2, listener:getsockname()))))
    local server = assert(listener:accept())
    listener:close()
    return server, client
end

local function checks()
    -- what is put back is usable
    local server, client = pair()
    local fd = server:getfd()
    local report, message, code = graceful.close(server, 1000, { fallback = 7 })
    assert(report == nil and code == graceful.ERR_ARGUMENT and type(message) == "string", message)
    assert(server:getfd() == fd)
    report = assert(graceful.close(server, 50, { fallback = graceful.THEN_KEEP }))
    assert(report.outcome == graceful.TIMED_OUT and not report.closed and server:getfd() == fd)
    assert(client:send("later\n"))
    assert(server:receive() == "later")
    assert(graceful.abort(server))
    assert(server:getfd() == -1)
    client:close()

    -- on_data: delivered, stopping, failing
    local got = {}
    server, client = pair()
    assert(client:send(("abc"):rep(1000)))
    client:close()
    report = assert(graceful.close(server, 5000, { on_data = function(data) got[#got + 1] = data end }))
    assert(report.outcome == graceful.GRACEFUL and report.drained_bytes == 3000)
    assert(table.concat(got) == ("abc"):rep(1000))
    server, client = pair()
    assert(client:send("x"))
    report = assert(graceful.close(server, 5000, { on_data = function() return true end }))
    assert(report.outcome == graceful.STOPPED)
    server, client = pair()
    assert(client:send("x"))
    local ok, raised = pcall(graceful.close, server, 5000, { on_data = function() error("mine", 0) end })
    assert(not ok and raised == "mine" and server:getfd() == -1)

    -- smaller structures
    server, client = pair()
    client:close()
    local options, raw = ffi.new "gc_options", ffi.new "gc_report"
    options.struct_size, options.timeout_ms = ffi.offsetof("gc_options", "idle_timeout_ms"), 2000
    options.fallback = 77 -- behind the end: must not be looked at
    raw.struct_size, raw.elapsed_us = ffi.offsetof("gc_report", "drained_bytes"), 4711
    fd = server:getfd()
    server:setfd(-1)
    assert(lib.gc_close_with(fd, options, raw) == graceful.GRACEFUL)
    assert(raw.closed == 1 and raw.elapsed_us == 4711)

    -- in the background
    server, client = pair()
    assert(graceful.close_async(server, 5000) and server:getfd() == -1)
    assert(not graceful.flush(50))
    client:close()
    assert(graceful.flush(5000))

    -- the same, tuned
    server, client = pair()
    fd = server:getfd()
    _, message, code = graceful.close_async(server, 5000, { fallback = graceful.THEN_KEEP })
    assert(code == graceful.ERR_ARGUMENT and message and server:getfd() == fd)
    assert(not pcall(graceful.close_async, server, 5000, { on_data = print }) and server:getfd() == fd)
    assert(graceful.close_async(server, 60000, { idle_timeout_ms = 50 }) and server:getfd() == -1)
    assert(graceful.flush(5000))
    client:close()

    -- the time is up, and the background goes on
    server, client = pair()
    report = graceful.close(server, 20, { fallback = graceful.THEN_BACKGROUND, background_ms = 5000 })
    assert(report.outcome == graceful.CONTINUED and server:getfd() == -1)
    client:close()
    assert(graceful.flush(5000))

    -- finished, and still its owner's
    server, client = pair()
    fd = server:getfd()
    client:close()
    assert(graceful.finish(server, 5000) == graceful.GRACEFUL and server:getfd() == fd)
    assert(graceful.close(server, 5000))

    for _, again in ipairs { graceful.close, graceful.close_async, graceful.abort } do
        report, message = again(server)
        assert(report == nil and message:find "closed already", message)
    end

    -- a wrong argument leaves the socket where it is
    server, client = pair()
    fd = server:getfd()
    for _, call in ipairs { graceful.close, graceful.close_async } do
        assert(not pcall(call, server, "soon") and server:getfd() == fd)
        ok, raised = pcall(call, "socket")
        assert(not ok and raised:find "not string", raised)
    end
    server:close()
    client:close()

    report, message, code, fd = graceful.close(-1)
    assert(report == nil and code == graceful.ERR_NOT_A_SOCKET and fd == 9, "EBADF")
end

if mode == "layout" then layout()
elseif mode == "checks" then checks()
else serve() end
