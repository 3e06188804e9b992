# What the presets build and run (CMakePresets.json), by GRACEFUL_CLOSE_TEST_SET:
#
#   variants     each program of tests/c as C89 and as C++98, linked to the shared and to the static
#                library; tests/cpp in each standard; the event loops; the examples
#   clang        tests/cpp and the event loops, by another compiler
#   sanitizers   tests/c and tests/cpp under the address and the undefined-behaviour sanitizer
#   thread-sanitizer   tests/c under ThreadSanitizer, linked to a static library that is built for it and to the
#                run-time that comes with that library's compiler (scripts/checkers c-thread)
#   valgrind     tests/c, linked to the static library, under Valgrind
#   archive      tests/c as C89 against libraries unpacked from an archive
#   links        as variants, and nothing is run: no system here that runs it
#   machine      another kind of processor, as a rule emulated: tests/c as C89, tests/cpp as C++17, the event loops;
#                what the emulator cannot do is in tests/harness/machine-skips.txt
#
# All of them are compiled with warnings as errors, and linked; one of a program's variants is run,
# and of the programs in _everywhere all. What cannot be had here is written to skipped.txt in the
# build tree, one line each. GCC or clang is needed.
set(_skipped "${PROJECT_BINARY_DIR}/skipped.txt")
file(WRITE "${_skipped}" "")
function(_skip what why)
    message(STATUS "skipped: ${what}: ${why}")
    file(APPEND "${_skipped}" "${what}: ${why}\n")
endfunction()

include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
else()
    _skip("C++" "there is no C++ compiler")
endif()

set(_set ${GRACEFUL_CLOSE_TEST_SET})
set(_warnings -pedantic-errors -Wall -Wextra -Wconversion -Werror)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(arm|riscv64)")
    # without them nobody finds the caller of a function there: tests/c/log_caller.c
    list(APPEND _warnings -funwind-tables)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "riscv64" AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 makes calls of what is smaller than a word: std::atomic_flag
    list(APPEND _system_libs atomic)
endif()
set(_cpp_warnings ${_warnings} -Wsign-conversion -Wshadow -Wundef)
set(_c89 -std=c89 ${_warnings})
set(_cxx98 -std=c++98 ${_warnings})
set(_as_c89)
set(_as_cxx98 -x c++)
set(_bare -fno-exceptions -fno-rtti)
set(_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)

set(_link_flags)
if(WIN32)
    # a program would ask for DLLs of the compiler otherwise
    set(_link_flags -static-libgcc -static-libstdc++)
endif()

# What is found besides the program: the shared library, also by dlopen
set(_environment)
if(NOT WIN32)
    set(_environment "LD_LIBRARY_PATH=${GRACEFUL_CLOSE_OUT}")
endif()
if(_set MATCHES "^(sanitizers|thread-sanitizer|valgrind)$")
    list(APPEND _environment GC_TEST_SLOW=1) # they slow a program down tenfold
endif()
# One variant of each program will do: the others test the header and the linker.
set(_is_brief OFF)
if(_set MATCHES "^(sanitizers|thread-sanitizer|valgrind|archive|machine)$")
    set(_is_brief ON)
endif()

include("${CMAKE_CURRENT_LIST_DIR}/Beside.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/Excused.cmake")

