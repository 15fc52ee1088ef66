#include "runtime/executor.h"

#include <algorithm>
#include <cstring>

#include "kernels/making.h"
#include "runtime/deferred.h"

namespace pleat::runtime {
namespace {

using Clock = std::chrono::steady_clock;

bool Overlap(const void* a, size_t a_bytes, const void* b, size_t b_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return a_bytes > 0 && b_bytes > 0 && first < second + b_bytes && second < first + a_bytes;
}

// What goes into a buffer; all of it may where the type is known only after the run.
size_t BytesWritten(const Type& type, const OutputBuffer& buffer) {
  return type.Known() ? ByteSize(type) : buffer.bytes;
}

Status CheckBuffer(const Value& value, const Type& type, const OutputBuffer& buffer) {
  const size_t needed = ByteSize(type);
  if (buffer.bytes >= needed) return Status::Ok();
  return InvalidArgument("output " + value.name + " (" + TypeText(type) +
                             "): expected a buffer of " + std::to_string(needed) + " bytes, got " +
                             std::to_string(buffer.bytes),
                         "BUFFER_TOO_SMALL");
}

}  // namespace

Executor::Executor(const Graph& graph, const Session::Options& options,
                   kernels::ThreadPool& threads)
    : graph_(graph), options_(options), threads_(threads), arena_(options.allocator) {}

Executor::~Executor() = default;

Result<BoundPlan*> Executor::Prepare(std::span<const Shape> shapes) {
  const BoundPlan* before = plans_.empty() ? nullptr : &plans_.front();
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, PlanFor(shapes));
  if (bound != before) ran_ = false;
  PLEAT_RETURN_IF_ERROR(arena_.Reserve(bound->plan->arena_bytes));
  return bound;
}

namespace {

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

}  // namespace

Result<BoundPlan*> Executor::PlanFor(std::span<const Shape> shapes) {
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (std::equal(it->shapes.begin(), it->shapes.end(), shapes.begin(), shapes.end())) {
      plans_.splice(plans_.begin(), plans_, it);
      return &plans_.front();
    }
  }
  PlanOptions plan_options{.select = options_.select,
                           .share_buffers = options_.share_buffers,
                           .max_arena_bytes = options_.max_arena_bytes};
  plan_options.select.threads = threads_.threads();
  const kernels::MakingThreads helpers(threads_);
  Result<std::unique_ptr<Plan>> plan = MakePlan(graph_, shapes, plan_options);
  if (!plan.ok()) return OfTheseShapes(plan.status(), graph_, shapes);
  plans_.push_front({.shapes = {shapes.begin(), shapes.end()}, .plan = std::move(plan).value()});
  if (plans_.size() > options_.max_plans) plans_.pop_back();
  return &plans_.front();
}

// The plan for these inputs, in front of `plans`.
Result<BoundPlan*> Executor::Find(std::span<const TensorView> inputs) {
  for (size_t i = 0; i < std::min(inputs.size(), graph_.inputs.size()); ++i) {
    const Value& value = graph_.values[static_cast<size_t>(graph_.inputs[i])];
    if (inputs[i].element != value.type.element) {
      const Type got{inputs[i].element, true, {inputs[i].shape.begin(), inputs[i].shape.end()}};
      return InvalidArgument(
          "input " + value.name + ": expected " + TypeText(value.type) + ", got " + TypeText(got),
          "ELEMENT_TYPE");
    }
  }
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    const bool same = std::equal(it->shapes.begin(), it->shapes.end(), inputs.begin(), inputs.end(),
                                 [](const Shape& planned, const TensorView& input) {
                                   return std::equal(planned.begin(), planned.end(),
                                                     input.shape.begin(), input.shape.end());
                                 });
    if (same) {
      plans_.splice(plans_.begin(), plans_, it);
      return &plans_.front();
    }
  }
  std::vector<Shape> shapes;
  for (const TensorView& input : inputs) {
    shapes.emplace_back(input.shape.begin(), input.shape.end());
  }
  return PlanFor(shapes);
}

const void* Executor::AddressOf(const BoundPlan& bound, ValueId id) const {
  const Place& place = bound.PlaceOf(id);
  switch (place.kind) {
    case Place::Kind::kNone:
      return nullptr;
    case Place::Kind::kInput:
      return input_data_[static_cast<size_t>(place.input)];
    case Place::Kind::kConstant:
      return place.constant;
    case Place::Kind::kArena:
      break;
  }
  return bound.arena + place.offset;
}

