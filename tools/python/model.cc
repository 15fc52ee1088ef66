#include "tools/python/model.h"

#include <algorithm>
#include <cstring>

#include "runtime/model_file.h"
#include "tools/network.h"
#include "tools/python/convert.h"

namespace pleat::python {
namespace {

namespace py = pybind11;

// In the order of pleat_element; a bfloat16 shows as its bits.
constexpr const char* kTypeNames[] = {"float32", "float64", "int64",  "int32",  "int16",
                                      "int8",    "uint8",   "uint16", "uint32", "uint64",
                                      "bool",    "float16", "uint16"};

void Check(pleat_code code) {
  if (code == PLEAT_OK) return;
  const pleat_error* error = pleat_last_error();
  throw Failure{error->code, error->rule, error->message};
}

template <class T>
T Sized() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

template <class T>
T ValueOf(runtime::Result<T> result) {
  if (result.ok()) return std::move(result).value();
  const runtime::Status status = result.status();
  throw Failure{static_cast<int>(status.code()), status.rule(), status.message()};
}

using GetValue = pleat_code (*)(const pleat_model*, size_t, pleat_value_info*);

py::list Values(const pleat_model* model, size_t count, GetValue get) {
  py::list values;
  for (size_t i = 0; i < count; ++i) {
    auto info = Sized<pleat_value_info>();
    Check(get(model, i, &info));
    py::object shape = py::none();
    if (info.rank != PLEAT_UNRANKED) {
      py::tuple sizes(info.rank);
      for (size_t axis = 0; axis < info.rank; ++axis) {
        const std::string symbol = info.symbols[axis];
        if (info.shape[axis] != PLEAT_UNKNOWN) {
          sizes[axis] = info.shape[axis];
        } else if (symbol.empty()) {
          sizes[axis] = py::none();
        } else {
          sizes[axis] = Text(symbol);
        }
      }
      shape = std::move(sizes);
    }
    values.append(py::make_tuple(Text(info.name), info.element, shape));
  }
  return values;
}

// An input as the C API takes it, and what keeps its memory. Arrays come and go through Python's
// buffer protocol, which every version of NumPy speaks; their steps are forward and whole.
struct Input {
  py::buffer_info array, mean, scale;
  std::vector<int64_t> shape, strides;
  pleat_tensor tensor = Sized<pleat_tensor>();

  explicit Input(const py::tuple& argument) : array(argument[0].cast<py::buffer>().request()) {
    size_t reach = 1;
    for (size_t axis = 0; axis < array.shape.size(); ++axis) {
      shape.push_back(array.shape[axis]);
      strides.push_back(array.strides[axis] / std::max<py::ssize_t>(array.itemsize, 1));
      if (array.shape[axis] > 1) {
        reach += static_cast<size_t>(array.shape[axis] - 1) * static_cast<size_t>(strides.back());
      }
    }
    tensor.data = array.ptr;
    tensor.bytes = array.size == 0 ? 0 : reach * static_cast<size_t>(array.itemsize);
    tensor.element = argument[1].cast<pleat_element>();
    tensor.layout = argument[2].cast<bool>() ? PLEAT_CHANNELS_LAST : PLEAT_AS_MODEL;
    tensor.rank = shape.size();
    tensor.shape = shape.data();
    tensor.strides = strides.data();
    tensor.mean = Factors(argument[3], mean);
    tensor.scale = Factors(argument[4], scale);
  }

  static const float* Factors(const py::handle& given, py::buffer_info& keep) {
    if (given.is_none()) return nullptr;
    keep = given.cast<py::buffer>().request();
    return static_cast<const float*>(keep.ptr);
  }
};

// A new array of the tensor's type and sizes.
struct Output {
  py::object array;
  py::buffer_info memory;

  void Make(const pleat_tensor& tensor) {
    py::tuple shape(tensor.rank);
    for (size_t axis = 0; axis < tensor.rank; ++axis) shape[axis] = tensor.shape[axis];
    array = py::module_::import("numpy").attr("empty")(shape, kTypeNames[tensor.element]);
    memory = array.cast<py::buffer>().request(true);
  }
  size_t bytes() const { return static_cast<size_t>(memory.size * memory.itemsize); }
};

bool HasKnownSizes(const pleat_tensor& tensor) {
  for (size_t axis = 0; axis < tensor.rank; ++axis) {
    if (tensor.shape[axis] < 0) return false;
  }
  return true;
}

}  // namespace

py::str Text(const std::string& text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace"));
}

Model::Model(const std::string& network, bool is_bytes, const pleat_options& options)
    : options_(options) {
  pleat_model* model = nullptr;
  if (is_bytes) {
    Check(pleat_model_load_memory(network.data(), network.size(), PLEAT_COPY, &model));
  } else if (ValueOf(tools::IsModelFile(network))) {
    Check(pleat_model_load(network.c_str(), &model));
  } else {
    const std::string bytes = ValueOf(ConvertInMemory(network));
    Check(pleat_model_load_memory(bytes.data(), bytes.size(), PLEAT_COPY, &model));
  }
  model_.reset(model);
  info_ = Sized<pleat_model_info>();
  Check(pleat_model_get_info(model, &info_));
  const Lease first{*this};  // tells wrong options at once
}

py::str Model::name() const { return Text(info_.name); }
py::list Model::Inputs() const { return Values(model_.get(), info_.inputs, pleat_model_get_input); }
py::list Model::Outputs() const {
  return Values(model_.get(), info_.outputs, pleat_model_get_output);
}

Model::Session Model::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Session session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  pleat_session* session = nullptr;
  Check(pleat_session_create(model_.get(), &options_, &session));
  return Session(session);
}

Model::Lease::~Lease() {
  const std::lock_guard lock(model.mutex_);
  model.idle_.push_back(std::move(session));
}

py::list Model::Run(const py::list& arguments, int64_t timeout_ns) {
  std::vector<Input> inputs;
  inputs.reserve(arguments.size());
  for (const py::handle argument : arguments) inputs.emplace_back(argument.cast<py::tuple>());
  const Lease lease{*this};
  pleat_session* const session = lease.session.get();
  {
    const py::gil_scoped_release release;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Check(pleat_set_input(session, i, &inputs[i].tensor));
    }
    Check(pleat_prepare(session));
  }
  std::vector<Output> outputs(info_.outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto output = Sized<pleat_tensor>();
    Check(pleat_set_output(session, i, nullptr, 0));
    Check(pleat_get_output(session, i, &output));
    if (!HasKnownSizes(output)) continue;
    outputs[i].Make(output);
    if (outputs[i].bytes() == 0) continue;
    Check(pleat_set_output(session, i, outputs[i].memory.ptr, outputs[i].bytes()));
  }
  {
    const py::gil_scoped_release release;
    auto options = Sized<pleat_run_options>();
    options.timeout_ns = timeout_ns;
    Check(pleat_run(session, &options));
  }
  py::list results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto output = Sized<pleat_tensor>();
    Check(pleat_get_output(session, i, &output));
    if (output.data != outputs[i].memory.ptr) {
      outputs[i].Make(output);
      if (output.bytes != 0) std::memcpy(outputs[i].memory.ptr, output.data, output.bytes);
    }
    results.append(outputs[i].array);
  }
  return results;
}

}  // namespace pleat::python
