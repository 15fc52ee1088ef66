#include "runtime/deferred.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "runtime/control.h"

namespace pleat::runtime {

DeferredRun::DeferredRun(const Graph& graph, const Session::Options& options,
                         kernels::ThreadPool& threads)
    : graph_(graph), options_(options), threads_(threads), scratch_(options.allocator) {}

DeferredRun::~DeferredRun() = default;

const Tensor* DeferredRun::value(ValueId id) const {
  const auto index = static_cast<size_t>(id);
  return index < values_.size() && !values_[index].empty() ? &values_[index] : nullptr;
}

void DeferredRun::CountReaders(const Plan& plan) {
  readers_.assign(graph_.values.size(), options_.share_buffers ? 0 : 1);
  for (const int index : plan.deferred) {
    for (ValueId id : graph_.nodes[static_cast<size_t>(index)].inputs) {
      if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
    }
  }
  for (ValueId id : graph_.outputs) ++readers_[static_cast<size_t>(id)];
}

Status DeferredRun::Run(const Plan& plan, const std::function<const void*(ValueId)>& address,
                        const RunControl& control,
                        const std::function<void(size_t, double)>& on_step) {
  using Clock = std::chrono::steady_clock;
  values_.assign(graph_.values.size(), Tensor());
  arena_bytes_ = live_bytes_ = most_bytes_ = plan.arena_bytes;
  roots_.assign(graph_.values.size(), kNoValue);
  sharers_.assign(graph_.values.size(), 0);
  steps_.assign(plan.deferred.size(), {});
  CountReaders(plan);
  std::vector<Tensor> inputs, outputs;
  for (size_t d = 0; d < plan.deferred.size(); ++d) {
    PLEAT_RETURN_IF_ERROR(control.Check());
    const Clock::time_point start = on_step ? Clock::now() : Clock::time_point();
    const int index = plan.deferred[d];
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    inputs.clear();
    for (ValueId id : node.inputs) {
      const auto value = static_cast<size_t>(id);
      if (id == kNoValue) {
        inputs.emplace_back();
      } else if (plan.places[value].kind == Place::Kind::kNone) {
        inputs.push_back(values_[value]);
      } else {
        const Type& type = plan.types[value];
        const void* data = address(id);
        inputs.push_back(data == nullptr  // nothing there because it has no elements
                             ? Tensor::Make(type.element, type.shape)
                             : Tensor::Borrow(type.element, type.shape, data, nullptr));
      }
    }
    outputs.assign(node.outputs.size(), Tensor());
    PLEAT_RETURN_IF_ERROR(RunNode(node, &states_[index], inputs, control, &outputs, &steps_[d])
                              .In(node.name + " (" + node.OpName() + ")"));
    steps_[d].node = index;
    steps_[d].output = outputs[0].empty() ? Type{} : outputs[0].type();
    for (size_t i = 0; i < outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue || readers_[static_cast<size_t>(id)] == 0) continue;
      Keep(id, std::move(outputs[i]), node, inputs);
    }
    Release(node);
    if (!on_step) continue;
    on_step(plan.steps.size() + d, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return Status::Ok();
}

// Keeps an output for those that read it; a view shares the bytes of an operand, which count once.
void DeferredRun::Keep(ValueId id, Tensor output, const Node& node,
                       const std::vector<Tensor>& inputs) {
  const auto value = static_cast<size_t>(id);
  roots_[value] = id;
  bool shares = false;
  for (size_t i = 0; i < inputs.size() && !shares; ++i) {
    shares = output.bytes() > 0 && !inputs[i].empty() && inputs[i].raw() == output.raw();
    if (shares) roots_[value] = roots_[static_cast<size_t>(node.inputs[i])];
  }
  if (!shares) live_bytes_ += output.bytes();
  if (roots_[value] != kNoValue) ++sharers_[static_cast<size_t>(roots_[value])];
  values_[value] = std::move(output);
  Hold(live_bytes_);
}

// Frees what only this node still had to read.
void DeferredRun::Release(const Node& node) {
  for (ValueId id : node.inputs) {
    if (id == kNoValue || --readers_[static_cast<size_t>(id)] > 0) continue;
    Tensor& value = values_[static_cast<size_t>(id)];
    if (value.empty()) continue;
    const ValueId root = roots_[static_cast<size_t>(id)];
    if (root != kNoValue && --sharers_[static_cast<size_t>(root)] == 0) {
      live_bytes_ -= value.bytes();
    }
    value = Tensor();
  }
}

Status DeferredRun::RunNode(const Node& node, NodeState* state, const std::vector<Tensor>& inputs,
                            const RunControl& control, std::vector<Tensor>* outputs,
                            DeferredStep* step) {
  if (!node.subgraphs.empty()) {
    if (state->control == nullptr) {
      state->control = std::make_unique<ControlRun>(node, options_, threads_);
    }
    step->kernel_name = "subgraph";
    const Status status = state->control->Run(inputs, control, outputs);
    size_t bytes = live_bytes_ + state->control->memory_bytes();
    for (const Tensor& output : *outputs) bytes += output.empty() ? 0 : output.bytes();
    Hold(bytes);
    return status;
  }
  step->kernel_name = "known";
  std::vector<std::unique_ptr<Prepared>>& kept = state->prepared;
  const auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& prepared) {
    return std::equal(inputs.begin(), inputs.end(), prepared->inputs.begin(),
                      [](const Tensor& input, const Type& type) {
                        return input.shape() == type.shape;  // element types are the node's
                      });
  });
  if (found != kept.end()) {
    std::rotate(found, found + 1, kept.end());
    return Compute(node, *kept.back(), inputs, outputs, step);
  }
  // First with constants alone: a kernel made so serves all runs with the same types.
  if (!state->needs_numbers) {
    Known constants;
    for (ValueId id : node.inputs) constants.push_back(graph_.ConstantOf(id));
    Result<std::unique_ptr<Prepared>> prepared = Prepare(node, inputs, constants, outputs);
    if (prepared.ok()) {
      if (*prepared == nullptr) return Status::Ok();
      kept.push_back(std::move(prepared).value());
      if (kept.size() > options_.max_plans) kept.erase(kept.begin());
      return Compute(node, *kept.back(), inputs, outputs, step);
    }
    if (prepared.status().code() != StatusCode::kUnsupported) return prepared.status();
    state->needs_numbers = true;
  }
  Known all;
  for (const Tensor& input : inputs) all.push_back(input.empty() ? nullptr : &input);
  PLEAT_ASSIGN_OR_RETURN(const std::unique_ptr<Prepared> prepared,
                         Prepare(node, inputs, all, outputs));
  return prepared == nullptr ? Status::Ok() : Compute(node, *prepared, inputs, outputs, step);
}

