#include "runtime/session.h"

#include <algorithm>
#include <cstring>
#include <list>
#include <new>

#include "runtime/bound_plan.h"
#include "runtime/float_mode.h"
#include "runtime/hold.h"

namespace pleat::runtime {
namespace {

using Clock = std::chrono::steady_clock;

bool Overlap(const void* a, size_t a_bytes, const void* b, size_t b_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return a_bytes > 0 && b_bytes > 0 && first < second + b_bytes && second < first + a_bytes;
}

kernels::ThreadPool MakePool(const Session::Options& options) {
  const DefaultFloatMode mode;  // new threads inherit it
  if (options.parallel_for == nullptr) return kernels::ThreadPool(options.threads);
  return kernels::ThreadPool(options.threads, options.parallel_for, options.pool);
}

}  // namespace

struct Session::State {
  explicit State(const Options& options)
      : options(options), threads(MakePool(options)), arena(options.allocator) {}

  Options options;
  kernels::ThreadPool threads;
  std::atomic<bool> busy{false};
  std::list<BoundPlan> plans;  // most recently used first
  Memory arena;
  std::vector<const void*> input_data;  // of the last run
  std::vector<void*> output_data;       // the caller's buffers of the last run, or null
  bool ran = false;                     // `plans.front()` holds the outputs of a successful run
  std::vector<Tensor> kept_inputs;
  std::function<void(size_t, double)> on_step;

  Result<BoundPlan*> PlanFor(const Graph& graph, std::span<const Shape> shapes);
  Result<BoundPlan*> Find(const Graph& graph, std::span<const TensorView> inputs);
  Status Run(const Graph& graph, std::span<const TensorView> inputs,
             std::span<const OutputBuffer> outputs, const RunControl& control);
  Status PlaceOutputs(const Graph& graph, const BoundPlan& bound,
                      std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs);
  Status RunSteps(BoundPlan& bound, const RunControl& control);
  const void* Address(const BoundPlan& bound, ValueId id) const;
};

// A network that was found valid when it was loaded, and does not fit together now: the sizes the
// caller chose are to blame.
Status OfTheseShapes(Status status, const Graph& graph, std::span<const Shape> shapes) {
  std::string chosen;
  for (size_t i = 0; i < std::min(shapes.size(), graph.inputs.size()); ++i) {
    const Value& value = graph.values[static_cast<size_t>(graph.inputs[i])];
    if (value.type.Known()) continue;
    chosen += (chosen.empty() ? "" : ", ") + value.name + " " + ShapeText(shapes[i]);
  }
  if (status.code() != StatusCode::kInvalidModel || chosen.empty()) return status;
  return InvalidArgument("with " + chosen + ": " + status.message(), "SHAPE");
}

Result<BoundPlan*> Session::State::PlanFor(const Graph& graph, std::span<const Shape> shapes) {
  for (auto it = plans.begin(); it != plans.end(); ++it) {
    if (std::equal(it->shapes.begin(), it->shapes.end(), shapes.begin(), shapes.end())) {
      plans.splice(plans.begin(), plans, it);
      return &plans.front();
    }
  }
  PlanOptions plan_options{.select = options.select,
                           .share_buffers = options.share_buffers,
                           .max_arena_bytes = options.max_arena_bytes};
  plan_options.select.threads = threads.threads();
  Result<std::unique_ptr<Plan>> plan = MakePlan(graph, shapes, plan_options);
  if (!plan.ok()) return OfTheseShapes(plan.status(), graph, shapes);
  plans.push_front({.shapes = {shapes.begin(), shapes.end()}, .plan = std::move(plan).value()});
  if (plans.size() > options.max_plans) plans.pop_back();
  return &plans.front();
}

// The plan for these inputs, in front of `plans`.
Result<BoundPlan*> Session::State::Find(const Graph& graph, std::span<const TensorView> inputs) {
  for (size_t i = 0; i < std::min(inputs.size(), graph.inputs.size()); ++i) {
    const Value& value = graph.values[static_cast<size_t>(graph.inputs[i])];
    if (inputs[i].element != value.type.element) {
      const Type got{inputs[i].element, true, {inputs[i].shape.begin(), inputs[i].shape.end()}};
      return InvalidArgument(
          "input " + value.name + ": expected " + TypeText(value.type) + ", got " + TypeText(got),
          "ELEMENT_TYPE");
    }
  }
  for (auto it = plans.begin(); it != plans.end(); ++it) {
    const bool same = std::equal(it->shapes.begin(), it->shapes.end(), inputs.begin(), inputs.end(),
                                 [](const Shape& planned, const TensorView& input) {
                                   return std::equal(planned.begin(), planned.end(),
                                                     input.shape.begin(), input.shape.end());
                                 });
    if (same) {
      plans.splice(plans.begin(), plans, it);
      return &plans.front();
    }
  }
  std::vector<Shape> shapes;
  for (const TensorView& input : inputs)
    shapes.emplace_back(input.shape.begin(), input.shape.end());
  return PlanFor(graph, shapes);
}

const void* Session::State::Address(const BoundPlan& bound, ValueId id) const {
  const Place& place = bound.PlaceOf(id);
  switch (place.kind) {
    case Place::Kind::kNone:
      return nullptr;
    case Place::Kind::kInput:
      return input_data[static_cast<size_t>(place.input)];
    case Place::Kind::kConstant:
      return place.constant;
    case Place::Kind::kArena:
      break;
  }
  return bound.arena + place.offset;
}

// Whether an output's buffer lies over an input. Fails where that input is an output as well: no
// order of copies would be right.
Result<bool> OverInput(const Graph& graph, const BoundPlan& bound,
                       std::span<const TensorView> inputs, size_t output,
                       const OutputBuffer& buffer) {
  const size_t bytes = ByteSize(bound.TypeOf(graph.outputs[output]));
  bool over_input = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!Overlap(buffer.data, bytes, inputs[i].data, ByteSize(bound.TypeOf(graph.inputs[i])))) {
      continue;
    }
    over_input = true;
    for (ValueId other : graph.outputs) {
      const Place& place = bound.PlaceOf(other);
      if (place.kind == Place::Kind::kInput && place.input == static_cast<int>(i)) {
        return InvalidArgument("the buffer of output " + std::to_string(output) +
                                   " overlaps an input that is an output as well",
                               "BUFFER_OVERLAP");
      }
    }
  }
  return over_input;
}

