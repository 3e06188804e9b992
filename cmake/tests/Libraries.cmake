# Which libraries the presets test: those of scripts/build-artifacts, unless GRACEFUL_CLOSE_PREBUILT
# says otherwise. Nothing of Rust is built for them again.
include("${CMAKE_CURRENT_LIST_DIR}/../RustTarget.cmake")
graceful_close_rust_target(_triple)
set(GRACEFUL_CLOSE_PREBUILT "${PROJECT_SOURCE_DIR}/target/artifacts/${_triple}" CACHE PATH
    "Folder with the libraries to be tested")
if(NOT EXISTS "${GRACEFUL_CLOSE_PREBUILT}")
    message(FATAL_ERROR "graceful_close: there are no libraries in ${GRACEFUL_CLOSE_PREBUILT}. "
        "Build them first: scripts/build-artifacts ${_triple}")
endif()
set(GRACEFUL_CLOSE_INCLUDE "${PROJECT_SOURCE_DIR}/include" CACHE PATH "Folder with the headers to be tested")
