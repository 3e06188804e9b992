# The tests in C and the examples, run by ctest; under CMAKE_CROSSCOMPILING_EMULATOR when crossing.
set(_kinds)
foreach(_kind shared static)
    if(TARGET graceful_close::${_kind})
        list(APPEND _kinds ${_kind})
    endif()
endforeach()
if(WIN32)
    set(_foreign "^(posix|linux)_")
    set(_system_libs ws2_32 iphlpapi)
else()
    set(_foreign "^win_")
    if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
        set(_foreign "^(win|linux)_")
    endif()
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
    set(_system_libs Threads::Threads ${CMAKE_DL_LIBS})
endif()
# A part of the programs alone, for those in a hurry
set(GRACEFUL_CLOSE_TEST_FILTER "." CACHE STRING "Which tests and examples are built: a regular expression for their names")

if(GRACEFUL_CLOSE_TEST_SET)
    include("${CMAKE_CURRENT_LIST_DIR}/tests/Set.cmake")
    return()
endif()

if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    set(_warnings -Wall -Wextra)
endif()

# A program of NAME.KIND from one source file, in a folder of that kind.
function(_graceful_close_program name kind source)
    add_executable(${name}.${kind} "${PROJECT_SOURCE_DIR}/${source}")
    target_link_libraries(${name}.${kind} PRIVATE graceful_close::${kind} ${_system_libs})
    target_compile_options(${name}.${kind} PRIVATE ${_warnings})
    set_target_properties(${name}.${kind} PROPERTIES OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/programs/${kind}")
    if(kind STREQUAL "shared" AND TARGET graceful_close_dll)
        add_dependencies(${name}.${kind} graceful_close_dll)
    endif()
endfunction()

# the DLL, once, beside all of them
if(WIN32 AND TARGET graceful_close::shared)
    add_custom_target(graceful_close_dll DEPENDS graceful_close_shared_library
        COMMAND "${CMAKE_COMMAND}" -E make_directory "${PROJECT_BINARY_DIR}/programs/shared/$<CONFIG>"
        COMMAND "${CMAKE_COMMAND}" -E copy_if_different "$<TARGET_FILE:graceful_close::shared>"
            "${PROJECT_BINARY_DIR}/programs/shared"
        COMMAND "${CMAKE_COMMAND}" -E copy_if_different "$<TARGET_FILE:graceful_close::shared>"
            "${PROJECT_BINARY_DIR}/programs/shared/$<CONFIG>" VERBATIM)
endif()

function(_graceful_close_test name label)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()

if(GRACEFUL_CLOSE_TESTS)
    file(GLOB _files RELATIVE "${PROJECT_SOURCE_DIR}" CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/*.c")
    foreach(_file IN LISTS _files)
        get_filename_component(_name "${_file}" NAME_WE)
        if(_name MATCHES "${_foreign}" OR NOT _name MATCHES "${GRACEFUL_CLOSE_TEST_FILTER}")
            continue()
        endif()
        foreach(_kind IN LISTS _kinds)
            _graceful_close_program(${_name} ${_kind} ${_file})
            _graceful_close_test(${_name}.${_kind} test ${_name}.${_kind})
        endforeach()
    endforeach()
endif()

if(GRACEFUL_CLOSE_EXAMPLES)
    add_executable(pair "${PROJECT_SOURCE_DIR}/tests/harness/pair.c")
    set_target_properties(pair PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/programs")

    # loops that need nothing but the system; the others have a library of their own
    set(_loops loop_select loop_poll)
    if(WIN32)
        list(APPEND _loops loop_wsaasyncselect loop_wsaeventselect loop_iocp)
    elseif(CMAKE_SYSTEM_NAME STREQUAL "Linux")
        list(APPEND _loops loop_epoll)
    endif()

    foreach(_kind IN LISTS _kinds)
        foreach(_name demo_client graceful_client loop_client)
            _graceful_close_program(${_name} ${_kind} examples-c/${_name}.c)
        endforeach()
        foreach(_name early_answer graceful_server busy_server shutdown_all time_wait stop_listening ${_loops})
            if(NOT _name MATCHES "${GRACEFUL_CLOSE_TEST_FILTER}")
                continue()
            endif()
            _graceful_close_program(${_name} ${_kind} examples-c/${_name}.c)
            # pair SERVER... -- CLIENT...: PORT stands for the one that the server prints
            set(_arguments pair "$<TARGET_FILE:${_name}.${_kind}>")
            if(_name STREQUAL "early_answer")
                list(APPEND _arguments graceful 0 20 -- "$<TARGET_FILE:demo_client.${_kind}>" PORT upload 20)
            elseif(_name STREQUAL "graceful_server")
                list(APPEND _arguments 0 1 -- "$<TARGET_FILE:graceful_client.${_kind}>" 127.0.0.1 PORT 100000)
            elseif(_name MATCHES "^loop_")
                list(APPEND _arguments 10 -- "$<TARGET_FILE:loop_client.${_kind}>" PORT slow 10)
            elseif(_name STREQUAL "busy_server")
                set(_arguments ${_name}.${_kind} selftest)
            else() # how many connections: few, for Wine's sake
                set(_arguments ${_name}.${_kind} 50)
            endif()
            _graceful_close_test(${_name}.${_kind} example ${_arguments})
        endforeach()
    endforeach()

    # it looks at the clock: not beside other tests
    foreach(_name busy_server shutdown_all)
        foreach(_kind IN LISTS _kinds)
            if(TEST ${_name}.${_kind})
                set_tests_properties(${_name}.${_kind} PROPERTIES RUN_SERIAL TRUE)
            endif()
        endforeach()
    endforeach()
endif()
