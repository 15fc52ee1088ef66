// BatchNormalization. In inference with known parameters it is one scale and shift per channel,
//   scale = gamma / sqrt(variance + epsilon),  shift = beta - mean * scale,
// computed in double. Everything else stays as the model states it, with a reason.
#include <cmath>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/seeded_bugs.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::ElementType;
using runtime::kUnknownDim;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

constexpr int kParameters = 4;  // inputs 1 to 4: gamma, beta, mean, variance
constexpr const char* kParameterNames[] = {"scale", "B", "mean", "variance"};

// The entry of the report for a batch norm that became `y`.
void Report(ImportContext& context, ValueId y, const char* reason, const std::string& detail) {
  if (context.ok() && !context.constant(y).empty()) {
    context.ReportBatchNorm(fb::FoldStatus::Folded, "constant", "",
                            "its input is constant, so its output is");
  } else {
    context.ReportBatchNorm(fb::FoldStatus::Kept, "", reason, detail);
  }
}

// Operator sets 7 to 13 say training by asking for the outputs of training.
bool IsTraining(ImportContext& context) {
  const bool is_test = context.Flag("is_test");
  const bool training_mode = context.Flag("training_mode");
  if (Seeded(SeededBug::kTrainingModeIgnored)) return false;
  if (context.opset() >= 14) return training_mode;
  if (context.opset() >= 7) {
    return context.wants(1) || context.wants(2) || context.wants(3) || context.wants(4);
  }
  return !is_test;
}

// The number of channels the parameters state; fails when they differ or contradict the input.
int64_t Channels(ImportContext& context, const Type& x) {
  int64_t channels = x.ranked && x.rank() >= 2 ? x.shape[1] : x.ranked ? 1 : kUnknownDim;
  for (int i = 1; i <= kParameters; ++i) {
    const Type type = context.input_type(i);
    if (!type.ranked) continue;
    const int64_t count = type.rank() == 1 ? type.shape[0] : kUnknownDim;
    if (type.rank() != 1) {
      context.Invalid(std::string(kParameterNames[i - 1]) + " is " + runtime::TypeText(type) +
                      ", expected one dimension");
    }
    if (channels == kUnknownDim) channels = count;
    if (count == kUnknownDim || count == channels) continue;
    context.Invalid(std::string(kParameterNames[i - 1]) + " has " + std::to_string(count) +
                    " numbers, expected one for each of " + std::to_string(channels) + " channels");
  }
  return channels;
}

// x * (gamma / sqrt(variance + epsilon)) + (beta - mean * ...), step by step. With `per_channel`
// the parameters are one number a channel, else they broadcast as they are.
ValueId Composed(ImportContext& context, float epsilon, bool per_channel) {
  const ValueId shifted = EmitBinary(context, fb::BinaryKind::Add, context.input(4),
                                     context.Scalar(epsilon, context.input_type(4).element));
  ValueId scale = EmitBinary(context, fb::BinaryKind::Div, context.input(1),
                             EmitUnary(context, kernels::UnaryKind::kSqrt, shifted));
  ValueId shift = EmitBinary(context, fb::BinaryKind::Sub, context.input(2),
                             EmitBinary(context, fb::BinaryKind::Mul, context.input(3), scale));
  scale = context.CastTo(context.input_type(0).element, scale);
  shift = context.CastTo(context.input_type(0).element, shift);
  if (per_channel) {
    const int rank = context.Rank(0);
    scale = AlongAxis(context, scale, 1, rank);
    shift = AlongAxis(context, shift, 1, rank);
  }
  const ValueId scaled = EmitBinary(context, fb::BinaryKind::Mul, context.input(0), scale);
  return EmitBinary(context, fb::BinaryKind::Add, scaled, shift);
}

// Old exporters name them in training; what they are differs from runtime to runtime.
Status RefuseSaved(ImportContext& context) {
  if (!context.is_read(3) && !context.is_read(4)) return Status::Ok();
  return context.Unsupported(
      "its outputs saved_mean and saved_var are read, which serve training alone; export the "
      "network for inference, in PyTorch after model.eval()");
}

