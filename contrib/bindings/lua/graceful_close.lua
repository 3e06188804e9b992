--- Ends TCP connections properly: graceful_close for LuaJIT, by its FFI.
--
--     local graceful = require "graceful_close"
--     local report, err = graceful.close(client, 5000)
--     if not report then print("still open: " .. err)
--     elseif report.outcome ~= graceful.GRACEFUL then print("closed, but " .. report.name) end
--
-- instead of client:close(). Takes the number of a descriptor, or a LuaSocket object: that one
-- loses its descriptor (setfd(-1)) before the library gets it, so that neither client:close() nor
-- the garbage collector closes it again; if the library refuses, or keeps it (THEN_KEEP), it gets
-- it back. The library is looked for in GRACEFUL_CLOSE_LIBRARY (a path), then where the system
-- looks. TLS comes first. The connection is over for everybody who holds it.
local ffi = require "ffi"

local windows = ffi.os == "Windows"

ffi.cdef("typedef " .. (windows and "size_t" or "int") .. " gc_socket;")
ffi.cdef [[
typedef int (*gc_data_fn)(void *user, const void *data, size_t size);
typedef struct gc_options {
    size_t struct_size;
    unsigned int timeout_ms;
    unsigned int idle_timeout_ms;
    unsigned int peer_first_ms;
    unsigned int fallback;
    unsigned int if_shared;
    unsigned int flags;
    size_t max_drain_bytes;
    gc_data_fn on_data;
    void *user;
    unsigned int background_ms;
} gc_options;
typedef struct gc_report {
    size_t struct_size;
    int outcome;
    int system_error;
    int closed;
    int peer_closed;
    size_t drained_bytes;
    size_t unacked_bytes;
    size_t elapsed_us;
} gc_report;
int gc_close_with(gc_socket sock, const gc_options *options, gc_report *report);
int gc_finish(gc_socket sock, unsigned int timeout_ms);
typedef void (*gc_done_fn)(void *user, gc_socket sock, const gc_report *report);
int gc_close_async_with(gc_socket sock, const gc_options *options, gc_done_fn done, void *user);
int gc_flush(unsigned int timeout_ms);
int gc_abort(gc_socket sock);
const char *gc_outcome_name(int code);
const char *gc_version_string(void);
unsigned int gc_version_number(void);
]]

