# cmake -DFROM= -DTO= -DAR= -DSTRIP= -P CopyStatic.cmake
# Copies a static library without its debug information, which is two thirds of it. The members
# named .dwo that Windows archives have are debug information alone, and strip takes them for broken
# objects. What goes wrong here costs only size.
get_filename_component(folder "${TO}" DIRECTORY)
set(copy "${folder}/copying.a")
execute_process(COMMAND "${CMAKE_COMMAND}" -E copy "${FROM}" "${copy}" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "cannot copy ${FROM} to ${copy}")
endif()

if(AR AND STRIP)
    execute_process(COMMAND "${AR}" t "${copy}" OUTPUT_VARIABLE members RESULT_VARIABLE status ERROR_QUIET)
    string(REGEX MATCHALL "[^\r\n]+[.]dwo" debug_members "${members}")
    if(status EQUAL 0 AND debug_members)
        execute_process(COMMAND "${AR}" d "${copy}" ${debug_members} RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    endif()
    if(status EQUAL 0)
        execute_process(COMMAND "${STRIP}" --strip-debug -o "${copy}.stripped" "${copy}"
            RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    endif()
    if(status EQUAL 0)
        file(RENAME "${copy}.stripped" "${copy}")
    else()
        file(REMOVE "${copy}.stripped")
        execute_process(COMMAND "${CMAKE_COMMAND}" -E copy "${FROM}" "${copy}")
    endif()
endif()
file(RENAME "${copy}" "${TO}")
