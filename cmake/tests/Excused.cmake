# What cannot be run on another kind of machine, by tests/harness/machine-skips.txt. The machine is that of the
# preset: linux-MACHINE.
set(_excuses)
if(_set STREQUAL "machine")
    set(_list "${PROJECT_SOURCE_DIR}/tests/harness/machine-skips.txt")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_list}")
    file(STRINGS "${_list}" _excuses REGEX "^[^#]")
    string(REGEX REPLACE "^.*/linux-([^/]+)$" "\\1" _machine "${PROJECT_BINARY_DIR}")
endif()

# _excused(RESULT NAME): why the program NAME is not run; empty if it is
function(_excused result name)
    set(${result} "" PARENT_SCOPE)
    foreach(line IN LISTS _excuses)
        if(NOT line MATCHES "^([^|]*[^| ]) *\\| *([^|]*[^| ]) *\\| *([^|]*[^| ]) *$")
            message(FATAL_ERROR "machine-skips.txt: not REASON | MACHINES | TESTS: ${line}")
        endif()
        set(why "${CMAKE_MATCH_1}")
        set(names "${CMAKE_MATCH_3}")
        string(REPLACE " " ";" machines "${CMAKE_MATCH_2}")
        string(REPLACE " " ";" names "${names}")
        if(name IN_LIST names AND (_machine IN_LIST machines OR (CMAKE_CROSSCOMPILING_EMULATOR AND "emulated" IN_LIST machines)))
            set(${result} "${why}" PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# tests/harness/emulated_tcp_info.c says why; preloaded by qemu, not into qemu.
if(_set STREQUAL "machine" AND CMAKE_CROSSCOMPILING_EMULATOR AND CMAKE_C_BYTE_ORDER STREQUAL "BIG_ENDIAN")
    add_library(emulated_tcp_info MODULE "${PROJECT_SOURCE_DIR}/tests/harness/emulated_tcp_info.c")
    target_compile_options(emulated_tcp_info PRIVATE -Wall -Wextra -Werror)
    list(APPEND _environment "QEMU_SET_ENV=LD_PRELOAD=$<TARGET_FILE:emulated_tcp_info>")
endif()
