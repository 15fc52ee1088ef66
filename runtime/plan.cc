#include "runtime/plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/evaluation.h"
#include "runtime/op.h"
#include "runtime/parts.h"

namespace pleat::runtime {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();
// Larger results than this are left to the run even when they could be known before it.
constexpr int64_t kMaxKnownElements = int64_t{1} << 20;

// Builds one plan: types and kernels node by node, then places for what must be stored.
class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options, Parts parts)
      : graph_(graph),
        options_(options),
        parts_(std::move(parts)),
        plan_(std::make_unique<Plan>()) {
    const size_t count = graph.values.size();
    plan_->types.resize(count);
    plan_->places.resize(count);
    known_.resize(count, nullptr);
    deferred_.resize(count, 0);
    storage_.resize(count);
    for (size_t id = 0; id < count; ++id) {
      plan_->types[id] = graph.values[id].type;
      storage_[id] = static_cast<ValueId>(id);
      if (graph.values[id].constant) known_[id] = &*graph.values[id].constant;
      if (parts_.IsPart(static_cast<ValueId>(id))) storage_[id] = parts_.of[id].whole;
    }
  }

  Status SetInputs(std::span<const Shape> shapes);
  Status AddNode(int index);
  Status PlaceAll();
  // Parts are for values that steps make; here another kind of value was to be one.
  bool PartsFail() const { return parts_fail_; }
  std::unique_ptr<Plan> Take() { return std::move(plan_); }

 private:
  bool KnownBeforeRun(const Node& node, const std::vector<Type>& outputs) const;
  Status AddStep(int index, const std::vector<Type>& types, const std::vector<Type>& outputs,
                 const std::vector<const Tensor*>& known);
  Status CheckStored(const std::vector<Type>& inputs, const std::vector<Type>& outputs) const;
  Status ArenaTooSmall(size_t bytes) const;
  void SetKnown(ValueId id, Tensor tensor);
  // Leaves a node to the run: what it makes is known only then.
  Status Defer(int index);
  ValueId Root(ValueId id);
  void NoParts(const Node& node);
  size_t OffsetInRoot(ValueId id) const;
  void MeasureLives();
  void ReuseInPlace(size_t step);

  const Graph& graph_;
  const PlanOptions& options_;
  const Parts parts_;
  bool parts_fail_ = false;
  std::unique_ptr<Plan> plan_;
  std::vector<const Tensor*> known_;
  double budget_ = kEvaluationBudget;
  size_t known_bytes_ = 0;  // of those computed here
  std::vector<char> deferred_;    // values that come only with the run
  std::vector<ValueId> storage_;  // a value whose bytes a value shares; itself when none
  std::vector<std::vector<int>> in_place_;  // per step: operands it may overwrite
  std::vector<size_t> scratch_;             // per step
  std::vector<int> first_, last_;           // steps, per storage
};

Status Planner::ArenaTooSmall(size_t bytes) const {
  return LimitExceeded("the run needs " + std::to_string(bytes) +
                       " bytes of memory, above the limit of " +
                       std::to_string(options_.max_arena_bytes));
}

Status Planner::SetInputs(std::span<const Shape> shapes) {
  if (shapes.size() != graph_.inputs.size()) {
    return InvalidArgument("expected " + std::to_string(graph_.inputs.size()) + " inputs, got " +
                           std::to_string(shapes.size()));
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Value& value = graph_.values[static_cast<size_t>(graph_.inputs[i])];
    const Shape& declared = value.type.shape;
    bool fits = !value.type.ranked || declared.size() == shapes[i].size();
    for (size_t axis = 0; fits && value.type.ranked && axis < declared.size(); ++axis) {
      fits = shapes[i][axis] >= 0 &&
             (declared[axis] == kUnknownDim || declared[axis] == shapes[i][axis]);
    }
    if (!fits) {
      return InvalidArgument("input " + value.name + ": expected shape " + ShapeText(declared) +
                             ", got " + ShapeText(shapes[i]));
    }
    Type& type = plan_->types[static_cast<size_t>(graph_.inputs[i])];
    type = {value.type.element, true, shapes[i]};
    PLEAT_RETURN_IF_ERROR(CheckType(type).In("input " + value.name));
    plan_->places[static_cast<size_t>(graph_.inputs[i])] = {
        .kind = Place::Kind::kInput, .bytes = ByteSize(type), .input = static_cast<int>(i)};
  }
  return Status::Ok();
}

