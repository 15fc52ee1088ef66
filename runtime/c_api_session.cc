// The C API's functions on sessions.
#include <limits>

#include "runtime/c_api.h"
#include "runtime/c_api_input.h"
#include "runtime/cpu_budget.h"
#include "runtime/hold.h"

using namespace pleat::runtime;

struct pleat_session {
  static constexpr uint64_t kTag = 0x7365737370746c70;
  pleat_session(std::shared_ptr<const Model> model, const Session::Options& options)
      : session(model, options),
        outputs(model->graph().outputs.size()),
        views(model->graph().inputs.size()) {
    for (ValueId id : model->graph().inputs) {
      inputs.emplace_back(model->graph().values[static_cast<size_t>(id)]);
    }
  }

  uint64_t tag = kTag;
  Session session;
  std::atomic<bool> busy{false};
  std::atomic<bool> cancel{false};
  std::vector<SessionInput> inputs;
  std::vector<OutputBuffer> outputs;
  std::vector<TensorView> views;   // of a run
  const Plan* prepared = nullptr;  // for the shapes that are set
};

namespace {

// Runs the body of an API function that uses a session, which must be free.
template <class Body>
pleat_code Exclusive(pleat_session* session, Body&& body) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(session, "session"));
    const Hold hold(session->busy);
    if (!hold.held()) return BusyStatus();
    return body();
  });
}

Result<Session::Options> ReadOptions(const pleat_options* callers) {
  pleat_options given{};
  if (callers != nullptr) PLEAT_RETURN_IF_ERROR(ReadStruct(callers, "options", &given));
  if (given.threads < 0 || given.threads > kMaxThreads) {
    return InvalidArgument("options->threads is " + std::to_string(given.threads) +
                               ", expected 0 (all) to " + std::to_string(kMaxThreads),
                           "THREADS");
  }
  if (given.memory != PLEAT_MEMORY_FAST && given.memory != PLEAT_MEMORY_LOW) {
    return InvalidArgument("options->memory is " + std::to_string(given.memory) +
                           ", expected PLEAT_MEMORY_FAST or PLEAT_MEMORY_LOW");
  }
  if ((given.allocate == nullptr) != (given.deallocate == nullptr)) {
    return InvalidArgument("options->allocate and options->deallocate go together", "ALLOCATOR");
  }
  Session::Options options;
  options.threads = given.threads == 0 ? CpuBudget() : given.threads;
  options.parallel_for = given.parallel_for;
  options.pool = given.pool;
  options.allocator = {given.allocate, given.deallocate, given.allocator};
  options.select.low_memory = given.memory == PLEAT_MEMORY_LOW;
  options.select.exact = given.exact != 0;
  options.select.runs = static_cast<double>(given.expected_runs);
  if (given.max_plans != 0) options.max_plans = given.max_plans;
  if (given.max_arena_bytes != 0) {
    options.max_arena_bytes = static_cast<int64_t>(
        std::min<uint64_t>(given.max_arena_bytes, std::numeric_limits<int64_t>::max()));
  }
  return options;
}

Status NotSet(const SessionInput& input) {
  return InvalidArgument(
      "input " + input.value().name + " (" + TypeText(input.value().type) + ") is not set",
      "INPUT_NOT_SET");
}

Status Prepare(pleat_session* session) {
  if (session->prepared != nullptr) return Status::Ok();
  std::vector<Shape> shapes;
  for (const SessionInput& input : session->inputs) {
    if (!input.is_set() && !input.value().type.Known()) return NotSet(input);
    shapes.push_back(input.shape());
  }
  PLEAT_ASSIGN_OR_RETURN(session->prepared, session->session.Prepare(shapes));
  return Status::Ok();
}

Status Run(pleat_session* session, const pleat_run_options* callers) {
  session->cancel.store(false, std::memory_order_relaxed);
  pleat_run_options options{};
  if (callers != nullptr) PLEAT_RETURN_IF_ERROR(ReadStruct(callers, "options", &options));
  if (options.timeout_ns < 0) return InvalidArgument("options->timeout_ns is negative", "TIMEOUT");
  RunControl control{.deadline = {}, .cancel = &session->cancel};
  if (options.timeout_ns > 0) {
    using std::chrono::nanoseconds;
    const auto now = std::chrono::steady_clock::now();
    const auto left = std::chrono::steady_clock::time_point::max() - now;
    control.deadline = now + std::min<nanoseconds>(nanoseconds(options.timeout_ns), left);
  }
  for (const SessionInput& input : session->inputs) {
    if (!input.is_set()) return NotSet(input);
  }
  for (size_t i = 0; i < session->inputs.size(); ++i) {
    session->views[i] = session->inputs[i].Read();
  }
  return session->session.RunInto(session->views, session->outputs, control);
}

}  // namespace