// Checks the caller's buffers and notes in `output_data` those that results go straight into.
Status Session::State::PlaceOutputs(const Graph& graph, const BoundPlan& bound,
                                    std::span<const TensorView> inputs,
                                    std::span<const OutputBuffer> outputs) {
  output_data.assign(graph.outputs.size(), nullptr);
  for (size_t o = 0; o < outputs.size(); ++o) {
    const OutputBuffer& buffer = outputs[o];
    if (buffer.data == nullptr) continue;
    const auto id = static_cast<size_t>(graph.outputs[o]);
    const size_t needed = ByteSize(bound.plan->types[id]);
    if (buffer.bytes < needed) {
      return InvalidArgument("output " + graph.values[id].name + " (" +
                                 TypeText(bound.plan->types[id]) + "): expected a buffer of " +
                                 std::to_string(needed) + " bytes, got " +
                                 std::to_string(buffer.bytes),
                             "BUFFER_TOO_SMALL");
    }
    for (size_t other = 0; other < o; ++other) {
      if (Overlap(buffer.data, needed, outputs[other].data,
                  ByteSize(bound.TypeOf(graph.outputs[other])))) {
        return InvalidArgument("the buffers of outputs " + std::to_string(other) + " and " +
                                   std::to_string(o) + " overlap",
                               "BUFFER_OVERLAP");
      }
    }
    PLEAT_ASSIGN_OR_RETURN(const bool over_input, OverInput(graph, bound, inputs, o, outputs[o]));
    if (bound.direct[o] && !over_input) output_data[o] = buffer.data;
  }
  return Status::Ok();
}

Status Session::State::RunSteps(BoundPlan& bound, const RunControl& control) {
  const void* const* inputs = bound.inputs.data();
  void* const* outputs = bound.outputs.data();
  for (size_t s = 0; s < bound.plan->steps.size(); ++s) {
    const Step& step = bound.plan->steps[s];
    if (control.cancel != nullptr && control.cancel->load(std::memory_order_relaxed)) {
      return {StatusCode::kCancelled, "the run was cancelled"};
    }
    if (control.deadline && Clock::now() >= *control.deadline) {
      return {StatusCode::kDeadlineExceeded, "the run did not finish before its deadline"};
    }
    const Clock::time_point start = on_step ? Clock::now() : Clock::time_point();
    step.kernel->Run({inputs, outputs, bound.arena + step.scratch_offset, &threads});
    if (on_step) on_step(s, std::chrono::duration<double>(Clock::now() - start).count());
    inputs += step.inputs.size();
    outputs += step.outputs.size();
  }
  return Status::Ok();
}

