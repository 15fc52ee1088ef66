// Resize: sizes from scales or wanted sizes, then resampling along every axis that changes.
#include "kernels/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "kernels/visit_type.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"

namespace pleat::runtime {
namespace {

using kernels::ResizeAxis;

static_assert(static_cast<int>(fb::ResizeMode::MAX) ==
              static_cast<int>(kernels::ResizeMode::kCubic));
static_assert(static_cast<int>(fb::CoordinateMode::MAX) ==
              static_cast<int>(kernels::CoordinateMode::kTfHalfPixelForNn));
static_assert(static_cast<int>(fb::NearestMode::MAX) ==
              static_cast<int>(kernels::NearestMode::kCeil));
static_assert(kMaxRank <= kernels::ResizeProblem::kMaxRank);

// Beyond any image, and within what tables of every position and weight may take.
constexpr int64_t kMaxResizedSize = int64_t{1} << 26;

enum Input : size_t { kX, kRoi, kScales, kSizes };

bool CropsRegion(const fb::ResizeT& fields) {
  return fields.coordinates == fb::CoordinateMode::TfCropAndResize;
}

Status CheckFields(const fb::ResizeT& fields, ElementType element) {
  if (fields.mode > fb::ResizeMode::MAX || fields.coordinates > fb::CoordinateMode::MAX ||
      fields.nearest > fb::NearestMode::MAX || fields.aspect > fb::AspectPolicy::MAX) {
    return InvalidModel("unknown mode, coordinates, nearest mode or aspect policy");
  }
  if (!std::isfinite(fields.cubic_a)) return InvalidModel("cubic_a is not finite");
  const bool byte_or_float = element == ElementType::kFloat32 || element == ElementType::kFloat64 ||
                             element == ElementType::kInt32 || element == ElementType::kInt8 ||
                             element == ElementType::kUint8;
  const bool nearest = fields.mode == fb::ResizeMode::Nearest;
  if (nearest ? !kernels::IsNumber(element) && element != ElementType::kBool : !byte_or_float) {
    return Unsupported(std::string("this mode of resizing for ") + ElementName(element));
  }
  return Status::Ok();
}

// True when the optional input is there: an empty tensor stands for one left out.
template <class Context>
bool Given(const Context& context, Input input) {
  return context.has_input(input) && context.inputs[input].shape != Shape{0};
}

Status CheckCount(const char* what, size_t got, size_t expected) {
  if (got == expected) return Status::Ok();
  return InvalidModel("expected " + std::to_string(expected) + " " + what + ", got " +
                      std::to_string(got));
}

std::string NumberText(double value) { return std::to_string(value); }

// Sets the axis's output size and scale from a written scale. The size is rounded from a product in
// float32, the type scales are written in: 10 * 0.7 is 7.
Status ApplyScale(double scale, ResizeAxis* axis) {
  if (!std::isfinite(scale) || scale <= 0) {
    return InvalidModel("expected positive finite scales, got " + NumberText(scale));
  }
  axis->scale = scale;
  if (axis->in == kUnknownDim) return Status::Ok();
  const float out = std::floor(static_cast<float>(axis->in) * static_cast<float>(scale));
  if (!(out <= static_cast<float>(kMaxTensorBytes))) {
    return LimitExceeded("a size of " + std::to_string(axis->in) + " scaled by " +
                         NumberText(scale));
  }
  axis->out = static_cast<int64_t>(out);
  return Status::Ok();
}

// Sets output sizes and scales from wanted sizes, keeping the aspect where the policy says so.
Status ApplySizes(const fb::ResizeT& fields, const std::vector<int64_t>& sizes,
                  const std::vector<int>& resized, std::vector<ResizeAxis>* axes) {
  const bool keep_aspect = fields.aspect != fb::AspectPolicy::Stretch;
  const bool smaller = fields.aspect == fb::AspectPolicy::NotLarger;
  double common = smaller ? std::numeric_limits<double>::infinity() : 0;
  for (size_t i = 0; i < resized.size(); ++i) {
    ResizeAxis& axis = (*axes)[static_cast<size_t>(resized[i])];
    if (sizes[i] < 0 || sizes[i] > kMaxTensorBytes) {
      return InvalidModel("expected sizes of at least 0, got " + std::to_string(sizes[i]));
    }
    if (axis.in == 0 && sizes[i] != 0) {
      return InvalidModel("an empty axis cannot grow to size " + std::to_string(sizes[i]));
    }
    if (!keep_aspect) axis.out = sizes[i];
    if (axis.in <= 0) {
      if (keep_aspect && axis.in == kUnknownDim) common = -1;
      continue;
    }
    axis.scale = static_cast<double>(sizes[i]) / static_cast<double>(axis.in);
    if (common >= 0) common = smaller ? std::min(common, axis.scale) : std::max(common, axis.scale);
  }
  if (!keep_aspect || common < 0) return Status::Ok();
  for (int r : resized) {
    ResizeAxis& axis = (*axes)[static_cast<size_t>(r)];
    if (axis.in == 0) {
      axis.out = 0;
      continue;
    }
    axis.scale = common;
    const double out = std::floor(static_cast<double>(axis.in) * common + 0.5);
    if (!(out <= static_cast<double>(kMaxTensorBytes))) {
      return LimitExceeded("a size of " + std::to_string(axis.in) + " scaled by " +
                           NumberText(common));
    }
    axis.out = static_cast<int64_t>(out);
  }
  return Status::Ok();
}

Status ApplyRoi(const std::vector<double>& roi, const std::vector<int>& resized,
                std::vector<ResizeAxis>* axes) {
  PLEAT_RETURN_IF_ERROR(CheckCount("numbers in roi", roi.size(), 2 * resized.size()));
  for (size_t i = 0; i < resized.size(); ++i) {
    ResizeAxis& axis = (*axes)[static_cast<size_t>(resized[i])];
    axis.roi_begin = roi[i];
    axis.roi_end = roi[resized.size() + i];
    if (!std::isfinite(axis.roi_begin) || !std::isfinite(axis.roi_end)) {
      return InvalidModel("expected finite numbers in roi");
    }
  }
  return Status::Ok();
}

// All of x's axes; out is kUnknownDim where it does not follow from what is known.
// REQUIRES: x is ranked.
template <class Context>
Result<std::vector<ResizeAxis>> Axes(const Context& context) {
  const auto& fields = *context.node.template As<fb::ResizeT>();
  const Type& x = context.inputs[kX];
  std::vector<ResizeAxis> axes;
  for (int64_t size : x.shape) axes.push_back({.in = size, .out = size});
  PLEAT_ASSIGN_OR_RETURN(std::vector<int> resized, NormalizeAxes(fields.axes, x.rank()));
  if (fields.axes.empty()) {
    for (int axis = 0; axis < x.rank(); ++axis) resized.push_back(axis);
  }
  if (Given(context, kScales) == Given(context, kSizes)) {
    return InvalidModel("expected either scales or sizes, got both or none");
  }
  for (int axis : resized) axes[static_cast<size_t>(axis)].out = kUnknownDim;
  if (Given(context, kSizes)) {
    const Type& type = context.inputs[kSizes];
    if (type.element != ElementType::kInt64 && type.element != ElementType::kInt32) {
      return InvalidModel("expected sizes of type int64, got " + TypeText(type));
    }
    if (const Tensor* known = context.known_input(kSizes)) {
      const std::vector<int64_t> sizes = ToInt64s(*known);
      PLEAT_RETURN_IF_ERROR(CheckCount("sizes", sizes.size(), resized.size()));
      PLEAT_RETURN_IF_ERROR(ApplySizes(fields, sizes, resized, &axes));
    }
  } else if (const Tensor* known = context.known_input(kScales)) {
    const std::vector<double> scales = ToDoubles(*known);
    PLEAT_RETURN_IF_ERROR(CheckCount("scales", scales.size(), resized.size()));
    for (size_t i = 0; i < resized.size(); ++i) {
      PLEAT_RETURN_IF_ERROR(ApplyScale(scales[i], &axes[static_cast<size_t>(resized[i])]));
    }
  }
  if (CropsRegion(fields)) {
    if (!Given(context, kRoi)) return InvalidModel("expected an input roi, got none");
    if (const Tensor* known = context.known_input(kRoi)) {
      PLEAT_RETURN_IF_ERROR(ApplyRoi(ToDoubles(*known), resized, &axes));
    }
  }
  return axes;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 3));
  const auto& fields = *context.node.As<fb::ResizeT>();
  const Type& x = context.inputs[kX];
  PLEAT_RETURN_IF_ERROR(CheckFields(fields, x.element));
  Type& y = context.outputs[0];
  y = {x.element, x.ranked, {}};
  if (!x.ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const std::vector<ResizeAxis> axes, Axes(context));
  for (const ResizeAxis& axis : axes) y.shape.push_back(axis.out);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::ResizeT>();
  const Type& x = context.inputs[kX];
  for (Input input : {kScales, kSizes}) {
    if (Given(context, input) && context.known_input(input) == nullptr) {
      return Unsupported("scales or sizes that are computed during a run");
    }
  }
  if (CropsRegion(fields) && context.known_input(kRoi) == nullptr) {
    return Unsupported("a roi that is computed during a run");
  }
  PLEAT_ASSIGN_OR_RETURN(const std::vector<ResizeAxis> axes, Axes(context));
  const bool is_bool = x.element == ElementType::kBool;
  kernels::ResizeProblem problem{
      .type = is_bool ? ElementType::kUint8 : x.element,
      .mode = static_cast<kernels::ResizeMode>(fields.mode),
      .coordinates = static_cast<kernels::CoordinateMode>(fields.coordinates),
      .nearest = static_cast<kernels::NearestMode>(fields.nearest),
      .cubic_a = fields.cubic_a,
      .exclude_outside = fields.exclude_outside,
      .extrapolation_value = fields.extrapolation_value,
      .antialias = fields.antialias,
      .select = context.select};
  for (const ResizeAxis& axis : axes) {
    if (!problem.Leaves(axis) && std::max(axis.in, axis.out) > kMaxResizedSize) {
      return LimitExceeded("resizing from " + std::to_string(axis.in) + " to " +
                           std::to_string(axis.out) + ": sizes of at most 2^26 are supported");
    }
    problem.Append(axis);
  }
  if (problem.rank == 0 || (problem.rank == 1 && problem.Leaves(problem.axes[0]))) {
    context.view_of = 0;
    return Status::Ok();
  }
  context.operands = {0};
  context.multiply_adds = static_cast<double>(ElementCount(context.outputs[0].shape));
  SelectInto(context, kernels::ResizeCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kResizeRule = {"Resize", Infer, Prepare};

}  // namespace pleat::runtime
