# Runs the port without vcpkg: its functions are defined here, with the effect of the real ones as
# far as the port uses them.  cmake -DLINKAGE=dynamic|static -DROOT=TREE -DOUT=FOLDER -P imitate.cmake
set(VCPKG_LIBRARY_LINKAGE ${LINKAGE})
set(VCPKG_CRT_LINKAGE ${LINKAGE}) # as in x64-windows and x64-windows-static
set(PORT graceful-close)
set(CURRENT_PACKAGES_DIR "${OUT}/packages")
set(_build "${OUT}/build")
file(REMOVE_RECURSE "${OUT}")

function(_demand)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "failed: ${ARGN}")
    endif()
endfunction()

function(vcpkg_cmake_configure)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "vcpkg_cmake_configure: what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    _demand("${CMAKE_COMMAND}" -S "${arg_SOURCE_PATH}" -B "${_build}" -DCMAKE_BUILD_TYPE=Release
        "-DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}" -DCMAKE_INSTALL_LIBDIR=lib
        "-DGRACEFUL_CLOSE_CARGO_TARGET_DIR=${ROOT}/target" ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
    _demand("${CMAKE_COMMAND}" --build "${_build}" --target install)
endfunction()

# moves the package files to share/NAME, where vcpkg wants them
function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
    file(GLOB files "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}/*-config.cmake")
    if(NOT files)
        message(FATAL_ERROR "no package file in ${arg_CONFIG_PATH}")
    endif()
    file(MAKE_DIRECTORY "${CURRENT_PACKAGES_DIR}/share")
    file(RENAME "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}" "${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME}")
    # the real one also rewrites prefixes in files that CMake has generated; ours are not
endfunction()

function(vcpkg_replace_string file from to)
    file(READ "${file}" text)
    string(FIND "${text}" "${from}" place)
    if(place EQUAL -1)
        message(FATAL_ERROR "${file} does not contain ${from}")
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    file(WRITE "${file}" "${text}")
endfunction()

function(vcpkg_fixup_pkgconfig)
    if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/lib/pkgconfig/graceful_close.pc")
        message(FATAL_ERROR "no file for pkg-config")
    endif()
endfunction()

function(vcpkg_copy_pdbs)
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
    foreach(file IN LISTS arg_FILE_LIST)
        file(READ "${file}" text)
        file(APPEND "${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright" "${text}")
    endforeach()
endfunction()

include("${CMAKE_CURRENT_LIST_DIR}/ports/graceful-close/portfile.cmake")

# the C runtime of the triplet; only MSVC makes a difference of it
file(STRINGS "${_build}/CMakeCache.txt" crt REGEX "^GRACEFUL_CLOSE_MSVC_STATIC_CRT:")
string(COMPARE EQUAL "${LINKAGE}" "static" wanted)
if(NOT crt MATCHES "=${wanted}$")
    message(FATAL_ERROR "${LINKAGE} C runtime, but ${crt}")
endif()

# A program that uses the installed package, as a project with the toolchain of vcpkg would.
file(WRITE "${OUT}/consumer/CMakeLists.txt" "cmake_minimum_required(VERSION 3.15)
project(consumer C)
find_package(graceful_close 0.1 CONFIG REQUIRED)
add_executable(consumer \"${ROOT}/contrib/packaging/conan/test_package/test_package.c\")
target_link_libraries(consumer PRIVATE graceful_close::graceful_close)
enable_testing()
add_test(NAME consumer COMMAND consumer)
")
_demand("${CMAKE_COMMAND}" -S "${OUT}/consumer" -B "${OUT}/consumer/build"
    "-Dgraceful_close_DIR=${CURRENT_PACKAGES_DIR}/share/graceful_close")
_demand("${CMAKE_COMMAND}" --build "${OUT}/consumer/build")
_demand("${CMAKE_COMMAND}" -E chdir "${OUT}/consumer/build" ctest --output-on-failure)
foreach(file IN ITEMS usage copyright)
    if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/share/${PORT}/${file}")
        message(FATAL_ERROR "${file} is missing")
    endif()
endforeach()