local function load()
    local given = os.getenv "GRACEFUL_CLOSE_LIBRARY"
    local names = given and given ~= "" and { given }
        or windows and { "graceful_close.dll" }
        or ffi.os == "OSX" and { "libgraceful_close.0.dylib", "libgraceful_close.dylib" }
        or { "libgraceful_close.so.0", "libgraceful_close.so" }
    local why = {}
    for _, name in ipairs(names) do
        local ok, lib = pcall(ffi.load, name)
        if ok then return lib end
        why[#why + 1] = "    " .. name .. ": " .. tostring(lib)
    end
    error("the shared library of graceful_close cannot be loaded. Tried:\n" .. table.concat(why, "\n")
        .. "\nInstall it, or set the environment variable GRACEFUL_CLOSE_LIBRARY to its path.", 0)
end

local lib = load()

local graceful = {
    lib = lib,
    GRACEFUL = 0, TIMED_OUT = 1, RESET = 2, LOST = 3, DRAIN_LIMIT = 4, STOPPED = 5,
    NOT_CONNECTED = 6, UNCERTAIN = 7, EVICTED = 8, RELEASED = 9, DELIVERED = 10, CONTINUED = 11,
    ERR_NOT_A_SOCKET = -1, ERR_ARGUMENT = -2, ERR_RESOURCES = -3, ERR_STOPPED = -4,
    ERR_SYSTEM = -5, ERR_INTERNAL = -6,
    THEN_CLOSE = 0, THEN_ABORT = 1, THEN_KEEP = 2, THEN_BACKGROUND = 3,
    UNTIL_ACKED = 2,
    SHARED_SHUTDOWN = 0, SHARED_RELEASE = 1,
    INFINITE = 0xFFFFFFFF,
}

local unknown = ffi.cast("size_t", -1)
local settings = { "idle_timeout_ms", "peer_first_ms", "fallback", "if_shared", "flags", "max_drain_bytes", "background_ms" }

function graceful.name(code) return ffi.string(lib.gc_outcome_name(code)) end

function graceful.version() return ffi.string(lib.gc_version_string()) end

--- The descriptor, and what puts it back into its object.
local function take(sock)
    if type(sock) == "number" then return sock, function() end end
    if type(sock) ~= "userdata" and type(sock) ~= "table" then
        error("a LuaSocket object or the number of a descriptor is wanted, not " .. type(sock), 3)
    end
    local fd = sock:getfd()
    if fd and fd >= 0 then sock:setfd(-1) end
    return fd or -1, function() sock:setfd(fd) end
end

-- fd: what was asked for; -1 is what LuaSocket says of a closed socket
local function refused(code, fd)
    local words = fd == -1 and "the socket is closed already, nothing was done" or graceful.name(code)
    return nil, words, code, ffi.errno()
end

-- A callback must not be entered from compiled code.
local function call_close_with(fd, options, report)
    return lib.gc_close_with(fd, options, report)
end
jit.off(call_close_with)

local function options_of(timeout_ms, how)
    local options = ffi.new "gc_options"
    options.struct_size = ffi.sizeof(options)
    options.timeout_ms = timeout_ms or 5000
    for _, key in ipairs(settings) do options[key] = how[key] or 0 end
    return options
end

--- Closes within so many milliseconds (default 5000). Options, all optional: idle_timeout_ms,
-- peer_first_ms, fallback, if_shared, flags, max_drain_bytes, background_ms, and on_data(text), which gets what the peer
-- still sends and returns true to stop. Returns a report, or nil, message, code, errno. An error in
-- on_data ends the close and is raised again; the socket is closed then.
function graceful.close(sock, timeout_ms, how)
    how = how or {}
    local options, report = options_of(timeout_ms, how), ffi.new "gc_report"
    report.struct_size = ffi.sizeof(report)
    local callback, failure
    if how.on_data then
        callback = ffi.cast("gc_data_fn", function(_, data, size)
            local ok, stop = pcall(how.on_data, ffi.string(data, size))
            if not ok then failure = { stop } end
            return (not ok or stop) and 1 or 0
        end)
        options.on_data = callback
    end
    local fd, put_back = take(sock)
    local code = call_close_with(fd, options, report)
    local told = { refused(code, fd) } -- errno first: what follows may change it
    if callback then callback:free() end
    if report.closed == 0 then put_back() end
    if code < 0 then return unpack(told, 1, 4) end
    if failure then error(failure[1], 0) end
    return {
        outcome = code,
        name = graceful.name(code),
        system_error = report.system_error,
        closed = report.closed ~= 0,
        peer_closed = report.peer_closed ~= 0,
        drained_bytes = tonumber(report.drained_bytes),
        -- nil: the system cannot tell
        unacked_bytes = report.unacked_bytes ~= unknown and tonumber(report.unacked_bytes) or nil,
        elapsed_us = tonumber(report.elapsed_us),
    }
end

--- Finishes the connection and leaves the descriptor to its object, open: the outcome and its name, or as close().
function graceful.finish(sock, timeout_ms)
    timeout_ms = ffi.new("unsigned int", timeout_ms or 5000)
    local fd = type(sock) == "number" and sock or sock:getfd() or -1
    local code = lib.gc_finish(fd, timeout_ms)
    if code < 0 then return refused(code, fd) end
    return code, graceful.name(code)
end

--- Hands the socket over to a thread of the library: true, or as close(). Options as there, but for on_data:
-- no thread but its own may enter Lua.
function graceful.close_async(sock, timeout_ms, how)
    how = how or {}
    if how.on_data then error("close_async() has no on_data: no thread but its own may enter Lua", 2) end
    local options = options_of(timeout_ms, how) -- what may be an error comes before the descriptor is taken
    local fd, put_back = take(sock)
    local code = lib.gc_close_async_with(fd, options, nil, nil)
    if code == 0 then return true end
    local told = { refused(code, fd) }
    put_back()
    return unpack(told, 1, 4)
end

--- Waits until nothing of close_async() is pending: call it before the program ends.
function graceful.flush(timeout_ms) return lib.gc_flush(timeout_ms or 5000) == 0 end

--- Resets the connection now: true, or as close().
function graceful.abort(sock)
    local fd, put_back = take(sock)
    local code = lib.gc_abort(fd)
    if code == 0 then return true end
    local told = { refused(code, fd) }
    put_back()
    return unpack(told, 1, 4)
end

return graceful