// Notes that the node is no step, if that matters.
void Planner::NoParts(const Node& node) {
  for (const std::vector<ValueId>* ids : {&node.inputs, &node.outputs}) {
    for (ValueId id : *ids) parts_fail_ = parts_fail_ || parts_.IsPart(id);
  }
}

void Planner::SetKnown(ValueId id, Tensor tensor) {
  plan_->types[static_cast<size_t>(id)] = tensor.type();
  known_bytes_ += tensor.bytes();
  plan_->known.push_back(std::move(tensor));
  known_[static_cast<size_t>(id)] = &plan_->known.back();
}

bool Planner::KnownBeforeRun(const Node& node, const std::vector<Type>& outputs) const {
  const bool inputs_known = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    return id == kNoValue || known_[static_cast<size_t>(id)] != nullptr;
  });
  return inputs_known && std::all_of(outputs.begin(), outputs.end(), [](const Type& type) {
           return ElementCount(type.shape) <= kMaxKnownElements;
         });
}

Status Planner::Defer(int index) {
  NoParts(graph_.nodes[static_cast<size_t>(index)]);
  plan_->deferred.push_back(index);
  for (ValueId id : graph_.nodes[static_cast<size_t>(index)].outputs) {
    if (id != kNoValue) deferred_[static_cast<size_t>(id)] = 1;
  }
  return Status::Ok();
}

// The value in whose bytes a value lies.
ValueId Planner::Root(ValueId id) {
  ValueId root = id;
  while (storage_[static_cast<size_t>(root)] != root) root = storage_[static_cast<size_t>(root)];
  while (storage_[static_cast<size_t>(id)] != root) {
    id = std::exchange(storage_[static_cast<size_t>(id)], root);
  }
  return root;
}

Status Planner::AddNode(int index) {
  const Node& node = graph_.nodes[static_cast<size_t>(index)];
  const bool waits = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    return id != kNoValue && deferred_[static_cast<size_t>(id)];
  });
  if (waits || !node.subgraphs.empty()) return Defer(index);
  std::vector<Type> types;
  std::vector<const Tensor*> known;
  for (ValueId id : node.inputs) {
    types.push_back(id == kNoValue ? Type{} : plan_->types[static_cast<size_t>(id)]);
    known.push_back(id == kNoValue ? nullptr : known_[static_cast<size_t>(id)]);
  }
  std::vector<Type> outputs(node.outputs.size());
  std::vector<Tensor> values(node.outputs.size());
  InferContext context{node, types, known, outputs, values};
  PLEAT_RETURN_IF_ERROR(RuleOf(node.op.type).infer(context));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) {
      if (!outputs[i].Known()) outputs[i] = {};
      continue;
    }
    PLEAT_RETURN_IF_ERROR(CheckType(outputs[i]));
    if (!outputs[i].Known()) return Defer(index);
    plan_->types[static_cast<size_t>(node.outputs[i])] = outputs[i];
  }
  if (values[0].empty()) {
    if (!KnownBeforeRun(node, outputs)) return AddStep(index, types, outputs, known);
    auto evaluated = EvaluateWithin(node, known, &budget_);
    if (evaluated.status().code() == StatusCode::kLimitExceeded) {
      return AddStep(index, types, outputs, known);
    }
    PLEAT_ASSIGN_OR_RETURN(values, std::move(evaluated));
  }
  NoParts(node);
  for (size_t i = 0; i < values.size(); ++i) {
    if (node.outputs[i] != kNoValue) SetKnown(node.outputs[i], std::move(values[i]));
  }
  if (known_bytes_ <= static_cast<size_t>(options_.max_arena_bytes)) return Status::Ok();
  return LimitExceeded("what is known before a run takes " + std::to_string(known_bytes_) +
                       " bytes, above the limit of " + std::to_string(options_.max_arena_bytes));
}

// Refuses what cannot fit before kernels are made for it. A view is no larger than what it views,
// which may be the caller's.
Status Planner::CheckStored(const std::vector<Type>& inputs,
                            const std::vector<Type>& outputs) const {
  size_t viewed = 0;
  for (const Type& type : inputs) viewed = std::max(viewed, ByteSize(type));
  for (const Type& type : outputs) {
    if (ByteSize(type) > std::max(viewed, static_cast<size_t>(options_.max_arena_bytes))) {
      return ArenaTooSmall(ByteSize(type));
    }
  }
  return Status::Ok();
}

