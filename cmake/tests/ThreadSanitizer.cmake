# The run-time of the library's compiler lies beside the library. GCC's own of version 12 lacks functions that this
# compiler calls (__tsan_memcpy), so GCC only compiles for ThreadSanitizer, and does not link its own.
# Sets _thread_sanitizer and adds to _environment.
file(GLOB _run_time "${GRACEFUL_CLOSE_PREBUILT}/librustc*_rt.tsan.a")
if(NOT _run_time)
    message(FATAL_ERROR "graceful_close: no run-time of ThreadSanitizer in ${GRACEFUL_CLOSE_PREBUILT}: "
        "scripts/checkers c-thread builds the library and takes one")
endif()
set(_thread_sanitizer -Wl,--whole-archive "${_run_time}" -Wl,--no-whole-archive -Wl,--export-dynamic m rt resolv)
# a report makes the program end with 66; a child of a program with threads may start threads of its own
list(APPEND _environment
    "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/harness/thread-sanitizer.supp die_after_fork=0 exitcode=66")
