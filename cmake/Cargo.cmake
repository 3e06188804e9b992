# Has cargo build the libraries, one crate type at a time: with several in one run (an rlib is in
# Cargo.toml's list) cargo leaves out the link-time optimisation without a word, and the libraries
# come out several times as large. No shell is needed, so that it works on Windows.
include("${CMAKE_CURRENT_LIST_DIR}/RustTarget.cmake")

set(GRACEFUL_CLOSE_PREBUILT "" CACHE PATH
    "Folder with libraries that are built already, under cargo's or our names; cargo is not needed then")
set(GRACEFUL_CLOSE_RUST_TARGET "" CACHE STRING "Rust target triple; empty: that of the C compiler")
set(GRACEFUL_CLOSE_CARGO_TARGET_DIR "" CACHE PATH
    "Where cargo builds; empty: CARGO_TARGET_DIR of the environment, else the build tree")
set(GRACEFUL_CLOSE_CARGO_FLAGS "--locked" CACHE STRING "More arguments for cargo, a list: --locked;--offline")
set(GRACEFUL_CLOSE_RUSTC_FLAGS "" CACHE STRING "Arguments for rustc, a list")
option(GRACEFUL_CLOSE_MSVC_STATIC_CRT "MSVC: link the static C runtime (/MT) into the libraries" OFF)

set(GRACEFUL_CLOSE_OUT "${PROJECT_BINARY_DIR}/libraries")
file(MAKE_DIRECTORY "${GRACEFUL_CLOSE_OUT}")