Status ImportTraining(ImportContext& context, float epsilon, float momentum) {
  PLEAT_RETURN_IF_ERROR(RefuseSaved(context));
  Channels(context, context.input_type(0));
  fb::BatchNormTrainingT fields;
  fields.epsilon = epsilon;
  fields.momentum = momentum;
  const std::vector<ValueId> made = context.EmitSome(std::move(fields), context.inputs(),
                                                     {true, context.wants(1), context.wants(2)});
  for (int i = 0; i < 3; ++i) context.Return(i, made[static_cast<size_t>(i)]);
  Report(context, made[0], "BN_TRAINING_MODE",
         "it normalises with the statistics of its own input");
  return context.status();
}

// What training would have moved on stays as it is stored.
Status ReturnStored(ImportContext& context) {
  PLEAT_RETURN_IF_ERROR(RefuseSaved(context));
  for (int i : {1, 2}) {
    if (context.wants(i)) {
      context.Return(i, context.Emit(fb::IdentityT{}, {context.input(i + 2)}));
    }
  }
  return context.status();
}

// `spatial` = 0: the parameters have a number for every place of a sample.
Status ImportPerPlace(ImportContext& context, float epsilon) {
  const ValueId y = Composed(context, epsilon, /*per_channel=*/false);
  Report(context, y, "BN_PARAM_SHAPE", "its parameters differ from place to place");
  return context.Done(y);
}

}  // namespace

Status ImportBatchNormalization(ImportContext& context) {
  const float epsilon = context.Float("epsilon", Seeded(SeededBug::kEpsilonDefault) ? 1e-10f : 1e-5f);
  const float momentum = context.Float("momentum", 0.9f);
  const bool spatial = context.Flag("spatial", true);
  if (IsTraining(context)) {
    if (context.options().training != TrainingMode::kFreeze) {
      return ImportTraining(context, epsilon, momentum);
    }
    PLEAT_RETURN_IF_ERROR(ReturnStored(context));
  } else {
    for (int i = 1; i < context.output_count(); ++i) {
      if (context.wants(i)) return context.Invalid("only training has more than one output");
    }
  }
  const Type scale_type = context.input_type(1);
  if (!spatial && scale_type.ranked && scale_type.rank() > 1) {
    return ImportPerPlace(context, epsilon);
  }

  const Type x = context.input_type(0);
  const int64_t channels = Channels(context, x);
  bool constant = channels != kUnknownDim;
  for (int i = 1; i <= kParameters; ++i) {
    constant = constant && !context.constant_input(i).empty();
  }
  const bool flat = x.ranked && x.rank() < 2;
  if (!constant || flat) {
    const ValueId y = Composed(context, epsilon, /*per_channel=*/!flat);
    Report(context, y, flat ? "BN_PARAM_SHAPE" : "BN_PARAM_NOT_CONST",
           flat ? "its input has no channels" : "its parameters are known only at run time");
    return context.Done(y);
  }
  if (!context.ok()) return context.status();

  const std::vector<double> gamma = runtime::ToDoubles(context.constant_input(1));
  const std::vector<double> beta = runtime::ToDoubles(context.constant_input(2));
  const std::vector<double> mean = runtime::ToDoubles(context.constant_input(3));
  const std::vector<double> variance = runtime::ToDoubles(context.constant_input(4));
  std::vector<double> scale(gamma.size());
  std::vector<double> shift(gamma.size());
  const char* reason = "";
  std::string detail;
  for (size_t c = 0; c < gamma.size(); ++c) {
    const double spread = variance[c] + static_cast<double>(epsilon);
    scale[c] = gamma[c] / std::sqrt(spread);
    shift[c] = beta[c] - mean[c] * scale[c];
    if (spread > 0 && std::isfinite(scale[c]) && std::isfinite(shift[c])) continue;
    if (*reason != '\0') continue;
    reason = "BN_BAD_VARIANCE";
    detail = "channel " + std::to_string(c) + ": variance + epsilon = " + std::to_string(spread) +
             " gives no finite scale and shift";
  }
  const ValueId scale_id = context.Constant(Tensor::Vector(scale));
  const ValueId shift_id = context.Constant(Tensor::Vector(shift));
  fb::ScaleShiftT fields;
  fields.axis = 1;
  const ValueId y = context.Emit(std::move(fields), {context.input(0), scale_id, shift_id});
  Report(context, y, reason, detail);
  return context.Done(y);
}

}  // namespace pleat::converter
