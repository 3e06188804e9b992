# Two tests run at a time. They are independent: ports are chosen by the system, and temporary files
# have names of their own. Most of them wait most of the time. Those that look at the clock with a
# bound of a second or two, and those that take all the processor they can get, run beside others
# but not beside each other.
set(_measuring
    closing         # steps that must not wait, and waits of at most 1.5 s
    closing_confirm # counts the steps in a second
    closing_freed   # a step that frees what is pending has a bound
    time_outs       # waits of at most 1 s
)
set(_busy
    posix_fork_reaper # hundreds of processes
    reaper_idle       # 2,000 sockets; measures its own processor time
    reaper_limit      # as many sockets as there may be
)
set(_not_at_once ${_measuring} ${_busy})

# Those that start programs: Wine 8 refuses that now and then (error 1359) while another program
# starts at the same moment. Seen once in three runs.
set(_starting exit_flush)

# linux_sharing measures a search through all processes. And while any descriptor on the machine is
# under way in a message, no thread is woken (linux_blocked_threads).
set(_alone linux_sharing linux_listener_in_message)

# The longest ones are started first: one that is left for the end would run alone. ctest learns
# this by itself, but a fresh build tree has nothing to learn from.
set(_long ${_not_at_once} linux_faults reaper_calls linux_notices threads reaper tls_openssl tls_openssl_loop)

function(_beside_others test name)
    if(name IN_LIST _not_at_once)
        set_tests_properties(${test} PROPERTIES RESOURCE_LOCK processor)
    endif()
    if(name IN_LIST _alone OR (WIN32 AND name IN_LIST _starting))
        set_tests_properties(${test} PROPERTIES RUN_SERIAL TRUE)
    endif()
    if(name IN_LIST _long)
        set_tests_properties(${test} PROPERTIES COST 10)
    endif()
endfunction()
