# Makes the targets of graceful_close from libraries at known places. Used by CMakeLists.txt, where
# cargo is going to build them, and by the installed package, where they are.

# What the static library needs from the system, from native-static-libs.txt beside this file.
set(_graceful_close_native_table "${CMAKE_CURRENT_LIST_DIR}/native-static-libs.txt")
function(graceful_close_native_libs result)
    if(WIN32)
        set(system windows-gnu)
        if(MSVC)
            set(system windows-msvc)
        endif()
    elseif(APPLE)
        set(system apple)
    elseif(CMAKE_SYSTEM_NAME STREQUAL "FreeBSD")
        set(system freebsd)
    elseif("${CMAKE_C_COMPILER}${CMAKE_C_COMPILER_TARGET}${GRACEFUL_CLOSE_RUST_TARGET}" MATCHES "musl")
        set(system linux-musl)
    else()
        set(system linux-gnu)
    endif()
    file(STRINGS "${_graceful_close_native_table}" line REGEX "^${system}:")
    string(REGEX REPLACE "^[^:]*:([^|]*)[|].*$" "\\1" line "${line}")
    string(STRIP "${line}" line)
    string(REPLACE " " ";" libs "${line}")
    set(${result} "${libs}" PARENT_SCOPE)
endfunction()

# graceful_close_add_shared(INCLUDE LIBRARY IMPORT_LIBRARY SONAME)
# IMPORT_LIBRARY: on Windows alone, else empty.
function(graceful_close_add_shared include library import_library soname)
    add_library(graceful_close::shared SHARED IMPORTED GLOBAL)
    set_target_properties(graceful_close::shared PROPERTIES
        IMPORTED_LOCATION "${library}"
        INTERFACE_INCLUDE_DIRECTORIES "${include}")
    if(import_library)
        set_target_properties(graceful_close::shared PROPERTIES
            IMPORTED_IMPLIB "${import_library}"
            INTERFACE_COMPILE_DEFINITIONS GRACEFUL_CLOSE_DLL)
    elseif(soname)
        set_target_properties(graceful_close::shared PROPERTIES IMPORTED_SONAME "${soname}")
    endif()
endfunction()

# graceful_close_add_static(INCLUDE LIBRARY)
function(graceful_close_add_static include library)
    graceful_close_native_libs(native)
    add_library(graceful_close::static STATIC IMPORTED GLOBAL)
    set_target_properties(graceful_close::static PROPERTIES
        IMPORTED_LOCATION "${library}"
        INTERFACE_INCLUDE_DIRECTORIES "${include}"
        INTERFACE_LINK_LIBRARIES "${native}")
endfunction()

# graceful_close::graceful_close is the shared library if GRACEFUL_CLOSE_USE_SHARED says so or, where
# that is not set, if BUILD_SHARED_LIBS does; and the other one where there is only the other one.
function(graceful_close_add_default)
    set(order static shared)
    if(DEFINED GRACEFUL_CLOSE_USE_SHARED)
        if(GRACEFUL_CLOSE_USE_SHARED)
            set(order shared static)
        endif()
    elseif(BUILD_SHARED_LIBS)
        set(order shared static)
    endif()
    foreach(kind IN LISTS order)
        if(TARGET graceful_close::${kind} AND NOT TARGET graceful_close::graceful_close)
            add_library(graceful_close::graceful_close INTERFACE IMPORTED GLOBAL)
            set_target_properties(graceful_close::graceful_close PROPERTIES
                INTERFACE_LINK_LIBRARIES graceful_close::${kind})
        endif()
    endforeach()
endfunction()

# graceful_close_copy_dll(TARGET): puts graceful_close.dll beside a program that links it, so that it
# starts from where it was built. Nothing to do on other systems, and without harm there.
function(graceful_close_copy_dll target)
    if(WIN32 AND TARGET graceful_close::shared)
        add_custom_command(TARGET ${target} POST_BUILD
            COMMAND "${CMAKE_COMMAND}" -E copy_if_different
                "$<TARGET_FILE:graceful_close::shared>" "$<TARGET_FILE_DIR:${target}>"
            VERBATIM)
    endif()
endfunction()
