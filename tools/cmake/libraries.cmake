# The libraries that others link: libpleat (kernels, runtime, C API) shared and static, and
# libpleat_converter where the converter is built. Included by the top CMakeLists.txt after the
# folders that they are made of.
include(GNUInstallDirs)

file(STRINGS ${PROJECT_SOURCE_DIR}/runtime/include/pleat/pleat.h header_version
     REGEX "^#define PLEAT_VERSION \"${PROJECT_VERSION}\"")
if(NOT header_version)
  message(FATAL_ERROR "PLEAT_VERSION in pleat.h is not the project's ${PROJECT_VERSION}")
endif()

set(runtime_headers ${PROJECT_SOURCE_DIR}/runtime/include)
set(runtime_objects $<TARGET_OBJECTS:pleat_kernels> $<TARGET_OBJECTS:pleat_runtime>)
set(runtime_needs ${XNNPACK_LIBRARY} ${PTHREADPOOL_LIBRARY} ${CPUINFO_LIBRARY} ${XXHASH_LIBRARY})

# Nothing but PLEAT_API shows, also where the archive becomes part of somebody's shared library.
# Builds for this machine alone are not installed, and keep their objects as they are.
if(NOT PLEAT_NATIVE_ONLY)
  set(hidden pleat_kernels pleat_runtime)
  if(TARGET pleat_converter)
    list(APPEND hidden pleat_converter)
  endif()
  set_target_properties(${hidden} PROPERTIES
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endif()

add_library(pleat_shared SHARED ${runtime_objects})
target_link_libraries(pleat_shared PRIVATE pleat_options pleat_hardening ${runtime_needs})
target_link_options(pleat_shared PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/runtime/libpleat.map -Wl,--as-needed
  -Wl,--gc-sections)
set_target_properties(pleat_shared PROPERTIES
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/libpleat.map)

# An archive cannot name what it needs; whoever links it is told by the package.
add_library(pleat_static STATIC ${runtime_objects})
target_link_libraries(pleat_static INTERFACE
  $<BUILD_INTERFACE:${runtime_needs}>
  "$<INSTALL_INTERFACE:XNNPACK;pthreadpool;cpuinfo;xxhash>")

foreach(library pleat_shared pleat_static)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME pleat LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${runtime_headers}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
set_target_properties(pleat_shared PROPERTIES EXPORT_NAME runtime)
set_target_properties(pleat_static PROPERTIES EXPORT_NAME runtime_static)
add_library(Pleat::runtime ALIAS pleat_shared)
add_library(Pleat::runtime_static ALIAS pleat_static)

# A program that loads a sanitized library has to be linked for it.
if(PLEAT_SANITIZE)
  target_link_options(pleat_shared INTERFACE $<BUILD_INTERFACE:-fsanitize=${PLEAT_SANITIZE}>)
  target_link_options(pleat_static INTERFACE $<BUILD_INTERFACE:-fsanitize=${PLEAT_SANITIZE}>)
endif()

if(NOT TARGET pleat_converter)
  return()
endif()
add_library(pleat_converter_shared SHARED $<TARGET_OBJECTS:pleat_converter>)
target_link_libraries(pleat_converter_shared
  PRIVATE pleat_options pleat_hardening pleat_runtime onnx_proto protobuf::libprotobuf
  INTERFACE pleat_shared)
target_link_options(pleat_converter_shared PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/converter/libpleat_converter.map -Wl,--as-needed)
set_target_properties(pleat_converter_shared PROPERTIES OUTPUT_NAME pleat_converter
  LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  EXPORT_NAME converter LINK_DEPENDS ${PROJECT_SOURCE_DIR}/converter/libpleat_converter.map)
target_include_directories(pleat_converter_shared INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/converter/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(Pleat::converter ALIAS pleat_converter_shared)
