# An overlay port: it builds the tree that it lies in.
#
#   vcpkg install graceful-close --overlay-ports=PATH_TO_THIS_TREE/packaging/vcpkg/ports
#
# vcpkg has no Rust: cargo is taken from PATH (which vcpkg keeps on Linux and macOS; on Windows set
# VCPKG_KEEP_ENV_VARS=PATH), from CARGO_HOME or from the place where rustup puts it.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)

# Programs of both configurations get the same libraries: Rust's C runtime is the release one anyway.
set(VCPKG_BUILD_TYPE release)
set(VCPKG_POLICY_MISMATCHED_NUMBER_OF_BINARIES enabled)

string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "dynamic" BUILD_SHARED)
string(COMPARE EQUAL "${VCPKG_LIBRARY_LINKAGE}" "static" BUILD_STATIC)
# x64-windows-static and its like: programs are compiled with /MT
string(COMPARE EQUAL "${VCPKG_CRT_LINKAGE}" "static" STATIC_CRT)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DGRACEFUL_CLOSE_SHARED=${BUILD_SHARED}
        -DGRACEFUL_CLOSE_STATIC=${BUILD_STATIC}
        -DGRACEFUL_CLOSE_MSVC_STATIC_CRT=${STATIC_CRT}
        -DGRACEFUL_CLOSE_INSTALL=ON
        -DGRACEFUL_CLOSE_EXAMPLES=OFF
        -DGRACEFUL_CLOSE_TESTS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME graceful_close CONFIG_PATH lib/cmake/graceful_close)
# it finds the libraries from where it is, which was one folder deeper
vcpkg_replace_string("${CURRENT_PACKAGES_DIR}/share/graceful_close/graceful_close-config.cmake" "/../../.." "/../..")
vcpkg_fixup_pkgconfig()

file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE-MIT" "${SOURCE_PATH}/LICENSE-APACHE")