// Whether an output's buffer lies over an input. Fails where that input is an output as well: no
// order of copies would be right.
Result<bool> Executor::OverInput(const BoundPlan& bound, std::span<const TensorView> inputs,
                                 size_t output, const OutputBuffer& buffer) const {
  const size_t bytes = BytesWritten(bound.TypeOf(graph_.outputs[output]), buffer);
  bool over_input = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!Overlap(buffer.data, bytes, inputs[i].data, ByteSize(bound.TypeOf(graph_.inputs[i])))) {
      continue;
    }
    over_input = true;
    for (ValueId other : graph_.outputs) {
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
Status Executor::PlaceOutputs(const BoundPlan& bound, std::span<const TensorView> inputs,
                              std::span<const OutputBuffer> outputs) {
  output_data_.assign(graph_.outputs.size(), nullptr);
  for (size_t o = 0; o < outputs.size(); ++o) {
    const OutputBuffer& buffer = outputs[o];
    if (buffer.data == nullptr) continue;
    const ValueId id = graph_.outputs[o];
    const Type& type = bound.TypeOf(id);
    if (type.Known()) {
      PLEAT_RETURN_IF_ERROR(CheckBuffer(graph_.values[static_cast<size_t>(id)], type, buffer));
    }
    for (size_t other = 0; other < o; ++other) {
      if (Overlap(buffer.data, BytesWritten(type, buffer), outputs[other].data,
                  BytesWritten(bound.TypeOf(graph_.outputs[other]), outputs[other]))) {
        return InvalidArgument("the buffers of outputs " + std::to_string(other) + " and " +
                                   std::to_string(o) + " overlap",
                               "BUFFER_OVERLAP");
      }
    }
    PLEAT_ASSIGN_OR_RETURN(const bool over_input, OverInput(bound, inputs, o, buffer));
    if (bound.direct[o] && !over_input) output_data_[o] = buffer.data;
  }
  return Status::Ok();
}

Status Executor::RunSteps(BoundPlan& bound, const RunControl& control) {
  const void* const* inputs = bound.inputs.data();
  void* const* outputs = bound.outputs.data();
  for (size_t s = 0; s < bound.plan->steps.size(); ++s) {
    const Step& step = bound.plan->steps[s];
    PLEAT_RETURN_IF_ERROR(control.Check());
    const Clock::time_point start = on_step_ ? Clock::now() : Clock::time_point();
    step.kernel->Run({inputs, outputs, bound.arena + step.scratch_offset, &threads_});
    if (on_step_) on_step_(s, std::chrono::duration<double>(Clock::now() - start).count());
    inputs += step.inputs.size();
    outputs += step.outputs.size();
  }
  return Status::Ok();
}

// Fills in the addresses that come with this run.
void Executor::Address(BoundPlan* bound, std::span<const TensorView> inputs) {
  input_data_.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) input_data_[i] = inputs[i].data;
  for (const auto& [position, index, within] : bound->from_inputs) {
    bound->inputs[position] = static_cast<const std::byte*>(input_data_[index]) + within;
  }
  const auto target = [&](size_t output) {
    void* const direct = output_data_[output];
    return direct != nullptr ? static_cast<std::byte*>(direct)
                             : bound->arena + bound->PlaceOf(graph_.outputs[output]).offset;
  };
  for (const auto& [position, index, within] : bound->reads_of_output) {
    bound->inputs[position] = target(index) + within;
  }
  for (const auto& [position, index, within] : bound->writes_of_output) {
    bound->outputs[position] = target(index) + within;
  }
}

Status Executor::RunDeferred(const BoundPlan& bound, const RunControl& control) {
  if (bound.plan->deferred.empty()) return Status::Ok();
  if (deferred_ == nullptr) {
    deferred_ = std::make_unique<DeferredRun>(graph_, options_, threads_);
  }
  return deferred_->Run(
      *bound.plan, [&](ValueId id) { return AddressOf(bound, id); }, control, on_step_);
}

std::span<const DeferredStep> Executor::Deferred() const {
  const bool any = ran_ && !plans_.front().plan->deferred.empty();
  return any ? deferred_->steps() : std::span<const DeferredStep>();
}

