#include "runtime/deferred.h"

#include <algorithm>
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
                        const RunControl& control) {
  values_.assign(graph_.values.size(), Tensor());
  live_bytes_ = plan.arena_bytes;
  CountReaders(plan);
  std::vector<Tensor> inputs, outputs;
  for (const int index : plan.deferred) {
    PLEAT_RETURN_IF_ERROR(control.Check());
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
    PLEAT_RETURN_IF_ERROR(RunNode(node, &states_[index], inputs, control, &outputs)
                              .In(node.name + " (" + node.OpName() + ")"));
    for (size_t i = 0; i < outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue || readers_[static_cast<size_t>(id)] == 0) continue;
      live_bytes_ += outputs[i].bytes();
      values_[static_cast<size_t>(id)] = std::move(outputs[i]);
    }
    Release(node);
  }
  return Status::Ok();
}

// Frees what only this node still had to read.
void DeferredRun::Release(const Node& node) {
  for (ValueId id : node.inputs) {
    if (id == kNoValue || --readers_[static_cast<size_t>(id)] > 0) continue;
    Tensor& value = values_[static_cast<size_t>(id)];
    if (value.empty()) continue;
    live_bytes_ -= std::min(live_bytes_, value.bytes());
    value = Tensor();
  }
}

Status DeferredRun::RunNode(const Node& node, NodeState* state, const std::vector<Tensor>& inputs,
                            const RunControl& control, std::vector<Tensor>* outputs) {
  if (!node.subgraphs.empty()) {
    if (state->control == nullptr) {
      state->control = std::make_unique<ControlRun>(node, options_, threads_);
    }
    return state->control->Run(inputs, control, outputs);
  }
  std::vector<std::unique_ptr<Prepared>>& kept = state->prepared;
  const auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& prepared) {
    return std::equal(inputs.begin(), inputs.end(), prepared->inputs.begin(),
                      [](const Tensor& input, const Type& type) {
                        return input.element() == type.element && input.shape() == type.shape;
                      });
  });
  if (found != kept.end()) {
    std::rotate(found, found + 1, kept.end());
    return Compute(node, *kept.back(), inputs, outputs);
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
      return Compute(node, *kept.back(), inputs, outputs);
    }
    if (prepared.status().code() != StatusCode::kUnsupported) return prepared.status();
    state->needs_numbers = true;
  }
  Known all;
  for (const Tensor& input : inputs) all.push_back(input.empty() ? nullptr : &input);
  PLEAT_ASSIGN_OR_RETURN(const std::unique_ptr<Prepared> prepared,
                         Prepare(node, inputs, all, outputs));
  return prepared == nullptr ? Status::Ok() : Compute(node, *prepared, inputs, outputs);
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
    if (!prepared->outputs[i].Known() && (*outputs)[i].empty()) {
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
  return prepared;
}

Status DeferredRun::Compute(const Node& node, const Prepared& prepared,
                            const std::vector<Tensor>& inputs, std::vector<Tensor>* outputs) {
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
