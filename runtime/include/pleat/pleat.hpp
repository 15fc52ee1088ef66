// Pleat in C++17 and later: the C API with owners, types and spans.
//   auto model = pleat::Model::Load("digits.pleat");
//   auto scores = model.Run(pixels);        // any contiguous container of float
// or, for more inputs and outputs, and without any copy:
//   pleat::Session session(model);
//   pleat::Tensor scores = session.Run(pixels);
// What fails throws pleat::Error; the twin whose name begins with Try returns a pleat::Result
// instead. Without exceptions (-fno-exceptions) use the twins: the others end the program.
// Threads: share a Model, make a Session for each.
#ifndef PLEAT_PLEAT_HPP_
#define PLEAT_PLEAT_HPP_

#include <pleat/pleat.h>
#include <pleat/error.hpp>
#include <pleat/tensor.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pleat {

// What a model says about an input or output.
struct ValueInfo {
  std::string name;
  pleat_element element = PLEAT_FLOAT32;
  bool ranked = true;
  std::vector<int64_t> shape;        // PLEAT_UNKNOWN where a run chooses
  std::vector<std::string> symbols;  // names of unknown sizes, or ""
};

// See pleat_options.
struct Options {
  int threads = 0;  // all this process may use
  bool low_memory = false;
  bool exact = false;
  pleat_parallel_for parallel_for = nullptr;
  void* pool = nullptr;
  void* (*allocate)(void* context, size_t bytes, size_t alignment) = nullptr;
  void (*deallocate)(void* context, void* memory, size_t bytes) = nullptr;
  void* allocator = nullptr;
  size_t max_arena_bytes = 0;
  size_t max_plans = 0;
  size_t expected_runs = 0;
};

namespace internal {

struct ModelState {
  pleat_model* handle = nullptr;
  std::atomic<pleat_session*> spare{nullptr};  // for Model::Run
  ~ModelState() {
    pleat_session_destroy(spare.load());
    pleat_model_destroy(handle);
  }
};

template <class T>
T Sized() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

inline Result<> Check(pleat_code code) {
  if (code == PLEAT_OK) return Done{};
  return Error::Last();
}

}  // namespace internal

// A loaded network. Immutable: any number of threads may use one.
class Model {
 public:
  static Result<Model> TryLoad(const std::string& path) {
    return Make([&](pleat_model** model) { return pleat_model_load(path.c_str(), model); });
  }
  static Model Load(const std::string& path) { return TryLoad(path).value(); }
  // See pleat_model_load_memory.
  static Result<Model> TryFromMemory(const void* bytes, size_t size, pleat_ownership ownership) {
    return Make([&](pleat_model** model) {
      return pleat_model_load_memory(bytes, size, ownership, model);
    });
  }
  static Model FromMemory(const void* bytes, size_t size, pleat_ownership ownership) {
    return TryFromMemory(bytes, size, ownership).value();
  }
  static Result<Model> TryFromDescriptor(int fd) {
    return Make([&](pleat_model** model) { return pleat_model_load_fd(fd, model); });
  }
  static Model FromDescriptor(int fd) { return TryFromDescriptor(fd).value(); }

  Model(Model&&) = default;
  Model& operator=(Model&&) = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  pleat_model_info Info() const {
    auto info = internal::Sized<pleat_model_info>();
    pleat_model_get_info(handle(), &info);
    return info;
  }
  std::vector<ValueInfo> Inputs() const { return Values(Info().inputs, pleat_model_get_input); }
  std::vector<ValueInfo> Outputs() const { return Values(Info().outputs, pleat_model_get_output); }

  // For networks with one input and one float32 output: runs with default options, on a session
  // that the model keeps for the next call; calls at the same time get one each.
  Result<std::vector<float>> TryRun(const Tensor& x) const;
  std::vector<float> Run(const Tensor& x) const { return TryRun(x).value(); }

  const pleat_model* handle() const { return state_->handle; }

 private:
  friend class Session;
  Model() : state_(std::make_shared<internal::ModelState>()) {}