size_t Executor::deferred_bytes() const { return Deferred().empty() ? 0 : deferred_->most_bytes(); }

Status Executor::CopyOutputs(std::span<const OutputBuffer> outputs) {
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (outputs[o].data == nullptr || output_data_[o] != nullptr) continue;
    const ValueId id = graph_.outputs[o];
    const TensorView view = ValueOf(id);
    size_t bytes = ElementSize(view.element);
    for (const int64_t size : view.shape) bytes *= static_cast<size_t>(size);
    if (bytes > outputs[o].bytes) {
      const Type type{view.element, true, {view.shape.begin(), view.shape.end()}};
      return CheckBuffer(graph_.values[static_cast<size_t>(id)], type, outputs[o]);
    }
    if (bytes > 0) std::memmove(outputs[o].data, view.data, bytes);
  }
  return Status::Ok();
}

bool Executor::IsKept(const BoundPlan& bound, size_t output) const {
  return output_data_[output] == nullptr &&
         bound.PlaceOf(graph_.outputs[output]).kind == Place::Kind::kInput;
}

void Executor::ReserveKept(const BoundPlan& bound) {
  kept_.resize(graph_.outputs.size());
  for (size_t o = 0; o < kept_.size(); ++o) {
    if (!IsKept(bound, o)) continue;
    const auto bytes = static_cast<int64_t>(ByteSize(bound.TypeOf(graph_.outputs[o])));
    if (kept_[o].empty() || kept_[o].count() < bytes) {
      kept_[o] = Tensor::Make(ElementType::kUint8, {bytes});
    }
  }
}

void Executor::Keep(const BoundPlan& bound) {
  for (size_t o = 0; o < kept_.size(); ++o) {
    if (!IsKept(bound, o)) continue;
    const TensorView view = ValueOf(graph_.outputs[o]);
    const size_t bytes = ByteSize(bound.TypeOf(graph_.outputs[o]));
    output_data_[o] = kept_[o].mutable_raw();
    if (bytes > 0) std::memcpy(output_data_[o], view.data, bytes);
  }
}

Status Executor::Run(std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs,
                     const RunControl& control) {
  ran_ = false;
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, Find(inputs));
  if (!outputs.empty() && outputs.size() != graph_.outputs.size()) {
    return InvalidArgument("expected " + std::to_string(graph_.outputs.size()) + " outputs, got " +
                               std::to_string(outputs.size()),
                           "OUTPUT_COUNT");
  }
  PLEAT_RETURN_IF_ERROR(arena_.Reserve(bound->plan->arena_bytes));
  // A plan may need no memory, and still has to be bound once.
  if (bound->arena != arena_.data() || bound->direct.empty()) {
    bound->Bind(graph_, arena_.data());
  }
  PLEAT_RETURN_IF_ERROR(PlaceOutputs(*bound, inputs, outputs));
  Address(bound, inputs);
  ReserveKept(*bound);
  PLEAT_RETURN_IF_ERROR(RunSteps(*bound, control));
  PLEAT_RETURN_IF_ERROR(RunDeferred(*bound, control));
  ran_ = true;
  const Status copied = CopyOutputs(outputs);
  ran_ = copied.ok();
  for (size_t o = 0; o < outputs.size(); ++o) output_data_[o] = outputs[o].data;
  if (ran_) Keep(*bound);
  return copied;
}

TensorView Executor::Output(size_t index) const {
  if (!ran_ || index >= graph_.outputs.size()) return {};
  TensorView view = ValueOf(graph_.outputs[index]);
  if (output_data_[index] != nullptr) view.data = output_data_[index];
  return view;
}

TensorView Executor::ValueOf(ValueId id) const {
  if (!ran_) return {};
  const BoundPlan& bound = plans_.front();
  const Type& type = bound.TypeOf(id);
  if (bound.PlaceOf(id).kind != Place::Kind::kNone) {
    return {type.element, type.shape, AddressOf(bound, id)};
  }
  const Tensor* tensor = deferred_ == nullptr ? nullptr : deferred_->value(id);
  if (tensor == nullptr) return {type.element, type.shape, nullptr};
  return {tensor->element(), tensor->shape(), tensor->raw()};
}

}  // namespace pleat::runtime
