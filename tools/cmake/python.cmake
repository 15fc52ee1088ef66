# PLEAT_BUILD_PYTHON: on where pybind11 and Python's headers are there.
if(NOT SKBUILD AND NOT DEFINED Python_EXECUTABLE AND EXISTS /usr/bin/python3)
  set(Python_EXECUTABLE /usr/bin/python3)  # the one that Debian's NumPy and pybind11 are for
endif()
find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module)
set(python_by_default OFF)
if(Python_FOUND)
  find_package(pybind11 CONFIG QUIET)
  # A sanitized module would need a sanitized interpreter.
  if(pybind11_FOUND AND NOT PLEAT_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
    set(python_by_default ON)
  endif()
endif()
option(PLEAT_BUILD_PYTHON "Build the Python package (pybind11)" ${python_by_default})
if(PLEAT_BUILD_PYTHON AND NOT pybind11_FOUND)
  message(FATAL_ERROR "PLEAT_BUILD_PYTHON needs Python's headers and pybind11")
endif()
