// Recurrent: RNN, GRU and LSTM over whole sequences; see kernels/recurrent.h.
#include "kernels/recurrent.h"

#include <array>

#include "runtime/checked.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/product_types.h"

namespace pleat::runtime {
namespace {

using kernels::RecurrentKind;

constexpr const char* kNames[] = {"x",         "w",         "r",         "bias",
                                  "lengths",   "initial h", "initial c", "peepholes"};

RecurrentKind KindOf(const fb::RecurrentT& fields) {
  return static_cast<RecurrentKind>(fields.kind);
}

int64_t DirectionCount(const fb::RecurrentT& fields) {
  return fields.direction == fb::RecurrentDirection::Bidirectional ? 2 : 1;
}

Status CheckFields(const fb::RecurrentT& fields) {
  if (fields.kind > fb::RecurrentKind::MAX || fields.direction > fb::RecurrentDirection::MAX) {
    return InvalidModel("unknown kind or direction");
  }
  if (fields.hidden < 1 || !(fields.clip >= 0)) {
    return InvalidModel("expected at least one hidden unit and a clip of 0 or more, got " +
                        std::to_string(fields.hidden) + " and " + std::to_string(fields.clip));
  }
  const size_t expected = kernels::ActivationCount(KindOf(fields)) *
                          static_cast<size_t>(DirectionCount(fields));
  if (fields.activations.size() != expected) {
    return InvalidModel("expected " + std::to_string(expected) + " activations, got " +
                        std::to_string(fields.activations.size()));
  }
  for (const fb::Activation& activation : fields.activations) {
    PLEAT_RETURN_IF_ERROR(ActivationOf(activation).status());
  }
  return Status::Ok();
}

Status CheckElements(const Node& node, std::span<const Type> inputs, bool lstm) {
  const size_t most = lstm ? 8 : 6;
  if (inputs.size() > most) {
    return InvalidModel("expected at most " + std::to_string(most) + " inputs, got " +
                        std::to_string(inputs.size()));
  }
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (node.input(i) == kNoValue) {
      if (i < 3) return InvalidModel(std::string("expected an input ") + kNames[i] + ", got none");
      continue;
    }
    if (i == 4) {
      if (inputs[i].element == ElementType::kInt32) continue;
      return InvalidModel(std::string("expected lengths of int32, got ") +
                          ElementName(inputs[i].element));
    }
    PLEAT_RETURN_IF_ERROR(CheckFloat(inputs[i], kNames[i]));
    PLEAT_RETURN_IF_ERROR(CheckSameElements(inputs[0], "x", inputs[i], kNames[i]));
  }
  return Status::Ok();
}

Status Infer(InferContext& context) {
  const fb::RecurrentT& fields = *context.node.As<fb::RecurrentT>();
  const bool lstm = fields.kind == fb::RecurrentKind::Lstm;
  PLEAT_RETURN_IF_ERROR(CheckFields(fields));
  PLEAT_RETURN_IF_ERROR(CheckElements(context.node, context.inputs, lstm));
  const size_t outputs = context.node.outputs.size();
  if (outputs > (lstm ? 3u : 2u)) {
    return InvalidModel("expected at most " + std::to_string(lstm ? 3 : 2) + " outputs, got " +
                        std::to_string(outputs));
  }
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckOperandShape(context.node, context.inputs, 0, "x",
                                          {kUnknownDim, kUnknownDim, kUnknownDim}));
  int64_t steps = kUnknownDim, batch = kUnknownDim, columns = kUnknownDim;
  if (x.ranked) {
    steps = x.shape[fields.batch_first ? 1 : 0];
    batch = x.shape[fields.batch_first ? 0 : 1];
    columns = x.shape[2];
  }
  const int64_t directions = DirectionCount(fields), hidden = fields.hidden;
  const Checked rows = Checked(kernels::GateCount(KindOf(fields))) * hidden;
  if (!rows.ok()) return LimitExceeded("the hidden size is too large");
  const int64_t gates = *rows.get();
  const Shape state = fields.batch_first ? Shape{batch, directions, hidden}
                                         : Shape{directions, batch, hidden};
  const std::pair<size_t, Shape> expected[] = {{1, {directions, gates, columns}},
                                               {2, {directions, gates, hidden}},
                                               {3, {directions, (Checked(gates) * 2).value_or(-1)}},
                                               {4, {batch}},
                                               {5, state},
                                               {6, state},
                                               {7, {directions, (Checked(hidden) * 3).value_or(-1)}}};
  for (const auto& [i, shape] : expected) {
    PLEAT_RETURN_IF_ERROR(CheckOperandShape(context.node, context.inputs, i, kNames[i], shape));
  }
  const Shape y = fields.batch_first ? Shape{batch, steps, directions, hidden}
                                     : Shape{steps, directions, batch, hidden};
  for (size_t i = 0; i < outputs; ++i) context.outputs[i] = {x.element, true, i == 0 ? y : state};
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::RecurrentT& fields = *context.node.As<fb::RecurrentT>();
  const Shape& x = context.inputs[0].shape;
  kernels::RecurrentProblem problem;
  problem.type = context.inputs[0].element;
  problem.kind = KindOf(fields);
  problem.batch_first = fields.batch_first;
  problem.steps = x[fields.batch_first ? 1 : 0];
  problem.batch = x[fields.batch_first ? 0 : 1];
  problem.inputs = x[2];
  problem.hidden = fields.hidden;
  problem.directions = DirectionCount(fields);
  problem.reverse = fields.direction == fb::RecurrentDirection::Reverse;
  for (const fb::Activation& activation : fields.activations) {
    PLEAT_ASSIGN_OR_RETURN(const kernels::Activation f, ActivationOf(activation));
    problem.activations.push_back(f);
  }
  problem.clip = fields.clip;
  problem.linear_before_reset = fields.linear_before_reset;
  problem.input_forget = fields.input_forget;
  if (const Tensor* w = context.known_input(1)) problem.w = w->raw();
  if (const Tensor* r = context.known_input(2)) problem.r = r->raw();
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    if (context.has_input(static_cast<size_t>(i))) context.operands.push_back(i);
  }
  problem.has_bias = context.has_input(3);
  problem.has_lengths = context.has_input(4);
  problem.has_h = context.has_input(5);
  problem.has_c = context.has_input(6);
  problem.has_peepholes = context.has_input(7);
  const std::vector<ValueId>& outputs = context.node.outputs;
  const auto wants = [&](size_t i) { return i < outputs.size() && outputs[i] != kNoValue; };
  problem.wants_y = wants(0);
  problem.wants_h = wants(1);
  problem.wants_c = wants(2);
  problem.select = context.select;
  context.multiply_adds = static_cast<double>(problem.steps * problem.batch) *
                          static_cast<double>(problem.directions * problem.hidden) *
                          static_cast<double>(kernels::GateCount(problem.kind)) *
                          static_cast<double>(problem.inputs + problem.hidden);
  SelectInto(context, kernels::RecurrentCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kRecurrentRule;
const OpRule kRecurrentRule = {"Recurrent", Infer, Prepare};

}  // namespace pleat::runtime
