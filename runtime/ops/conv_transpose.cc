// ConvTranspose: x [N,C,spatial..] (channels last: [N,spatial..,C]), weights [C,M/group,kernel..],
// optional bias [M], optional tap bias [M,kernel..] -> y [N,M,out..] (channels last:
// [N,out..,M]).
#include "kernels/conv_transpose.h"

#include "runtime/checked.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/product_types.h"
#include "runtime/ops/window.h"

namespace pleat::runtime {
namespace {

constexpr const char* kNames[] = {"x", "weights", "bias"};
constexpr size_t kTapBias = 3;

struct ConvTransposeShape {
  WindowGeometry geometry;
  int64_t in_channels = kUnknownDim;
  int64_t out_channels = kUnknownDim;
  Shape output;
};

// Checks the operands and derives all sizes. `inputs[0]` is ranked.
Result<ConvTransposeShape> Describe(const Node& node, std::span<const Type> inputs,
                                    const Tensor* tap_bias) {
  const fb::ConvTransposeT& fields = *node.As<fb::ConvTransposeT>();
  const Type& x = inputs[0];
  const Type& w = inputs[1];
  if (fields.window == nullptr) return InvalidModel("the window is missing");
  if (fields.group < 1 || fields.group > kMaxTensorBytes) {
    return InvalidModel("expected a group of at least 1, got " + std::to_string(fields.group));
  }
  if (x.rank() < 3) return InvalidModel("expected x of rank 3 to 5, got " + TypeText(x));
  const size_t rank = x.shape.size() - 2;
  ConvTransposeShape shape;
  shape.in_channels = fields.channels_last ? x.shape.back() : x.shape[1];
  if (shape.in_channels != kUnknownDim && shape.in_channels % fields.group != 0) {
    return InvalidModel("expected input channels in multiples of group " +
                        std::to_string(fields.group) + ", got " +
                        std::to_string(shape.in_channels));
  }
  Shape kernel = fields.window->kernel;
  if (w.ranked) {
    if (w.rank() != x.rank()) {
      return InvalidModel("expected weights of rank " + std::to_string(x.rank()) + ", got " +
                          TypeText(w));
    }
    if (kernel.empty()) kernel.assign(w.shape.begin() + 2, w.shape.end());
    bool same = kernel.size() == rank;
    for (size_t i = 0; same && i < rank; ++i) same = !Differ(kernel[i], w.shape[i + 2]);
    if (!same) {
      return InvalidModel("expected weights of kernel " + ShapeText(kernel) + ", got " +
                          ShapeText(w.shape));
    }
    if (Differ(w.shape[0], shape.in_channels)) {
      return InvalidModel("weights " + ShapeText(w.shape) + " need " + std::to_string(w.shape[0]) +
                          " input channels, got " + std::to_string(shape.in_channels));
    }
    if (w.shape[1] != kUnknownDim) {
      const Checked outputs = Checked(w.shape[1]) * fields.group;
      if (outputs.value_or(-1) < 0 || *outputs.get() > kMaxTensorBytes) {
        return LimitExceeded("the number of output channels overflows");
      }
      shape.out_channels = *outputs.get();
    }
  }
  if (kernel.empty()) kernel.assign(rank, kUnknownDim);
  const auto first = x.shape.begin() + (fields.channels_last ? 1 : 2);
  const Shape in(first, first + static_cast<int64_t>(rank));
  PLEAT_ASSIGN_OR_RETURN(
      shape.geometry,
      ScatterGeometry(*fields.window, kernel, in, fields.output_padding, fields.output_shape));
  shape.output = shape.geometry.OutSizes();
  shape.output.insert(shape.output.begin(), x.shape[0]);
  shape.output.insert(fields.channels_last ? shape.output.end() : shape.output.begin() + 1,
                      shape.out_channels);
  PLEAT_RETURN_IF_ERROR(CheckOperandShape(node, inputs, 2, "bias", {shape.out_channels}));
  PLEAT_RETURN_IF_ERROR(
      CheckTapBias(node, inputs, tap_bias, kTapBias, shape.out_channels, kernel));
  return shape;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckProductElements(context.node, context.inputs, kNames, kTapBias + 1));
  context.outputs[0] = {.element = context.inputs[0].element, .ranked = false};
  if (!context.inputs[0].ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(
      const ConvTransposeShape shape,
      Describe(context.node, context.inputs, context.known_input(kTapBias)));
  context.outputs[0].ranked = true;
  context.outputs[0].shape = shape.output;
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::ConvTransposeT& fields = *context.node.As<fb::ConvTransposeT>();
  PLEAT_ASSIGN_OR_RETURN(
      const ConvTransposeShape shape,
      Describe(context.node, context.inputs, context.known_input(kTapBias)));
  kernels::ConvTransposeProblem problem;
  PLEAT_ASSIGN_OR_RETURN(problem.activation, ActivationOf(fields.activation));
  shape.geometry.CopyTo(problem);
  problem.type = context.inputs[0].element;
  problem.channels_last = fields.channels_last;
  problem.batch = context.inputs[0].shape[0];
  problem.in_channels = shape.in_channels;
  problem.out_channels = shape.out_channels;
  problem.groups = fields.group;
  problem.select = context.select;
  context.operands = {0};
  problem.weights = ConstantOrOperand(context, 1);
  problem.has_bias = context.has_input(2);
  if (problem.has_bias) problem.bias = ConstantOrOperand(context, 2);
  if (context.has_input(kTapBias)) {
    problem.tap_bias = context.known_input(kTapBias)->data<double>().data();
  }
  problem.out_pixel_stride = context.output_step(0);
  context.multiply_adds = static_cast<double>(ElementCount(context.inputs[0].shape)) *
                          static_cast<double>(shape.out_channels / fields.group) *
                          static_cast<double>(shape.geometry.Taps());
  SelectInto(context, kernels::ConvTransposeCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kConvTransposeRule;
const OpRule kConvTransposeRule = {"ConvTranspose", Infer, Prepare};

}  // namespace pleat::runtime