Result<std::unique_ptr<DeferredRun::Prepared>> DeferredRun::Prepare(
    const Node& node, const std::vector<Tensor>& inputs, const Known& known,
    std::vector<Tensor>* outputs) const {
  auto prepared = std::make_unique<Prepared>();
  for (const Tensor& input : inputs) {
    prepared->inputs.push_back(input.empty() ? Type{} : input.type());
  }
  prepared->outputs.resize(node.outputs.size());
  InferContext infer{node, prepared->inputs, known, prepared->outputs, *outputs};
  PLEAT_RETURN_IF_ERROR(RuleOf(node.op.type).infer(infer));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    PLEAT_RETURN_IF_ERROR(CheckType(prepared->outputs[i]));
    if (!prepared->outputs[i].Known()) {
      return Unsupported("the size of output " + std::to_string(i) + " does not follow: " +
                         TypeText(prepared->outputs[i]));
    }
  }
  if (!(*outputs)[0].empty()) return std::unique_ptr<Prepared>();
  PrepareContext context{.node = node,
                         .inputs = prepared->inputs,
                         .outputs = prepared->outputs,
                         .known = known,
                         .select = options_.select};
  context.select.threads = threads_.threads();
  PLEAT_RETURN_IF_ERROR(RuleOf(node.op.type).prepare(context));
  prepared->kernel = std::move(context.kernel);
  prepared->operands = std::move(context.operands);
  prepared->view_of = context.view_of;
  if (context.view_of < 0) prepared->kernel_name = context.kernel_name;
  prepared->multiply_adds = context.multiply_adds;
  return prepared;
}

Status DeferredRun::Compute(const Node& node, const Prepared& prepared,
                            const std::vector<Tensor>& inputs, std::vector<Tensor>* outputs,
                            DeferredStep* step) {
  step->kernel_name = prepared.kernel_name;
  step->multiply_adds = prepared.multiply_adds;
  if (prepared.view_of >= 0) {
    const Tensor& source = inputs[static_cast<size_t>(prepared.view_of)];
    const Tensor view = source.Reshaped(prepared.outputs[0].shape);
    const bool is_output = std::find(graph_.outputs.begin(), graph_.outputs.end(),
                                     node.outputs[0]) != graph_.outputs.end();
    // An output must not be a view of the caller's memory.
    (*outputs)[0] = is_output ? CopyOf({view.element(), view.shape(), view.raw()}) : view;
    return Status::Ok();
  }
  int64_t bytes = static_cast<int64_t>(live_bytes_);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) bytes += static_cast<int64_t>(ByteSize(prepared.outputs[i]));
  }
  const size_t scratch_bytes = prepared.kernel->scratch_bytes(threads_.threads());
  bytes += static_cast<int64_t>(scratch_bytes);
  if (bytes > options_.max_arena_bytes) {
    return LimitExceeded("the run needs " + std::to_string(bytes) +
                         " bytes of memory, above the limit of " +
                         std::to_string(options_.max_arena_bytes));
  }
  Hold(static_cast<size_t>(bytes));
  std::vector<const void*> sources;
  for (int operand : prepared.operands) {
    sources.push_back(inputs[static_cast<size_t>(operand)].raw());
  }
  std::vector<void*> targets;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    (*outputs)[i] = Tensor::Make(prepared.outputs[i].element, prepared.outputs[i].shape);
    targets.push_back((*outputs)[i].mutable_raw());
  }
  PLEAT_RETURN_IF_ERROR(scratch_.Reserve(scratch_bytes));
  prepared.kernel->Run({sources.data(), targets.data(), scratch_.data(), &threads_});
  return Status::Ok();
}

}  // namespace pleat::runtime
