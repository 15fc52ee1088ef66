# `cmake --install` and CPack: three packages, runtime, dev and tools.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Pleat)

install(TARGETS pleat_shared EXPORT PleatRuntime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev)
install(TARGETS pleat_static EXPORT PleatRuntime ARCHIVE COMPONENT dev)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/pleat
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(EXPORT PleatRuntime NAMESPACE Pleat:: DESTINATION ${package_folder} COMPONENT dev)

if(TARGET pleat_converter_shared)
  install(TARGETS pleat_converter_shared EXPORT PleatConverter
    LIBRARY COMPONENT tools NAMELINK_COMPONENT dev)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/converter/include/pleat
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
  install(EXPORT PleatConverter NAMESPACE Pleat:: DESTINATION ${package_folder} COMPONENT dev)
endif()
if(TARGET pleat)
  install(TARGETS pleat RUNTIME COMPONENT tools)
  install(FILES ${PROJECT_BINARY_DIR}/pleat.1
          DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
  install(FILES ${PROJECT_SOURCE_DIR}/tools/install/pleat.bash RENAME pleat
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/PleatConfig.cmake.in
  ${PROJECT_BINARY_DIR}/PleatConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/PleatConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/PleatConfig.cmake
              ${PROJECT_BINARY_DIR}/PleatConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT dev)
configure_file(${CMAKE_CURRENT_LIST_DIR}/pleat.pc.in ${PROJECT_BINARY_DIR}/pleat.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pleat.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pleat)
set(CPACK_PACKAGE_CONTACT "Pleat maintainers <pleat@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Runs batch-normalised networks, folded, on CPUs")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime dev tools)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libpleat${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libpleat-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libpleat${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION}), pleat (= ${PROJECT_VERSION}), libxnnpack-dev, libpthreadpool-dev, libcpuinfo-dev, libxxhash-dev")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME pleat)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
include(CPack)