foreach(_kind IN LISTS _kinds)
    set_target_properties(graceful_close::${_kind} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${GRACEFUL_CLOSE_INCLUDE}")
endforeach()

function(_wanted result name)
    set(${result} OFF PARENT_SCOPE)
    if(name MATCHES "${GRACEFUL_CLOSE_TEST_FILTER}")
        set(${result} ON PARENT_SCOPE)
    endif()
endfunction()

# _objects(TARGET KIND SOURCE FLAG...): a source file compiled as a user of that library does it
function(_objects target kind source)
    if(TARGET ${target})
        return()
    endif()
    add_library(${target} OBJECT "${source}")
    target_compile_options(${target} PRIVATE ${ARGN})
    target_link_libraries(${target} PRIVATE graceful_close::${kind})
    # a header of the system's would be forgiven its warnings
    set_target_properties(${target} PROPERTIES NO_SYSTEM_FROM_IMPORTED TRUE)
endfunction()

# _compiled_header(RESULT LANGUAGE HEADER FLAG...): a header of the tests compiled in advance for these
# flags, and a target that does it: with those of the system, that is most of the work for a small
# program. By hand: CMake's own precompiled headers count as the system's, and these are forgiven
# their warnings. RESULT is what -include shall name; the target is called like that file.
file(GLOB _header_needs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/c/check*.h" "${PROJECT_SOURCE_DIR}/tests/cpp/*.hpp"
    "${GRACEFUL_CLOSE_INCLUDE}/*.h*")
function(_compiled_header result language header)
    get_filename_component(name "${header}" NAME)
    string(MD5 key "${ARGN}")
    set(name compiled-${key}-${name})
    set(${result} "${PROJECT_BINARY_DIR}/${name}" PARENT_SCOPE)
    if(TARGET ${name})
        return()
    endif()
    set(as -x c-header)
    if(language STREQUAL "CXX")
        set(as -x c++-header)
    endif()
    set(output "${PROJECT_BINARY_DIR}/${name}.gch")
    add_custom_command(OUTPUT "${output}" DEPENDS ${_header_needs} VERBATIM
        COMMAND "${CMAKE_${language}_COMPILER}" ${ARGN} "-I${GRACEFUL_CLOSE_INCLUDE}" ${as} "${header}" -o "${output}")
    add_custom_target(${name} DEPENDS "${output}")
endfunction()

# _use_compiled_header(TARGET LANGUAGE HEADER FLAG...): for what begins with that header. What it includes
# is not among the dependencies that the compiler lists.
function(_use_compiled_header target language header)
    _compiled_header(file ${language} "${header}" ${ARGN})
    get_filename_component(name "${file}" NAME)
    target_compile_options(${target} PRIVATE -include "${file}")
    add_dependencies(${target} ${name})
    get_target_property(sources ${target} SOURCES)
    set_source_files_properties(${sources} PROPERTIES OBJECT_DEPENDS "${_header_needs}")
endfunction()

# _program(TARGET KIND LANGUAGE OBJECTS...): linked of the objects and one of the libraries
function(_program target kind language)
    set(objects)
    foreach(object IN LISTS ARGN)
        list(APPEND objects $<TARGET_OBJECTS:${object}>)
    endforeach()
    add_executable(${target} ${objects})
    target_link_libraries(${target} PRIVATE graceful_close::${kind} ${_system_libs} ${_link_flags})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE ${language}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/programs")
    if(kind STREQUAL "shared" AND TARGET graceful_close_dll)
        add_dependencies(${target} graceful_close_dll)
    endif()
endfunction()

# _run(TEST NAME PROGRAM COMMAND...): NAME is that of the source file, PROGRAM the target that is built
# first; the target "tested" builds all of these, and what is only compiled and linked is left out
add_custom_target(tested)
function(_run test name program)
    _excused(why ${name})
    if(why)
        _skip(${test} "${why}")
        return()
    endif()
    add_dependencies(tested ${program})
    if(TARGET emulated_tcp_info)
        add_dependencies(tested emulated_tcp_info)
    endif()
    add_test(NAME ${test} COMMAND ${ARGN})
    set_tests_properties(${test} PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 LABELS ${name}
        ENVIRONMENT "${_environment}")
    _beside_others(${test} ${name})
endfunction()

# the DLL beside the programs, which are all in one folder
if(WIN32 AND TARGET graceful_close::shared)
    set(_dll "${PROJECT_BINARY_DIR}/programs/graceful_close.dll")
    add_custom_command(OUTPUT "${_dll}" DEPENDS graceful_close_shared_library "$<TARGET_FILE:graceful_close::shared>"
        COMMAND "${CMAKE_COMMAND}" -E copy "$<TARGET_FILE:graceful_close::shared>" "${_dll}" VERBATIM)
    add_custom_target(graceful_close_dll ALL DEPENDS "${_dll}")
endif()

if(_set STREQUAL "sanitizers")
    include("${CMAKE_CURRENT_LIST_DIR}/Sanitizers.cmake")
    if(NOT _can_sanitize)
        return()
    endif()
elseif(_set STREQUAL "thread-sanitizer")
    include("${CMAKE_CURRENT_LIST_DIR}/ThreadSanitizer.cmake")
elseif(_set STREQUAL "valgrind")
    find_program(GRACEFUL_CLOSE_VALGRIND valgrind)
    if(NOT GRACEFUL_CLOSE_VALGRIND)
        _skip("Valgrind" "it is not installed")
        return()
    endif()
endif()

if(NOT _set STREQUAL "clang")
    include("${CMAKE_CURRENT_LIST_DIR}/C.cmake")
endif()
if(CMAKE_CXX_COMPILER AND _set MATCHES "^(variants|clang|sanitizers|links|machine)$")
    include("${CMAKE_CURRENT_LIST_DIR}/Cpp.cmake")
endif()
if(_set MATCHES "^(variants|links)$")
    include("${CMAKE_CURRENT_LIST_DIR}/Examples.cmake")
    include("${CMAKE_CURRENT_LIST_DIR}/Tls.cmake")
endif()
if(_set STREQUAL "variants")
    include("${CMAKE_CURRENT_LIST_DIR}/Owners.cmake")
endif()
if(_set MATCHES "^(variants|clang|links|machine)$")
    include("${CMAKE_CURRENT_LIST_DIR}/Loops.cmake")
endif()