if(NOT GRACEFUL_CLOSE_PREBUILT)
    find_program(GRACEFUL_CLOSE_CARGO cargo HINTS ENV CARGO_HOME PATHS "$ENV{HOME}/.cargo" "$ENV{USERPROFILE}/.cargo"
        PATH_SUFFIXES bin NO_CMAKE_FIND_ROOT_PATH)
    if(NOT GRACEFUL_CLOSE_CARGO)
        message(FATAL_ERROR "graceful_close: there is no cargo here. Install Rust (https://rustup.rs), or set "
            "GRACEFUL_CLOSE_PREBUILT to a folder with the libraries.")
    endif()
    get_filename_component(_cargo_bin "${GRACEFUL_CLOSE_CARGO}" DIRECTORY)
    find_program(GRACEFUL_CLOSE_RUSTC rustc HINTS "${_cargo_bin}" NO_CMAKE_FIND_ROOT_PATH)
    graceful_close_need_rust("${GRACEFUL_CLOSE_RUSTC}")
    graceful_close_rust_host(_host "${GRACEFUL_CLOSE_RUSTC}")

    set(_triple "${GRACEFUL_CLOSE_RUST_TARGET}")
    if(NOT _triple)
        graceful_close_rust_target(_triple)
    endif()
    if(NOT _triple AND NOT CMAKE_CROSSCOMPILING)
        set(_triple "${_host}")
    endif()
    if(NOT _triple)
        message(FATAL_ERROR "graceful_close: no Rust target is known for ${CMAKE_SYSTEM_NAME} on "
            "${CMAKE_SYSTEM_PROCESSOR}; set GRACEFUL_CLOSE_RUST_TARGET")
    endif()
    message(STATUS "graceful_close ${PROJECT_VERSION}: ${_triple}, by ${GRACEFUL_CLOSE_CARGO}")

    set(_target_dir "${GRACEFUL_CLOSE_CARGO_TARGET_DIR}")
    if(NOT _target_dir AND DEFINED ENV{CARGO_TARGET_DIR})
        get_filename_component(_target_dir "$ENV{CARGO_TARGET_DIR}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
    endif()
    if(NOT _target_dir)
        set(_target_dir "${PROJECT_BINARY_DIR}/cargo")
    endif()
    set(GRACEFUL_CLOSE_CARGO_OUT "${_target_dir}/${_triple}/release")
    if(_triple MATCHES "windows-gnu$" AND _target_dir MATCHES " ")
        message(FATAL_ERROR "graceful_close: cargo builds in '${_target_dir}', and dlltool of mingw-w64 cannot work "
            "in a path with a blank. Set GRACEFUL_CLOSE_CARGO_TARGET_DIR to a folder without one; source and build "
            "tree may have them.")
    endif()

    # Rust's own static library does not link beside another one of Rust. The script makes one object
    # of it with nothing visible but the functions of the header; it needs a shell and GNU binutils.
    set(_filter)
    if(CMAKE_HOST_SYSTEM_NAME STREQUAL "Linux" AND _triple MATCHES "(linux-gnu|linux-musl|windows-gnu)$"
            AND EXISTS "${PROJECT_SOURCE_DIR}/scripts/static-library" AND EXISTS /bin/bash)
        set(_filter "${PROJECT_SOURCE_DIR}/scripts/static-library")
    endif()
    set(GRACEFUL_CLOSE_STATIC_FILTER "${_filter}" CACHE STRING
        "A command, a list, run as COMMAND TRIPLE INPUT OUTPUT on the static library of cargo; may be empty")

    set(_environment "CARGO_TARGET_DIR=${_target_dir}")
    string(TOUPPER "${_triple}" _upper)
    string(REPLACE "-" "_" _upper "${_upper}")
    if(NOT _triple STREQUAL _host AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # the linker of another system is not found by itself
        list(APPEND _environment "CARGO_TARGET_${_upper}_LINKER=${CMAKE_C_COMPILER}")
    endif()
    if(MSVC AND GRACEFUL_CLOSE_MSVC_STATIC_CRT)
        list(APPEND _environment "CARGO_TARGET_${_upper}_RUSTFLAGS=-Ctarget-feature=+crt-static")
    endif()
    file(GLOB_RECURSE _sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.rs")
    list(APPEND _sources "${PROJECT_SOURCE_DIR}/Cargo.toml" "${PROJECT_SOURCE_DIR}/build.rs" "${PROJECT_SOURCE_DIR}/Cargo.lock")
endif()

# _graceful_close_cargo(KIND OUTPUTS COMMAND...): runs cargo for one crate type, then the commands
macro(_graceful_close_cargo kind rustc_flags)
    set(_build COMMAND "${CMAKE_COMMAND}" -E env ${_environment}
        "${GRACEFUL_CLOSE_CARGO}" rustc --quiet --release --lib --crate-type ${kind} --target ${_triple}
        ${GRACEFUL_CLOSE_CARGO_FLAGS} -- ${GRACEFUL_CLOSE_RUSTC_FLAGS} ${rustc_flags})
endmacro()

# Two runs of cargo at once would wait for each other; the second comes after the first.
function(graceful_close_build_shared)
    set(from "${GRACEFUL_CLOSE_CARGO_OUT}")
    set(build)
    set(sources ${_sources})
    if(GRACEFUL_CLOSE_PREBUILT)
        set(from "${GRACEFUL_CLOSE_PREBUILT}")
        _graceful_close_prebuilt(library ${GRACEFUL_CLOSE_own_shared} ${GRACEFUL_CLOSE_cargo_shared})
        set(sources "${library}")
    else()
        set(library "${from}/${GRACEFUL_CLOSE_cargo_shared}")
        if(_triple MATCHES "musl")
            # rustup's target for musl makes no shared library otherwise
            list(APPEND _environment "CARGO_TARGET_${_upper}_RUSTFLAGS=-Ctarget-feature=-crt-static")
        endif()
        _graceful_close_cargo(cdylib "${GRACEFUL_CLOSE_soname_arguments}")
        set(build ${_build})
    endif()

    set(output "${GRACEFUL_CLOSE_OUT}/${GRACEFUL_CLOSE_own_shared}")
    set(outputs "${output}")
    set(copy COMMAND "${CMAKE_COMMAND}" -E copy "${library}" "${output}")
    set(import)
    if(GRACEFUL_CLOSE_own_import)
        set(import "${GRACEFUL_CLOSE_OUT}/${GRACEFUL_CLOSE_own_import}")
        list(APPEND outputs "${import}")
        list(APPEND copy COMMAND "${CMAKE_COMMAND}" -E copy "${from}/${GRACEFUL_CLOSE_cargo_import}" "${import}")
        if(NOT GRACEFUL_CLOSE_PREBUILT AND _triple MATCHES "^i686-.*windows-gnu$")
            # rustc's own does not know the decorated names of stdcall
            list(APPEND copy COMMAND "${CMAKE_DLLTOOL}" -k -d "${PROJECT_SOURCE_DIR}/cmake/graceful_close-x86.def"
                -l "${import}")
        endif()
    endif()
    # the loader looks for the soname, also for a program that is started in the build tree
    foreach(link IN LISTS GRACEFUL_CLOSE_own_links)
        list(APPEND outputs "${GRACEFUL_CLOSE_OUT}/${link}")
        list(APPEND copy COMMAND "${CMAKE_COMMAND}" -E create_symlink
            ${GRACEFUL_CLOSE_own_shared} "${GRACEFUL_CLOSE_OUT}/${link}")
    endforeach()

    add_custom_command(OUTPUT ${outputs} ${build} ${copy} DEPENDS ${sources}
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" COMMENT "graceful_close: the shared library" VERBATIM)
    add_custom_target(graceful_close_shared_library ALL DEPENDS ${outputs})
    graceful_close_add_shared("${PROJECT_SOURCE_DIR}/include" "${output}" "${import}" "${GRACEFUL_CLOSE_own_soname}")
    add_dependencies(graceful_close::shared graceful_close_shared_library)
endfunction()

function(graceful_close_build_static)
    set(build)
    set(sources ${_sources})
    if(GRACEFUL_CLOSE_PREBUILT)
        _graceful_close_prebuilt(library ${GRACEFUL_CLOSE_own_static})
        set(sources "${library}")
    else()
        set(library "${GRACEFUL_CLOSE_CARGO_OUT}/${GRACEFUL_CLOSE_cargo_static}")
        _graceful_close_cargo(staticlib "")
        set(build ${_build})
    endif()

    set(output "${GRACEFUL_CLOSE_OUT}/${GRACEFUL_CLOSE_own_static}")
    if(GRACEFUL_CLOSE_STATIC_FILTER AND NOT GRACEFUL_CLOSE_PREBUILT)
        set(finish ${GRACEFUL_CLOSE_STATIC_FILTER} "${_triple}" "${library}" "${output}")
    elseif(MSVC OR GRACEFUL_CLOSE_PREBUILT)
        set(finish "${CMAKE_COMMAND}" -E copy "${library}" "${output}")
    else()
        set(finish "${CMAKE_COMMAND}" "-DFROM=${library}" "-DTO=${output}" "-DAR=${CMAKE_AR}" "-DSTRIP=${CMAKE_STRIP}"
            -P "${PROJECT_SOURCE_DIR}/cmake/CopyStatic.cmake")
    endif()

    add_custom_command(OUTPUT "${output}" ${build} COMMAND ${finish} DEPENDS ${sources}
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" COMMENT "graceful_close: the static library" VERBATIM)
    add_custom_target(graceful_close_static_library ALL DEPENDS "${output}")
    if(TARGET graceful_close_shared_library)
        add_dependencies(graceful_close_static_library graceful_close_shared_library)
    endif()
    graceful_close_add_static("${PROJECT_SOURCE_DIR}/include" "${output}")
    add_dependencies(graceful_close::static graceful_close_static_library)
endfunction()

# _graceful_close_prebuilt(RESULT NAME...): the first of the names that is there
function(_graceful_close_prebuilt result)
    foreach(name IN LISTS ARGN)
        if(EXISTS "${GRACEFUL_CLOSE_PREBUILT}/${name}")
            set(${result} "${GRACEFUL_CLOSE_PREBUILT}/${name}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "graceful_close: none of ${ARGN} in ${GRACEFUL_CLOSE_PREBUILT}")
endfunction()