  template <class F>
  static Result<Model> Make(F&& load) {
    Model model;
    if (load(&model.state_->handle) != PLEAT_OK) return Error::Last();
    return model;
  }
  template <class F>
  std::vector<ValueInfo> Values(size_t count, F get) const {
    std::vector<ValueInfo> values(count);
    for (size_t i = 0; i < count; ++i) {
      auto info = internal::Sized<pleat_value_info>();
      get(handle(), i, &info);
      values[i].name = info.name;
      values[i].element = info.element;
      values[i].ranked = info.rank != PLEAT_UNRANKED;
      if (!values[i].ranked) continue;
      values[i].shape.assign(info.shape, info.shape + info.rank);
      values[i].symbols.assign(info.symbols, info.symbols + info.rank);
    }
    return values;
  }

  std::shared_ptr<internal::ModelState> state_;
};

// Memory and threads for running a model, which it keeps alive.
class Session {
 public:
  static Result<Session> TryMake(const Model& model, const Options& options = {}) {
    auto given = internal::Sized<pleat_options>();
    given.threads = options.threads;
    given.memory = options.low_memory ? PLEAT_MEMORY_LOW : PLEAT_MEMORY_FAST;
    given.exact = options.exact ? 1 : 0;
    given.parallel_for = options.parallel_for;
    given.pool = options.pool;
    given.allocate = options.allocate;
    given.deallocate = options.deallocate;
    given.allocator = options.allocator;
    given.max_arena_bytes = options.max_arena_bytes;
    given.max_plans = options.max_plans;
    given.expected_runs = options.expected_runs;
    pleat_session* handle = nullptr;
    if (pleat_session_create(model.handle(), &given, &handle) != PLEAT_OK) return Error::Last();
    return Session(model.state_, handle);
  }
  explicit Session(const Model& model, const Options& options = {})
      : Session(TryMake(model, options).value()) {}

  // Says where an input's numbers are; every run reads them there. See pleat_set_input.
  Result<> TrySet(size_t input, const Tensor& tensor);
  Result<> TrySet(const std::string& input, const Tensor& tensor) {
    size_t index = 0;
    if (pleat_model_find_input(model_->handle, input.c_str(), &index) != PLEAT_OK) {
      return Error::Last();
    }
    return TrySet(index, tensor);
  }
  template <class Key>
  void Set(const Key& input, const Tensor& tensor) {
    TrySet(input, tensor).value();
  }

  // Where every run writes an output; null: the session's own memory. See pleat_set_output.
  template <class T>
  Result<> TrySetOutput(size_t output, T* data, size_t count) {
    return internal::Check(pleat_set_output(handle(), output, data, count * sizeof(T)));
  }
  template <class T>
  void SetOutput(size_t output, T* data, size_t count) {
    TrySetOutput(output, data, count).value();
  }

  Result<> TryPrepare() { return internal::Check(pleat_prepare(handle())); }
  void Prepare() { TryPrepare().value(); }

  // Runs what is set; a timeout of 0 is none.
  Result<> TryRun(int64_t timeout_ns = 0) {
    auto options = internal::Sized<pleat_run_options>();
    options.timeout_ns = timeout_ns;
    return internal::Check(pleat_run(handle(), &options));
  }
  void Run(int64_t timeout_ns = 0) { TryRun(timeout_ns).value(); }

  // Sets input 0, runs, gives a view of output 0.
  Result<Tensor> TryRun(const Tensor& x) {
    if (Result<> set = TrySet(size_t{0}, x); !set) return set.error();
    if (Result<> run = TryRun(); !run) return run.error();
    return TryOutput(size_t{0});
  }
  Tensor Run(const Tensor& x) { return TryRun(x).value(); }

  // A view of an output of the last run, until the next call.
  Result<Tensor> TryOutput(size_t output) {
    auto got = internal::Sized<pleat_tensor>();
    if (pleat_get_output(handle(), output, &got) != PLEAT_OK) return Error::Last();
    Tensor tensor;
    tensor.data_ = got.data;
    tensor.bytes_ = got.bytes;
    tensor.element_ = got.element;
    tensor.SetShape(got.shape, got.rank, false);
    return tensor;
  }
  Result<Tensor> TryOutput(const std::string& output) {
    size_t index = 0;
    if (pleat_model_find_output(model_->handle, output.c_str(), &index) != PLEAT_OK) {
      return Error::Last();
    }
    return TryOutput(index);
  }
  template <class Key>
  Tensor Output(const Key& output) {
    return TryOutput(output).value();
  }