Status Planner::AddStep(int index, const std::vector<Type>& types, const std::vector<Type>& outputs,
                        const std::vector<const Tensor*>& known) {
  const Node& node = graph_.nodes[static_cast<size_t>(index)];
  PLEAT_RETURN_IF_ERROR(CheckStored(types, outputs));
  PrepareContext context{
      .node = node, .inputs = types, .outputs = outputs, .known = known, .select = options_.select};
  if (!parts_.of.empty()) {
    const std::vector<char>& held = parts_.held[static_cast<size_t>(index)];
    // Nothing is left to do where all the parts are in place.
    if (!held.empty() && std::count(held.begin(), held.end(), 0) == 0) return Status::Ok();
    context.held = held;
    for (ValueId id : node.inputs) context.input_steps.push_back(parts_.StepOf(id));
    for (ValueId id : node.outputs) context.output_steps.push_back(parts_.StepOf(id));
  }
  const Status prepared = RuleOf(node.op.type).prepare(context);
  // It may be that a parameter is not known yet; if not, the run will say the same.
  if (prepared.code() == StatusCode::kUnsupported) return Defer(index);
  PLEAT_RETURN_IF_ERROR(prepared);
  if (context.view_of >= 0) {
    const ValueId source = node.inputs[static_cast<size_t>(context.view_of)];
    storage_[static_cast<size_t>(node.outputs[0])] = storage_[static_cast<size_t>(source)];
    return Status::Ok();
  }
  Step step{.node = index,
            .kernel = std::move(context.kernel),
            .kernel_name = context.kernel_name,
            .refusals = std::move(context.refusals),
            .multiply_adds = context.multiply_adds};
  for (int operand : context.operands) {
    step.inputs.push_back(node.inputs[static_cast<size_t>(operand)]);
  }
  const bool splits = node.As<fb::SplitT>() != nullptr;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const bool elsewhere = splits && context.is_held(i);
    if (node.outputs[i] != kNoValue && !elsewhere) step.outputs.push_back(node.outputs[i]);
  }
  plan_->packed_bytes += step.kernel->packed_bytes();
  plan_->multiply_adds += step.multiply_adds;
  scratch_.push_back(step.kernel->scratch_bytes(options_.select.threads));
  in_place_.push_back(std::move(context.in_place));
  plan_->steps.push_back(std::move(step));
  return Status::Ok();
}

// Bytes before a part in the buffer it lies in.
size_t Planner::OffsetInRoot(ValueId id) const {
  int64_t elements = 0;
  for (; parts_.IsPart(id); id = parts_.of[static_cast<size_t>(id)].whole) {
    elements += parts_.of[static_cast<size_t>(id)].begin;
  }
  return static_cast<size_t>(elements) * sizeof(float);
}

void Planner::MeasureLives() {
  first_.assign(graph_.values.size(), -1);
  last_.assign(graph_.values.size(), -1);
  for (size_t s = 0; s < plan_->steps.size(); ++s) {
    for (ValueId id : plan_->steps[s].outputs) {
      const auto root = static_cast<size_t>(Root(id));
      if (first_[root] < 0) first_[root] = static_cast<int>(s);
      last_[root] = static_cast<int>(s);
    }
    for (ValueId id : plan_->steps[s].inputs) {
      last_[static_cast<size_t>(Root(id))] = static_cast<int>(s);
    }
  }
  for (ValueId id : graph_.outputs) last_[static_cast<size_t>(Root(id))] = kForever;
  for (const int index : plan_->deferred) {
    for (ValueId id : graph_.nodes[static_cast<size_t>(index)].inputs) {
      if (id != kNoValue) last_[static_cast<size_t>(Root(id))] = kForever;
    }
  }
  if (!options_.share_buffers) std::fill(last_.begin(), last_.end(), kForever);
}

// Lets output 0 of a step take over the bytes of an operand that dies there.
void Planner::ReuseInPlace(size_t s) {
  const Step& step = plan_->steps[s];
  for (int operand : in_place_[s]) {
    const auto root = static_cast<size_t>(Root(step.inputs[static_cast<size_t>(operand)]));
    const auto output = static_cast<size_t>(step.outputs[0]);
    const bool stored = first_[root] >= 0 && last_[root] == static_cast<int>(s);
    const bool same_size = stored && ByteSize(plan_->types[root]) == ByteSize(plan_->types[output]);
    if (!same_size || storage_[output] != static_cast<ValueId>(output)) continue;
    last_[root] = last_[output];
    first_[output] = -1;
    storage_[output] = static_cast<ValueId>(root);
    return;
  }
}