Status Session::State::Run(const Graph& graph, std::span<const TensorView> inputs,
                           std::span<const OutputBuffer> outputs, const RunControl& control) {
  const DefaultFloatMode mode;
  ran = false;
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, Find(graph, inputs));
  if (!outputs.empty() && outputs.size() != graph.outputs.size()) {
    return InvalidArgument("expected " + std::to_string(graph.outputs.size()) + " outputs, got " +
                               std::to_string(outputs.size()),
                           "OUTPUT_COUNT");
  }
  PLEAT_RETURN_IF_ERROR(arena.Reserve(bound->plan->arena_bytes));
  if (bound->arena != arena.data()) bound->Bind(graph, arena.data());
  PLEAT_RETURN_IF_ERROR(PlaceOutputs(graph, *bound, inputs, outputs));

  input_data.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) input_data[i] = inputs[i].data;
  for (const auto& [position, index] : bound->from_inputs) {
    bound->inputs[position] = input_data[index];
  }
  const auto target = [&](size_t output) {
    void* const direct = output_data[output];
    return direct != nullptr ? direct : bound->arena + bound->PlaceOf(graph.outputs[output]).offset;
  };
  for (const auto& [position, index] : bound->reads_of_output) {
    bound->inputs[position] = target(index);
  }
  for (const auto& [position, index] : bound->writes_of_output) {
    bound->outputs[position] = target(index);
  }
  PLEAT_RETURN_IF_ERROR(RunSteps(*bound, control));

  for (size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].data == nullptr || output_data[o] != nullptr) continue;
    const ValueId id = graph.outputs[o];
    const Place& place = bound->PlaceOf(id);
    const void* source = Address(*bound, id);
    for (size_t other = 0; other < o; ++other) {
      const Place& same = bound->PlaceOf(graph.outputs[other]);
      if (place.kind == Place::Kind::kArena && same.kind == place.kind && same.root == place.root &&
          output_data[other] != nullptr) {
        source = output_data[other];
      }
    }
    std::memmove(outputs[o].data, source, ByteSize(bound->TypeOf(id)));
  }
  for (size_t o = 0; o < outputs.size(); ++o) output_data[o] = outputs[o].data;
  ran = true;
  return Status::Ok();
}

Session::Session(std::shared_ptr<const Model> model, Options options)
    : model_(std::move(model)), state_(std::make_unique<State>(options)) {}

Session::~Session() = default;

int Session::threads() const { return state_->threads.threads(); }

Result<const Plan*> Session::Prepare(std::span<const Shape> shapes) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  const DefaultFloatMode mode;
  const BoundPlan* before = state_->plans.empty() ? nullptr : &state_->plans.front();
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, state_->PlanFor(model_->graph(), shapes));
  if (bound != before) state_->ran = false;
  PLEAT_RETURN_IF_ERROR(state_->arena.Reserve(bound->plan->arena_bytes));
  return static_cast<const Plan*>(bound->plan.get());
} catch (const std::bad_alloc&) {
  return Status(StatusCode::kOutOfMemory, "out of memory while planning");
}

Status Session::RunInto(std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs,
                        const RunControl& control) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  return state_->Run(model_->graph(), inputs, outputs, control);
} catch (const std::bad_alloc&) {
  return {StatusCode::kOutOfMemory, "out of memory while planning"};
}

TensorView Session::Output(size_t index) const {
  const Graph& graph = model_->graph();
  if (!state_->ran || index >= graph.outputs.size()) return {};
  const BoundPlan& bound = state_->plans.front();
  const ValueId id = graph.outputs[index];
  const Type& type = bound.TypeOf(id);
  const void* callers = state_->output_data[index];
  return {type.element, type.shape, callers != nullptr ? callers : state_->Address(bound, id)};
}

Result<std::vector<Tensor>> Session::Run(std::span<const Tensor> inputs) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) {
    views.push_back({input.element(), input.shape(), input.raw()});
  }
  PLEAT_RETURN_IF_ERROR(state_->Run(model_->graph(), views, {}, {}));
  state_->kept_inputs.assign(inputs.begin(), inputs.end());
  std::vector<Tensor> results;
  for (size_t o = 0; o < model_->graph().outputs.size(); ++o) {
    const TensorView output = Output(o);
    Tensor copy = Tensor::Make(output.element, {output.shape.begin(), output.shape.end()});
    std::memcpy(copy.mutable_raw(), output.data, copy.bytes());
    results.push_back(std::move(copy));
  }
  return results;
} catch (const std::bad_alloc&) {
  return Status(StatusCode::kOutOfMemory, "out of memory while running");
}

Tensor Session::ValueAfterRun(ValueId id) const {
  if (!state_->ran) return {};
  const BoundPlan& bound = state_->plans.front();
  const Type& type = bound.TypeOf(id);
  const void* data = state_->Address(bound, id);
  if (data == nullptr) return {};
  const Place& place = bound.PlaceOf(id);
  if (place.kind == Place::Kind::kInput) {
    return state_->kept_inputs[static_cast<size_t>(place.input)].Reshaped(type.shape);
  }
  return Tensor::Borrow(type.element, type.shape, data, nullptr);
}

void Session::Profile(std::function<void(size_t, double)> on_step) {
  state_->on_step = std::move(on_step);
}

}  // namespace pleat::runtime
