// GridSample: x sampled at the places of a grid.
#include "kernels/grid_sample.h"

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

static_assert(static_cast<int>(kernels::GridInterpolation::kCubic) ==
                  static_cast<int>(fb::ResizeMode::Cubic) &&
              static_cast<int>(kernels::GridPadding::kReflection) ==
                  static_cast<int>(fb::GridPadding::Reflection));

constexpr int kMostSpace = 3;

Status CheckFields(const fb::GridSampleT& fields) {
  if (fields.mode > fb::ResizeMode::MAX || fields.padding > fb::GridPadding::MAX) {
    return InvalidModel("unknown mode or padding");
  }
  return Status::Ok();
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  PLEAT_RETURN_IF_ERROR(CheckFields(*context.node.As<fb::GridSampleT>()));
  const Type& x = context.inputs[0];
  const Type& grid = context.inputs[1];
  PLEAT_RETURN_IF_ERROR(CheckFloat(x, "x"));
  PLEAT_RETURN_IF_ERROR(CheckSameElements(x, "x", grid, "grid"));
  Type& y = context.outputs[0];
  y = Unranked(x.element);
  if (!x.ranked || !grid.ranked) return Status::Ok();
  const int space = x.rank() - 2;
  if (space < 1 || space > kMostSpace || grid.rank() != x.rank() ||
      !Agree(x.shape[0], grid.shape[0]) || !Agree(grid.shape.back(), space)) {
    return InvalidModel("expected x [n, c, 1 to 3 sizes] and grid [n, places.., " +
                        std::to_string(space) + "], got " + TypeText(x) + " and " + TypeText(grid));
  }
  y = {.element = x.element, .shape = {KnownOf(x.shape[0], grid.shape[0]), x.shape[1]}};
  y.shape.insert(y.shape.end(), grid.shape.begin() + 1, grid.shape.end() - 1);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::GridSampleT>();
  const Type& x = context.inputs[0];
  const Shape& y = context.outputs[0].shape;
  kernels::GridSampleProblem problem{
      .type = x.element,
      .batch = x.shape[0],
      .channels = x.shape[1],
      .sizes = {x.shape.begin() + 2, x.shape.end()},
      .interpolation = static_cast<kernels::GridInterpolation>(fields.mode),
      .padding = static_cast<kernels::GridPadding>(fields.padding),
      .align_corners = fields.align_corners};
  PLEAT_ASSIGN_OR_RETURN(problem.places, SizeProduct(y, 2, y.size()));
  if (ElementCount(y) > 0 && ElementCount(x.shape) == 0) {
    return InvalidModel("there is nothing to sample in " + TypeText(x));
  }
  context.operands = {0, 1};
  SelectInto(context, kernels::GridSampleCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kGridSampleRule;
const OpRule kGridSampleRule = {"GridSample", Infer, Prepare};

}  // namespace pleat::runtime
