// The native half of the Python package: pleat/__init__.py is the other.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "tools/python/convert.h"
#include "tools/python/model.h"

namespace {

namespace py = pybind11;
using pleat::python::Failure;
using pleat::python::Model;

// Paths come as bytes: not all are UTF-8.
std::string Convert(const std::string& source, const std::string& target,
                    std::map<std::string, std::vector<int64_t>> shapes, bool fold, bool half_weights,
                    bool verify, bool measure) {
  const pleat::runtime::Result<std::string> report = pleat::python::Convert(
      source, target,
      {.input_shapes = std::move(shapes),
       .fold = fold,
       .half_weights = half_weights,
       .verify = verify,
       .measure = measure});
  if (report.ok()) return *report;
  const pleat::runtime::Status status = report.status();
  throw Failure{static_cast<int>(status.code()), status.rule(), status.message()};
}

std::unique_ptr<Model> Make(const std::string& network, bool is_bytes, int threads, bool exact,
                            bool low_memory) {
  const py::gil_scoped_release release;
  pleat_options options{};
  options.struct_size = sizeof(options);
  options.threads = threads;
  options.exact = exact ? 1 : 0;
  options.memory = low_memory ? PLEAT_MEMORY_LOW : PLEAT_MEMORY_FAST;
  return std::make_unique<Model>(network, is_bytes, options);
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.def("version", pleat_version);
  module.def("convert", Convert, py::call_guard<py::gil_scoped_release>());
  py::class_<Model>(module, "Model")
      .def(py::init(&Make))
      .def_property_readonly("name", &Model::name)
      .def_property_readonly("inputs", &Model::Inputs)
      .def_property_readonly("outputs", &Model::Outputs)
      .def("run", &Model::Run);
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Failure& failure) {
      const py::object error =
          py::module_::import("pleat._errors")
              .attr("_make")(failure.code, failure.rule, pleat::python::Text(failure.message));
      PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
    }
  });
}