extern "C" {

pleat_code pleat_session_create(const pleat_model* model, const pleat_options* options,
                                pleat_session** session) {
  return Guarded([&]() -> Status {
    if (session == nullptr) return NullArgument("session");
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    PLEAT_ASSIGN_OR_RETURN(const Session::Options chosen, ReadOptions(options));
    *session = new pleat_session(model->model, chosen);
    return Status::Ok();
  });
}

void pleat_session_destroy(pleat_session* session) {
  if (session == nullptr || session->tag != pleat_session::kTag) return;
  session->tag = 0;
  delete session;
}

pleat_code pleat_set_input(pleat_session* session, size_t index, const pleat_tensor* tensor) {
  return Exclusive(session, [&]() -> Status {
    pleat_tensor given;
    PLEAT_RETURN_IF_ERROR(CheckIndex(index, session->inputs.size(), "input"));
    PLEAT_RETURN_IF_ERROR(ReadStruct(tensor, "tensor", &given));
    bool reshaped = false;
    PLEAT_RETURN_IF_ERROR(session->inputs[index].Set(given, &reshaped));
    if (reshaped) session->prepared = nullptr;
    return Status::Ok();
  });
}

pleat_code pleat_set_output(pleat_session* session, size_t index, void* data, size_t bytes) {
  return Exclusive(session, [&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckIndex(index, session->outputs.size(), "output"));
    session->outputs[index] = {data, data == nullptr ? 0 : bytes};
    return Status::Ok();
  });
}

pleat_code pleat_prepare(pleat_session* session) {
  return Exclusive(session, [&] { return Prepare(session); });
}

pleat_code pleat_session_get_info(pleat_session* session, pleat_session_info* info) {
  return Exclusive(session, [&]() -> Status {
    if (info == nullptr) return NullArgument("info");
    PLEAT_RETURN_IF_ERROR(Prepare(session));
    pleat_session_info filled{};
    filled.threads = session->session.threads();
    filled.arena_bytes =
        session->prepared->arena_bytes + session->session.deferred_bytes();
    filled.packed_bytes = session->prepared->packed_bytes;
    filled.multiply_adds = session->prepared->multiply_adds;
    return WriteStruct(filled, "info", info);
  });
}

pleat_code pleat_run(pleat_session* session, const pleat_run_options* options) {
  return Exclusive(session, [&] { return Run(session, options); });
}

pleat_code pleat_cancel(pleat_session* session) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(session, "session"));
    session->cancel.store(true, std::memory_order_relaxed);
    return Status::Ok();
  });
}

pleat_code pleat_get_output(pleat_session* session, size_t index, pleat_tensor* tensor) {
  return Exclusive(session, [&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckIndex(index, session->outputs.size(), "output"));
    const TensorView view = session->session.Output(index);
    pleat_tensor filled{};
    filled.data = view.data;
    filled.element = static_cast<pleat_element>(view.element);
    std::span<const int64_t> shape = view.shape;
    if (view.data == nullptr) {
      if (session->prepared == nullptr) {
        return InvalidArgument("there is no output before a run", "NOT_RUN");
      }
      const ValueId id = session->session.model().graph().outputs[index];
      const Type& type = session->prepared->types[static_cast<size_t>(id)];
      if (!type.Known()) {
        return InvalidArgument("the size of output " + std::to_string(index) +
                                   " depends on the data: it is known after a run",
                               "NOT_RUN");
      }
      filled.element = static_cast<pleat_element>(type.element);
      shape = type.shape;
    }
    filled.rank = shape.size();
    filled.shape = shape.data();
    filled.bytes = ElementSize(static_cast<ElementType>(filled.element));
    for (int64_t size : shape) filled.bytes *= static_cast<size_t>(size);
    return WriteStruct(filled, "tensor", tensor);
  });
}

}  // extern "C"
