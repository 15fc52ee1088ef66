#include "runtime/control.h"

#include <cstring>
#include <limits>

#include "runtime/gathered.h"

namespace pleat::runtime {
namespace {

Result<bool> ReadCondition(const TensorView& condition) {
  const Type type{condition.element, true, {condition.shape.begin(), condition.shape.end()}};
  if (ElementCount(type.shape) != 1) {  // a bool it is: the rules of If and Loop see to that
    return InvalidArgument("expected a condition of one bool, got " + TypeText(type));
  }
  return *static_cast<const bool*>(condition.data);
}

Result<bool> ReadCondition(const Tensor& condition) {
  return ReadCondition(TensorView{condition.element(), condition.shape(), condition.raw()});
}

// One element as the body declares input i: a scalar, or a vector of one.
template <class T>
Tensor OneFor(const Graph& body, size_t i, T value) {
  const Type& type = body.values[static_cast<size_t>(body.inputs[i])].type;
  const Shape shape = type.ranked ? Shape(type.shape.size(), 1) : Shape{};
  return Tensor::Of<T>(shape, std::span<const T>(&value, 1));
}

const Type& OutputType(const Graph& body, size_t i) {
  return body.values[static_cast<size_t>(body.outputs[i])].type;
}

}  // namespace

Tensor CopyOf(const TensorView& view) {
  Tensor copy = Tensor::Make(view.element, {view.shape.begin(), view.shape.end()});
  if (copy.bytes() > 0) std::memcpy(copy.mutable_raw(), view.data, copy.bytes());
  return copy;
}

ControlRun::ControlRun(const Node& node, const Session::Options& options,
                       kernels::ThreadPool& threads)
    : node_(node), options_(options) {
  for (const Graph& body : node.subgraphs) {
    bodies_.push_back(std::make_unique<Executor>(body, options, threads));
  }
}

Status ControlRun::Run(const std::vector<Tensor>& inputs, const RunControl& control,
                       std::vector<Tensor>* outputs) {
  if (const auto* loop = node_.As<fb::LoopT>()) return RunLoop(*loop, inputs, control, outputs);
  if (const auto* scan = node_.As<fb::ScanT>()) return RunScan(*scan, inputs, control, outputs);
  return RunIf(inputs, control, outputs);
}

size_t ControlRun::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& body : bodies_) bytes += body->arena_bytes() + body->deferred_bytes();
  return bytes;
}

Status ControlRun::RunBody(Executor& body, const std::vector<Tensor>& inputs,
                           const RunControl& control) {
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) {
    views.push_back({input.element(), input.shape(), input.raw()});
  }
  return body.Run(views, {}, control);
}

Status ControlRun::RunIf(const std::vector<Tensor>& inputs, const RunControl& control,
                         std::vector<Tensor>* outputs) {
  PLEAT_ASSIGN_OR_RETURN(const bool condition, ReadCondition(inputs[0]));
  Executor& branch = *bodies_[condition ? 0 : 1];
  PLEAT_RETURN_IF_ERROR(RunBody(branch, {inputs.begin() + 1, inputs.end()}, control)
                            .In(condition ? "then" : "else"));
  for (size_t i = 0; i < outputs->size(); ++i) (*outputs)[i] = CopyOf(branch.Output(i));
  return Status::Ok();
}

