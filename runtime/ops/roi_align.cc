// RoiAlign: regions of x cut into bins. Known picture numbers are checked here; those that come
// with the run are taken into range by the kernel.
#include "kernels/roi_align.h"

#include <cmath>

#include "runtime/ops/index_check.h"

namespace pleat::runtime {
namespace {

// Along each axis of a bin; more would be work without end.
constexpr int64_t kMostSamples = 1024;

Status CheckFields(const fb::RoiAlignT& fields) {
  if (fields.height < 1 || fields.width < 1) {
    return InvalidModel("expected an output of at least 1x1, got " + std::to_string(fields.height) +
                        "x" + std::to_string(fields.width));
  }
  if (fields.samples < 0 || fields.samples > kMostSamples) {
    return InvalidModel("expected a sampling ratio of 0 to " + std::to_string(kMostSamples) +
                        ", got " + std::to_string(fields.samples));
  }
  if (!std::isfinite(fields.scale)) return InvalidModel("the spatial scale is not finite");
  return Status::Ok();
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 3));
  const auto& fields = *context.node.As<fb::RoiAlignT>();
  PLEAT_RETURN_IF_ERROR(CheckFields(fields));
  const Type& x = context.inputs[0];
  const Type& rois = context.inputs[1];
  const Type& pictures = context.inputs[2];
  PLEAT_RETURN_IF_ERROR(CheckFloat(x, "x"));
  PLEAT_RETURN_IF_ERROR(CheckSameElements(x, "x", rois, "rois"));
  PLEAT_RETURN_IF_ERROR(CheckIndexType(pictures));
  const bool fits = (!x.ranked || x.rank() == 4) &&
                    (!rois.ranked || (rois.rank() == 2 && Agree(rois.shape[1], 4))) &&
                    (!pictures.ranked || pictures.rank() == 1) &&
                    (!rois.ranked || !pictures.ranked || Agree(rois.shape[0], pictures.shape[0]));
  if (!fits) {
    return InvalidModel("expected x [n,c,h,w], rois [k,4] and batch indices [k], got " +
                        TypeText(x) + ", " + TypeText(rois) + " and " + TypeText(pictures));
  }
  const int64_t regions = KnownOf(rois.ranked ? rois.shape[0] : kUnknownDim,
                                  pictures.ranked ? pictures.shape[0] : kUnknownDim);
  context.outputs[0] = {.element = x.element,
                        .shape = {regions, x.ranked ? x.shape[1] : kUnknownDim, fields.height,
                                  fields.width}};
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::RoiAlignT>();
  const Type& x = context.inputs[0];
  const Type& pictures = context.inputs[2];
  const Type& y = context.outputs[0];
  if (ElementCount(y.shape) > 0 && ElementCount(x.shape) == 0) {
    return InvalidModel("there is nothing to sample in " + TypeText(x));
  }
  const int64_t sizes[] = {x.shape[0]};
  PLEAT_RETURN_IF_ERROR(CheckIndices(pictures, context.known_input(2), sizes));
  context.operands = {0, 1, 2};
  SelectInto(context, kernels::RoiAlignCandidates(),
             kernels::RoiAlignProblem{.type = x.element,
                                      .index_type = pictures.element,
                                      .batch = x.shape[0],
                                      .channels = x.shape[1],
                                      .height = x.shape[2],
                                      .width = x.shape[3],
                                      .regions = y.shape[0],
                                      .bins_high = fields.height,
                                      .bins_wide = fields.width,
                                      .samples = fields.samples,
                                      .scale = static_cast<double>(fields.scale),
                                      .half_pixel = fields.half_pixel,
                                      .max = fields.max});
  return Status::Ok();
}

}  // namespace

extern const OpRule kRoiAlignRule;
const OpRule kRoiAlignRule = {"RoiAlign", Infer, Prepare};

}  // namespace pleat::runtime
