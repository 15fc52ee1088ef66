// Conv: x [N,C,spatial..] (channels last: [N,spatial..,C]), weights [M,C/group,kernel..], optional
// bias [M], optional residual as the output, optional tap bias [M,kernel..], optional scale
// [C], shift [C] and bounds [2] of a prologue -> y [N,M,out..] (channels last: [N,out..,M]).
#include "kernels/conv.h"

#include "runtime/checked.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/product_types.h"
#include "runtime/ops/prologue.h"
#include "runtime/ops/window.h"

namespace pleat::runtime {
namespace {

using kernels::WeightLayout;

constexpr const char* kNames[] = {"x", "weights", "bias", "residual"};
constexpr size_t kTapBias = 4, kPrologue = 5;

struct ConvShape {
  WindowGeometry geometry;
  int64_t batch = kUnknownDim;
  int64_t in_channels = kUnknownDim;
  int64_t out_channels = kUnknownDim;
  Shape output;
};

Status CheckChannels(int64_t group, int64_t per_group, int64_t in, int64_t out,
                     const std::string& weights) {
  if (out != kUnknownDim && out % group != 0) {
    return InvalidModel("weights " + weights + " have " + std::to_string(out) +
                        " outputs, expected a multiple of group " + std::to_string(group));
  }
  if (in == kUnknownDim) return Status::Ok();
  if (per_group == kUnknownDim) {
    if (in % group == 0) return Status::Ok();
    return InvalidModel("expected input channels in multiples of group " + std::to_string(group) +
                        ", got " + std::to_string(in));
  }
  if ((Checked(per_group) * group).value_or(-1) != in) {
    return InvalidModel("weights " + weights + " need " + std::to_string(per_group) + "*" +
                        std::to_string(group) + " input channels, got " + std::to_string(in));
  }
  return Status::Ok();
}

// The packed constant must hold exactly the elements of its layout.
Status CheckPackedWeights(const fb::ConvT& fields, const Type& weights, const Tensor* known,
                          int64_t in_channels) {
  const auto layout = static_cast<WeightLayout>(fields.weight_layout);
  if (known == nullptr || weights.rank() != 1) {
    return InvalidModel("expected packed weights to be a constant of rank 1, got " +
                        std::string(known == nullptr ? "a computed value" : TypeText(weights)));
  }
  if (fields.out_channels < 1 || fields.out_channels % fields.group != 0) {
    return InvalidModel("expected out_channels in multiples of group " +
                        std::to_string(fields.group) + ", got " +
                        std::to_string(fields.out_channels));
  }
  if (in_channels == kUnknownDim) return Status::Ok();
  const int64_t inputs = in_channels / fields.group, outputs = fields.out_channels / fields.group;
  Checked expected = 0;
  if (layout == WeightLayout::kPanels16) {
    expected = Checked((outputs - 1) / 16 + 1) * 16 * fields.group * inputs;
  } else if (layout == WeightLayout::kTapsChannels && inputs == 1) {
    expected = fields.out_channels;
  } else {
    return InvalidModel("weight layout " + std::to_string(fields.weight_layout) +
                        " does not hold " + std::to_string(inputs) + " inputs a group");
  }
  for (int64_t size : fields.window->kernel) expected = expected * size;
  if (expected.value_or(-1) != weights.shape[0]) {
    return InvalidModel("expected " + std::to_string(expected.value_or(-1)) +
                        " packed weights, got " + std::to_string(weights.shape[0]));
  }
  return Status::Ok();
}

// Checks the operands and derives all sizes. `inputs[0]` is ranked.
Result<ConvShape> Describe(const Node& node, std::span<const Type> inputs, const Tensor* weights,
                           const Tensor* tap_bias) {
  const fb::ConvT& fields = *node.As<fb::ConvT>();
  const Type& x = inputs[0];
  const Type& w = inputs[1];
  if (fields.window == nullptr) return InvalidModel("the window is missing");
  if (fields.group < 1 || fields.group > kMaxTensorBytes) {
    return InvalidModel("expected a group of at least 1, got " + std::to_string(fields.group));
  }
  if (x.rank() < 3) return InvalidModel("expected x of rank 3 to 5, got " + TypeText(x));
  const size_t rank = x.shape.size() - 2;
  ConvShape shape;
  shape.batch = x.shape[0];
  shape.in_channels = fields.channels_last ? x.shape.back() : x.shape[1];
  const auto first = x.shape.begin() + (fields.channels_last ? 1 : 2);
  const Shape in(first, first + static_cast<int64_t>(rank));

  Shape kernel = fields.window->kernel;
  if (fields.weight_layout == static_cast<uint8_t>(WeightLayout::kOnnx)) {
    if (w.ranked) {
      if (w.rank() != x.rank()) {
        return InvalidModel("expected weights of rank " + std::to_string(x.rank()) + ", got " +
                            TypeText(w));
      }
      const Shape sizes(w.shape.begin() + 2, w.shape.end());
      if (kernel.empty()) kernel = sizes;
      bool same = kernel.size() == sizes.size();
      for (size_t i = 0; same && i < sizes.size(); ++i) same = !Differ(kernel[i], sizes[i]);
      if (!same) {
        return InvalidModel("expected weights of kernel " + ShapeText(kernel) + ", got " +
                            ShapeText(w.shape));
      }
      shape.out_channels = w.shape[0];
    }
    if (kernel.empty()) kernel.assign(rank, kUnknownDim);
    PLEAT_RETURN_IF_ERROR(CheckChannels(fields.group, w.ranked ? w.shape[1] : kUnknownDim,
                                        shape.in_channels, shape.out_channels, ShapeText(w.shape)));
  } else {
    PLEAT_RETURN_IF_ERROR(CheckChannels(fields.group, kUnknownDim, shape.in_channels, 0, ""));
    PLEAT_RETURN_IF_ERROR(CheckPackedWeights(fields, w, weights, shape.in_channels));
    shape.out_channels = fields.out_channels;
  }
  PLEAT_ASSIGN_OR_RETURN(shape.geometry, GatherGeometry(*fields.window, kernel, in));

  shape.output = shape.geometry.OutSizes();
  shape.output.insert(shape.output.begin(), shape.batch);
  shape.output.insert(fields.channels_last ? shape.output.end() : shape.output.begin() + 1,
                      shape.out_channels);
  PLEAT_RETURN_IF_ERROR(CheckOperandShape(node, inputs, 2, "bias", {shape.out_channels}));
  PLEAT_RETURN_IF_ERROR(CheckOperandShape(node, inputs, 3, "residual", shape.output));
  PLEAT_RETURN_IF_ERROR(
      CheckTapBias(node, inputs, tap_bias, kTapBias, shape.out_channels, kernel));
  return shape;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckProductElements(context.node, context.inputs, kNames, kPrologue + 3));
  context.outputs[0] = {.element = context.inputs[0].element, .ranked = false};
  if (!context.inputs[0].ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const ConvShape shape,
                         Describe(context.node, context.inputs, context.known_input(1),
                                  context.known_input(kTapBias)));
  PLEAT_RETURN_IF_ERROR(PrologueOf(context, kPrologue, shape.in_channels).status());
  context.outputs[0].ranked = true;
  context.outputs[0].shape = shape.output;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::ConvT& fields = *context.node.As<fb::ConvT>();
  PLEAT_ASSIGN_OR_RETURN(const ConvShape shape,
                         Describe(context.node, context.inputs, context.known_input(1),
                                  context.known_input(kTapBias)));
  kernels::ConvProblem problem;
  PLEAT_ASSIGN_OR_RETURN(problem.activation, ActivationOf(fields.activation));
  shape.geometry.CopyTo(problem);
  problem.type = context.inputs[0].element;
  problem.channels_last = fields.channels_last;
  problem.batch = shape.batch;
  problem.in_channels = shape.in_channels;
  problem.out_channels = shape.out_channels;
  problem.groups = fields.group;
  problem.weight_layout = static_cast<WeightLayout>(fields.weight_layout);
  problem.select = context.select;
  context.operands = {0};
  problem.weights = ConstantOrOperand(context, 1);
  problem.has_bias = context.has_input(2);
  if (problem.has_bias) problem.bias = ConstantOrOperand(context, 2);
  problem.has_residual = context.has_input(3);
  if (problem.has_residual) context.operands.push_back(3);
  problem.in_pixel_stride = context.input_step(0);
  problem.out_pixel_stride = context.output_step(0);
  problem.residual_pixel_stride = context.input_step(3);
  PLEAT_ASSIGN_OR_RETURN(problem.prologue,
                         PrologueOf(context, kPrologue, shape.in_channels));
  if (context.has_input(kTapBias)) {
    problem.tap_bias = context.known_input(kTapBias)->data<double>().data();
  }
  context.multiply_adds = static_cast<double>(ElementCount(shape.output)) *
                          static_cast<double>(shape.in_channels / fields.group) *
                          static_cast<double>(shape.geometry.Taps());
  SelectInto(context, kernels::ConvCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kConvRule;
const OpRule kConvRule = {"Conv", Infer, Prepare};

}  // namespace pleat::runtime