  // What is prepared, preparing where nothing is.
  Result<pleat_session_info> TryInfo() {
    auto info = internal::Sized<pleat_session_info>();
    if (pleat_session_get_info(handle(), &info) != PLEAT_OK) return Error::Last();
    return info;
  }
  pleat_session_info Info() { return TryInfo().value(); }

  // Ends a run in progress; from any thread.
  void Cancel() { pleat_cancel(handle()); }

  pleat_session* handle() const { return handle_.get(); }

 private:
  friend class Model;
  struct Destroy {
    void operator()(pleat_session* session) const { pleat_session_destroy(session); }
  };
  Session(std::shared_ptr<internal::ModelState> model, pleat_session* handle)
      : model_(std::move(model)), handle_(handle) {}

  std::shared_ptr<internal::ModelState> model_;
  std::unique_ptr<pleat_session, Destroy> handle_;
};

inline Result<> Session::TrySet(size_t input, const Tensor& tensor) {
  auto given = internal::Sized<pleat_tensor>();
  given.data = tensor.data_;
  given.bytes = tensor.bytes_;
  given.element = tensor.element_;
  given.layout = tensor.layout_;
  given.rank = tensor.rank_;
  given.shape = tensor.shape_;
  given.strides = tensor.strided_ ? tensor.strides_ : nullptr;
  given.mean = tensor.mean_;
  given.scale = tensor.scale_;
  int64_t shape[PLEAT_MAX_RANK];
  if (tensor.of_model_) {
    auto info = internal::Sized<pleat_value_info>();
    if (pleat_model_get_input(model_->handle, input, &info) != PLEAT_OK) return Error::Last();
    if (info.rank > PLEAT_MAX_RANK) {
      return Error(PLEAT_INVALID_ARGUMENT, "SHAPE",
                   std::string("input ") + info.name + " has no fixed rank: give the shape");
    }
    given.rank = info.rank;
    given.shape = shape;
    const size_t left = given.bytes / SizeOf(given.element);
    size_t unknown = info.rank;
    size_t known = 1;
    for (size_t i = 0; i < info.rank; ++i) {
      shape[i] = info.shape[i];
      if (info.shape[i] != PLEAT_UNKNOWN) {
        known *= static_cast<size_t>(info.shape[i]);
      } else if (unknown == info.rank) {
        unknown = i;
      } else {
        return Error(PLEAT_INVALID_ARGUMENT, "SHAPE",
                     std::string("input ") + info.name + " has several open sizes: give the shape");
      }
    }
    if (unknown < info.rank) shape[unknown] = static_cast<int64_t>(known == 0 ? 0 : left / known);
    const size_t expected =
        unknown < info.rank ? known * static_cast<size_t>(shape[unknown]) : known;
    if (left != expected) {
      return Error(PLEAT_INVALID_ARGUMENT, "SHAPE",
                   std::string("input ") + info.name + ": expected " +
                       (unknown < info.rank ? "a multiple of " + std::to_string(known)
                                            : std::to_string(known)) +
                       " numbers, got " + std::to_string(left));
    }
  }
  return internal::Check(pleat_set_input(handle(), input, &given));
}

inline Result<std::vector<float>> Model::TryRun(const Tensor& x) const {
  const pleat_model_info info = Info();
  if (info.inputs != 1 || info.outputs != 1) {
    return Error(PLEAT_INVALID_ARGUMENT, "INPUT_COUNT",
                 "Model::Run is for one input and one output, this network has " +
                     std::to_string(info.inputs) + " and " + std::to_string(info.outputs) +
                     ": use a Session");
  }
  Session session(state_, state_->spare.exchange(nullptr));
  if (session.handle() == nullptr) {
    Result<Session> made = Session::TryMake(*this);
    if (!made) return made.error();
    session = std::move(made).value();
  }
  Result<Tensor> y = session.TryRun(x);
  if (!y) return y.error();
  if (y->element() != PLEAT_FLOAT32) {
    return Error(PLEAT_INVALID_ARGUMENT, "ELEMENT_TYPE",
                 "Model::Run is for float32 outputs: use a Session");
  }
  const Span<const float> numbers = y->data<float>();
  std::vector<float> result(numbers.begin(), numbers.end());
  pleat_session_destroy(state_->spare.exchange(session.handle_.release()));
  return result;
}

}  // namespace pleat

#endif  // PLEAT_PLEAT_HPP_
