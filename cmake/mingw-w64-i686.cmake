# Windows, 32 bits, by mingw-w64 on another system:
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=cmake/mingw-w64-i686.cmake
set(GRACEFUL_CLOSE_MINGW i686-w64-mingw32)
set(CMAKE_SYSTEM_PROCESSOR X86)
include("${CMAKE_CURRENT_LIST_DIR}/mingw-w64.cmake")
