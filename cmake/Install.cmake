# cmake --install: libraries, headers, package files for CMake and pkg-config, manual pages. All of
# it finds the rest from where it is: the installation may be moved as a whole.
include(GNUInstallDirs)

set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/graceful_close")
set(_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# the templates are filled by scripts/install as well, under the same names
function(_graceful_close_fill template output)
    set(VERSION ${PROJECT_VERSION})
    set(SO_NUMBER ${GRACEFUL_CLOSE_SO_NUMBER})
    set(full "${CMAKE_INSTALL_FULL_LIBDIR}")
    file(RELATIVE_PATH LIB_DIR "${CMAKE_INSTALL_PREFIX}" "${full}")
    file(RELATIVE_PATH BIN_DIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_BINDIR}")
    file(RELATIVE_PATH INCLUDE_DIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
    file(RELATIVE_PATH UP_TO_PREFIX "${full}/cmake/graceful_close" "${CMAKE_INSTALL_PREFIX}")
    file(RELATIVE_PATH UP_FROM_PC "${full}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
    math(EXPR POINTER_BITS "${CMAKE_SIZEOF_VOID_P} * 8")
    file(STRINGS "${PROJECT_SOURCE_DIR}/Cargo.toml" DESCRIPTION REGEX "^description = " LIMIT_COUNT 1)
    string(REGEX REPLACE "^description = \"(.*)\"$" "\\1" DESCRIPTION "${DESCRIPTION}")
    graceful_close_native_libs(NATIVE_LIBS)
    string(REGEX REPLACE "([^;]+)" "-l\\1" NATIVE_LIBS "${NATIVE_LIBS}")
    string(REPLACE ";" " " NATIVE_LIBS "${NATIVE_LIBS}")
    configure_file("${PROJECT_SOURCE_DIR}/cmake/${template}" "${PROJECT_BINARY_DIR}/${output}" @ONLY)
endfunction()

_graceful_close_fill(graceful_close-config.cmake.in graceful_close-config.cmake)
_graceful_close_fill(graceful_close-config-version.cmake.in graceful_close-config-version.cmake)
_graceful_close_fill(graceful_close.pc.in graceful_close.pc)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES
    "${PROJECT_BINARY_DIR}/graceful_close-config.cmake"
    "${PROJECT_BINARY_DIR}/graceful_close-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/graceful_close-targets.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/native-static-libs.txt"
    DESTINATION "${_package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/graceful_close.pc" DESTINATION "${_pkgconfig_dir}")

set(_out "${GRACEFUL_CLOSE_OUT}")
if(GRACEFUL_CLOSE_SHARED)
    set(_shared_dir "${CMAKE_INSTALL_LIBDIR}")
    if(WIN32)
        set(_shared_dir "${CMAKE_INSTALL_BINDIR}")
        install(FILES "${_out}/${GRACEFUL_CLOSE_own_import}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    endif()
    install(PROGRAMS "${_out}/${GRACEFUL_CLOSE_own_shared}" DESTINATION "${_shared_dir}")
    foreach(_link IN LISTS GRACEFUL_CLOSE_own_links)
        install(FILES "${_out}/${_link}" DESTINATION "${_shared_dir}")
    endforeach()
endif()
if(GRACEFUL_CLOSE_STATIC)
    install(FILES "${_out}/${GRACEFUL_CLOSE_own_static}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()

# Made by a program of ours, which runs here, whatever system the libraries are built for; it takes
# no crates. Libraries that were built before come without: there may be no cargo.
if(NOT WIN32 AND GRACEFUL_CLOSE_CARGO)
    set(_man "${PROJECT_BINARY_DIR}/man")
    add_custom_command(OUTPUT "${_man}/graceful_close.3"
        COMMAND "${CMAKE_COMMAND}" -E env --unset=CARGO_BUILD_TARGET
            "${GRACEFUL_CLOSE_CARGO}" run --quiet --locked --offline
            --manifest-path "${PROJECT_SOURCE_DIR}/tools/manual/Cargo.toml"
            --target-dir "${PROJECT_BINARY_DIR}/manual-pages" -- pages "${PROJECT_SOURCE_DIR}" "${_man}"
        DEPENDS "${PROJECT_SOURCE_DIR}/include/graceful_close.h" "${PROJECT_SOURCE_DIR}/Cargo.toml"
        COMMENT "Making the manual pages" VERBATIM)
    add_custom_target(graceful_close_manual ALL DEPENDS "${_man}/graceful_close.3")
    install(DIRECTORY "${_man}/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man3" FILES_MATCHING PATTERN "*.3")
endif()
