# The programs of tests/c. A program for one system only is called so: win_*, posix_* or linux_*.

# Those that are run in each variant: what differs between the libraries, or between the languages,
# shows here. The others are run as C89 with the shared library, and only linked otherwise.
set(_everywhere basic closing many reaper threads
    exit_flush               # what the end of the program does to the library's thread
    reaper_refused           # functions of the program in front of those of the C library
    log_caller               # a static library is in the same file as the program
    posix_thread_locals      # storage of a thread
    posix_unload             # linked to the static library it loads and unloads the shared one
    old_program override_define words win_overlapped win_override)
if(WIN32)
    list(REMOVE_ITEM _everywhere reaper_refused) # skipped there
endif()

# what begins with check.h, also inside of another header
set(_begins_with_check "\"(check|check_heap|closing_test|reaper_test)[.]h\"")

# _c_objects(TARGET NAME STANDARD LANGUAGE KIND FLAG...)
function(_c_objects target name standard language kind)
    if(TARGET ${target})
        return()
    endif()
    set(source "${PROJECT_SOURCE_DIR}/tests/c/${name}.c")
    set(flags ${_${standard}} ${ARGN})
    _objects(${target} ${kind} "${source}" ${_as_${standard}} ${flags})
    file(STRINGS "${source}" first REGEX "^#" LIMIT_COUNT 1)
    if(first MATCHES "${_begins_with_check}")
        _use_compiled_header(${target} ${language} "${PROJECT_SOURCE_DIR}/tests/c/check.h" ${flags})
    endif()
endfunction()

# _c_program(NAME STANDARD KIND FLAG...): its target in _target. For Windows a program that shall use
# the DLL is compiled with GRACEFUL_CLOSE_DLL; it need not be, and one object will do where the
# program is not run.
macro(_c_program name standard kind)
    set(_target ${name}.${standard}.${kind})
    set(_object_kind static)
    if(NOT TARGET graceful_close::static OR "${standard}.${kind}" STREQUAL "c89.shared" OR ${name} IN_LIST _everywhere)
        set(_object_kind ${kind})
    endif()
    set(_compiled ${name}.${standard}.o)
    if(WIN32)
        set(_compiled ${name}.${standard}.${_object_kind}.o)
    endif()
    set(_language C)
    if(${standard} STREQUAL "cxx98")
        set(_language CXX)
    endif()
    _c_objects(${_compiled} ${name} ${standard} ${_language} ${_object_kind} ${ARGN})
    _program(${_target} ${kind} ${_language} ${_compiled})
endmacro()

macro(_c_variants name)
    foreach(_standard c89 cxx98)
        if(_standard STREQUAL "cxx98" AND (NOT CMAKE_CXX_COMPILER OR _is_brief))
            continue()
        endif()
        foreach(_kind shared static)
            _c_program(${name} ${_standard} ${_kind} -O2)
            if(_set STREQUAL "links")
                continue()
            endif()
            if("${_standard}.${_kind}" STREQUAL "c89.shared" OR ${name} IN_LIST _everywhere)
                _run(${_target} ${name} ${_target} ${_target})
            endif()
        endforeach()
    endforeach()
endmacro()

macro(_c_sanitized name)
    _c_program(${name} c89 shared -O1 -g ${_sanitize})
    target_link_options(${_target} PRIVATE ${_sanitize})
    _run(${name}.sanitized ${name} ${_target} ${_target})
endmacro()

macro(_c_thread_sanitized name)
    _c_program(${name} c89 static -O1 -g -fsanitize=thread)
    target_link_libraries(${_target} PRIVATE ${_thread_sanitizer})
    _run(${name}.thread-sanitized ${name} ${_target} ${_target})
endmacro()

# A forked child has lost the stacks of the other threads, and all that only they pointed to: no leak
# check there.
macro(_c_valgrind name)
    _c_program(${name} c89 static -O1 -g)
    set(_leak_check full)
    if(${name} MATCHES "^posix_fork")
        set(_leak_check no)
    endif()
    _run(${name}.valgrind ${name} ${_target} "${PROJECT_SOURCE_DIR}/tests/harness/under-valgrind"
        ${_leak_check} $<TARGET_FILE:${_target}>)
endmacro()

file(GLOB _sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/*.c")
foreach(_source IN LISTS _sources)
    get_filename_component(_name "${_source}" NAME_WE)
    _wanted(_is_wanted ${_name})
    if(_name MATCHES "${_foreign}" OR NOT _is_wanted)
        continue()
    endif()
    if(_set STREQUAL "sanitizers")
        _c_sanitized(${_name})
    elseif(_set STREQUAL "thread-sanitizer")
        _c_thread_sanitized(${_name})
    elseif(_set STREQUAL "valgrind")
        _c_valgrind(${_name})
    else()
        _c_variants(${_name})
    endif()
endforeach()
