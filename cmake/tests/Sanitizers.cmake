# Whether the sanitizers can be linked here, and whether the leak check can run: it cannot be where
# ptrace is forbidden. Sets _can_sanitize and adds to _environment.
set(_can_sanitize OFF)
set(_probe "${PROJECT_BINARY_DIR}/probe.c")
file(WRITE "${_probe}" "int main(void) { return 0; }\n")
set(ENV{ASAN_OPTIONS} detect_leaks=1)
try_run(_probe_status _probe_links "${PROJECT_BINARY_DIR}/probe" "${_probe}"
    COMPILE_DEFINITIONS ${_sanitize} LINK_OPTIONS ${_sanitize})
if(NOT _probe_links)
    _skip("sanitizers" "${CMAKE_C_COMPILER} cannot link them here")
    return()
endif()
set(_can_sanitize ON)
set(_leaks 1)
if(NOT _probe_status EQUAL 0)
    set(_leaks 0)
    _skip("leak check of the address sanitizer" "it cannot run here")
endif()
list(APPEND _environment ASAN_OPTIONS=detect_leaks=${_leaks} UBSAN_OPTIONS=print_stacktrace=1)