Status ControlRun::RunLoop(const fb::LoopT& fields, const std::vector<Tensor>& inputs,
                           const RunControl& control, std::vector<Tensor>* outputs) {
  const Graph& graph = node_.subgraphs[0];
  Executor& body = *bodies_[0];
  const auto carried = static_cast<size_t>(fields.carried);
  int64_t trips = std::numeric_limits<int64_t>::max();
  if (!inputs[0].empty()) {
    if (inputs[0].count() != 1) return InvalidArgument("expected a trip count of one number");
    trips = inputs[0].data<int64_t>()[0];
  }
  bool condition = true;
  if (!inputs[1].empty()) {
    PLEAT_ASSIGN_OR_RETURN(condition, ReadCondition(inputs[1]));
  }
  std::vector<Gathered> gathered;
  for (size_t i = 1 + carried; i < graph.outputs.size(); ++i) {
    gathered.emplace_back(OutputType(graph, i), options_.max_arena_bytes);
  }
  std::vector<Tensor> values = inputs;  // of the body
  for (int64_t trip = 0; trip < trips && condition; ++trip) {
    PLEAT_RETURN_IF_ERROR(control.Check());
    values[0] = OneFor<int64_t>(graph, 0, trip);
    values[1] = OneFor<bool>(graph, 1, condition);
    const std::string where = "iteration " + std::to_string(trip);
    PLEAT_RETURN_IF_ERROR(RunBody(body, values, control).In(where));
    PLEAT_ASSIGN_OR_RETURN(condition, ReadCondition(body.Output(0)));
    // All are copied before any is given up: an output may lie in an input.
    std::vector<Tensor> next;
    for (size_t i = 0; i < carried; ++i) next.push_back(CopyOf(body.Output(1 + i)));
    for (size_t i = 0; i < gathered.size(); ++i) {
      PLEAT_RETURN_IF_ERROR(gathered[i].Add(body.Output(1 + carried + i)).In(where));
    }
    std::move(next.begin(), next.end(), values.begin() + 2);
  }
  for (size_t i = 0; i < carried; ++i) {
    const Tensor& value = values[2 + i];
    (*outputs)[i] = CopyOf({value.element(), value.shape(), value.raw()});
  }
  for (size_t i = 0; i < gathered.size(); ++i) {
    PLEAT_ASSIGN_OR_RETURN((*outputs)[carried + i], gathered[i].Take(0, false));
  }
  return Status::Ok();
}

Status ControlRun::RunScan(const fb::ScanT& fields, const std::vector<Tensor>& inputs,
                           const RunControl& control, std::vector<Tensor>* outputs) {
  const Graph& graph = node_.subgraphs[0];
  Executor& body = *bodies_[0];
  const auto states = static_cast<size_t>(fields.states);
  const size_t sequences = fields.input_axes.size();
  int64_t steps = -1;
  std::vector<int> axes;
  for (size_t i = 0; i < sequences; ++i) {
    const Shape& shape = inputs[states + i].shape();
    PLEAT_ASSIGN_OR_RETURN(const int axis,
                           NormalizeAxis(fields.input_axes[i], static_cast<int>(shape.size())));
    const int64_t size = shape[static_cast<size_t>(axis)];
    if (steps >= 0 && size != steps) {
      return InvalidArgument("its sequences have " + std::to_string(steps) + " and " +
                             std::to_string(size) + " slices");
    }
    steps = size;
    axes.push_back(axis);
  }
  std::vector<Gathered> gathered;
  for (size_t i = states; i < graph.outputs.size(); ++i) {
    gathered.emplace_back(OutputType(graph, i), options_.max_arena_bytes);
  }
  std::vector<Tensor> values = inputs;
  for (int64_t step = 0; step < steps; ++step) {
    PLEAT_RETURN_IF_ERROR(control.Check());
    for (size_t i = 0; i < sequences; ++i) {
      const int64_t index = fields.input_reversed[i] ? steps - 1 - step : step;
      values[states + i] = SliceOf(inputs[states + i], axes[i], index);
    }
    const std::string where = "step " + std::to_string(step);
    PLEAT_RETURN_IF_ERROR(RunBody(body, values, control).In(where));
    std::vector<Tensor> next;
    for (size_t i = 0; i < states; ++i) next.push_back(CopyOf(body.Output(i)));
    for (size_t i = 0; i < gathered.size(); ++i) {
      PLEAT_RETURN_IF_ERROR(gathered[i].Add(body.Output(states + i)).In(where));
    }
    std::move(next.begin(), next.end(), values.begin());
  }
  for (size_t i = 0; i < states; ++i) {
    (*outputs)[i] = CopyOf({values[i].element(), values[i].shape(), values[i].raw()});
  }
  for (size_t i = 0; i < gathered.size(); ++i) {
    PLEAT_ASSIGN_OR_RETURN((*outputs)[states + i],
                           gathered[i].Take(fields.output_axes[i], fields.output_reversed[i]));
  }
  return Status::Ok();
}

}  // namespace pleat::runtime
