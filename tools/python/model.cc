#include "tools/python/model.h"

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

// Whether the C API can say how the array lies: whole, forward steps.
bool IsForward(const py::array& array) {
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.strides(axis) < 0 || array.strides(axis) % array.itemsize() != 0) return false;
  }
  return true;
}

// An input as the C API takes it, and what keeps its memory.
struct Input {
  py::array array, mean, scale;
  std::vector<int64_t> shape, strides;
  pleat_tensor tensor = Sized<pleat_tensor>();

  explicit Input(const py::tuple& argument) : array(argument[0].cast<py::array>()) {
    if (!IsForward(array)) array = py::module_::import("numpy").attr("ascontiguousarray")(array);
    size_t reach = 1;
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
      shape.push_back(array.shape(axis));
      strides.push_back(array.strides(axis) / array.itemsize());
      if (array.shape(axis) > 1) {
        reach += static_cast<size_t>(array.shape(axis) - 1) * static_cast<size_t>(strides.back());
      }
    }
    tensor.data = array.data();
    tensor.bytes = array.size() == 0 ? 0 : reach * static_cast<size_t>(array.itemsize());
    tensor.element = argument[1].cast<pleat_element>();
    tensor.layout = argument[2].cast<bool>() ? PLEAT_CHANNELS_LAST : PLEAT_AS_MODEL;
    tensor.rank = shape.size();
    tensor.shape = shape.data();
    tensor.strides = strides.data();
    tensor.mean = Factors(argument[3], mean);
    tensor.scale = Factors(argument[4], scale);
  }

  static const float* Factors(const py::handle& given, py::array& keep) {
    if (given.is_none()) return nullptr;
    keep = given.cast<py::array>();
    return static_cast<const float*>(keep.data());
  }
};

py::array ArrayOf(const pleat_tensor& tensor, const void* data) {
  const std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.rank);
  return py::array(py::dtype(kTypeNames[tensor.element]), shape, data);
}

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
  std::vector<py::array> arrays(info_.outputs);
  for (size_t i = 0; i < arrays.size(); ++i) {
    auto output = Sized<pleat_tensor>();
    Check(pleat_set_output(session, i, nullptr, 0));
    Check(pleat_get_output(session, i, &output));
    if (!HasKnownSizes(output)) continue;
    arrays[i] = ArrayOf(output, nullptr);
    if (arrays[i].nbytes() == 0) continue;
    Check(pleat_set_output(session, i, arrays[i].mutable_data(),
                           static_cast<size_t>(arrays[i].nbytes())));
  }
  {
    const py::gil_scoped_release release;
    auto options = Sized<pleat_run_options>();
    options.timeout_ns = timeout_ns;
    Check(pleat_run(session, &options));
  }
  py::list results;
  for (size_t i = 0; i < arrays.size(); ++i) {
    auto output = Sized<pleat_tensor>();
    Check(pleat_get_output(session, i, &output));
    results.append(output.data == arrays[i].data() ? arrays[i] : ArrayOf(output, output.data));
  }
  return results;
}

}  // namespace pleat::python
