# What the toolchain files for mingw-w64 have in common. Programs are run under Wine, by the wrapper
# of this source tree where it is at hand (64 bits: its prefix has what Rust's programs ask for).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_C_COMPILER ${GRACEFUL_CLOSE_MINGW}-gcc)
set(CMAKE_CXX_COMPILER ${GRACEFUL_CLOSE_MINGW}-g++)
set(CMAKE_RC_COMPILER ${GRACEFUL_CLOSE_MINGW}-windres)

set(CMAKE_FIND_ROOT_PATH /usr/${GRACEFUL_CLOSE_MINGW})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# packages also from where CMAKE_PREFIX_PATH says
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)

get_filename_component(_graceful_close_wine "${CMAKE_CURRENT_LIST_DIR}/../scripts/wine-run" ABSOLUTE)
if(EXISTS "${_graceful_close_wine}" AND NOT DEFINED CMAKE_CROSSCOMPILING_EMULATOR)
    set(CMAKE_CROSSCOMPILING_EMULATOR "${_graceful_close_wine}")
endif()
unset(_graceful_close_wine)