Status Planner::PlaceAll() {
  MeasureLives();
  if (options_.share_buffers) {
    for (size_t s = 0; s < plan_->steps.size(); ++s) ReuseInPlace(s);
  }
  std::vector<Lifetime> buffers;
  std::vector<size_t> owners;  // the value, or values.size() + step for scratch
  for (size_t id = 0; id < graph_.values.size(); ++id) {
    if (first_[id] < 0) continue;  // no step writes it, or it lies in another's bytes
    const int first = options_.share_buffers ? first_[id] : 0;
    buffers.push_back({ByteSize(plan_->types[id]), first, last_[id]});
    owners.push_back(id);
  }
  const size_t stored = buffers.size();
  for (size_t s = 0; s < scratch_.size(); ++s) {
    if (scratch_[s] == 0) continue;
    buffers.push_back({scratch_[s], static_cast<int>(s), static_cast<int>(s)});
    owners.push_back(s);
  }
  const std::vector<size_t> offsets = PlaceBuffers(buffers, &plan_->arena_bytes);
  if (plan_->arena_bytes > static_cast<size_t>(options_.max_arena_bytes)) {
    return ArenaTooSmall(plan_->arena_bytes);
  }
  // Bytes that come alive (or, modulo 2^64, go) with each step.
  std::vector<size_t> change(plan_->steps.size() + 1, 0);
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (i < stored) {
      plan_->places[owners[i]] = {
          .kind = Place::Kind::kArena,
          .offset = offsets[i],
          .bytes = buffers[i].bytes,
          .root = static_cast<ValueId>(owners[i])};
    } else {
      plan_->steps[owners[i]].scratch_offset = offsets[i];
    }
    const int last = std::min(buffers[i].last, static_cast<int>(plan_->steps.size()) - 1);
    change[static_cast<size_t>(buffers[i].first)] += buffers[i].bytes;
    change[static_cast<size_t>(last) + 1] -= buffers[i].bytes;
  }
  size_t live = 0;
  for (const size_t bytes : change) plan_->live_bytes = std::max(plan_->live_bytes, live += bytes);

  for (size_t id = 0; id < graph_.values.size(); ++id) {
    if (known_[id] != nullptr) {
      plan_->places[id] = {.kind = Place::Kind::kConstant,
                           .bytes = known_[id]->bytes(),
                           .constant = known_[id]->raw()};
    }
  }
  for (size_t id = 0; id < graph_.values.size(); ++id) {
    const auto root = static_cast<size_t>(Root(static_cast<ValueId>(id)));
    if (root != id) plan_->places[id] = plan_->places[root];
    plan_->places[id].within = OffsetInRoot(static_cast<ValueId>(id));
  }
  return Status::Ok();
}

Status PlanNodes(const Graph& graph, std::span<const Shape> input_shapes, Planner& planner) {
  PLEAT_RETURN_IF_ERROR(planner.SetInputs(input_shapes));
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    PLEAT_RETURN_IF_ERROR(
        planner.AddNode(static_cast<int>(n)).In(node.name + " (" + node.OpName() + ")"));
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Plan>> MakePlan(const Graph& graph, std::span<const Shape> input_shapes,
                                       const PlanOptions& options) {
  // Values of their own for all where each is asked for, or kernels that want them.
  const kernels::SelectOptions& select = options.select;
  const bool whole = !options.share_buffers || select.reference || select.only != nullptr;
  Planner planner(graph, options, whole ? Parts() : FindParts(graph));
  PLEAT_RETURN_IF_ERROR(PlanNodes(graph, input_shapes, planner));
  if (!planner.PartsFail()) {
    PLEAT_RETURN_IF_ERROR(planner.PlaceAll());
    return planner.Take();
  }
  Planner again(graph, options, Parts());
  PLEAT_RETURN_IF_ERROR(PlanNodes(graph, input_shapes, again));
  PLEAT_RETURN_IF_ERROR(again.PlaceAll());
  return again.Take();
}

}  // namespace pleat::runtime
