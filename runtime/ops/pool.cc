// Pool: windows that slide over an image and leave one number each.
#include "kernels/pool.h"

#include "kernels/visit_type.h"
#include "runtime/checked.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/window.h"

namespace pleat::runtime {
namespace {

static_assert(static_cast<int>(fb::PoolKind::MAX) == static_cast<int>(kernels::PoolKind::kLp));

Status CheckFields(const fb::PoolT& fields, ElementType element) {
  if (fields.kind > fb::PoolKind::MAX) {
    return InvalidModel("unknown kind of pooling " + std::to_string(static_cast<int>(fields.kind)));
  }
  if (fields.kind == fb::PoolKind::Lp && fields.p < 1) {
    return InvalidModel("expected p of at least 1, got " + std::to_string(fields.p));
  }
  if (fields.storage_order != 0 && fields.storage_order != 1) {
    return InvalidModel("expected storage_order 0 or 1, got " +
                        std::to_string(fields.storage_order));
  }
  if (fields.window == nullptr) return InvalidModel("the window is missing");
  for (int64_t size : fields.window->kernel) {
    if (size < 1) {
      return InvalidModel("expected kernel sizes of at least 1, got " + std::to_string(size));
    }
  }
  const bool max = fields.kind == fb::PoolKind::Max;
  if (max ? !kernels::IsNumber(element)
          : element != ElementType::kFloat32 && element != ElementType::kFloat64) {
    return Unsupported(std::string("pooling of ") + ElementName(element));
  }
  return Status::Ok();
}

// Where the spatial sizes stand in x's shape.
size_t SpatialBegin(const fb::PoolT& fields) { return fields.channels_last ? 1 : 2; }

// REQUIRES: x is ranked.
Result<WindowGeometry> Geometry(const fb::PoolT& fields, const Type& x) {
  if (x.rank() < 3) {
    return InvalidModel("expected an input of rank 3, 4 or 5, got " + TypeText(x));
  }
  const std::span<const int64_t> in(x.shape.data() + SpatialBegin(fields), x.shape.size() - 2);
  PLEAT_ASSIGN_OR_RETURN(WindowGeometry g, GatherGeometry(*fields.window, fields.window->kernel, in,
                                                          fields.ceil_mode));
  for (int d = 0; d < 3; ++d) {
    const Checked extent = Checked(g.kernel[d] - 1) * g.dilation[d] + 1;
    if (!extent.ok()) return LimitExceeded("the window's extent overflows 64 bits");
    if (g.pad_begin[d] >= *extent.get() || g.pad_end[d] >= *extent.get()) {
      return InvalidModel("expected pads smaller than the window's extent " +
                          std::to_string(*extent.get()) + ", got " +
                          std::to_string(g.pad_begin[d]) + " and " + std::to_string(g.pad_end[d]));
    }
  }
  return g;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 0, 2));
  const auto& fields = *context.node.As<fb::PoolT>();
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckFields(fields, x.element));
  if (context.outputs.size() > 1 && fields.kind != fb::PoolKind::Max) {
    return InvalidModel("only maximum pooling has indices");
  }
  Type y = x;
  if (x.ranked) {
    PLEAT_ASSIGN_OR_RETURN(const WindowGeometry g, Geometry(fields, x));
    const Shape out = g.OutSizes();
    std::copy(out.begin(), out.end(), y.shape.begin() + static_cast<int64_t>(SpatialBegin(fields)));
  }
  context.outputs[0] = y;
  if (context.outputs.size() > 1) {
    context.outputs[1] = y;
    context.outputs[1].element = ElementType::kInt64;
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::PoolT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const WindowGeometry g, Geometry(fields, x));
  const std::vector<ValueId>& outputs = context.node.outputs;
  kernels::PoolProblem problem{.type = x.element,
                               .kind = static_cast<kernels::PoolKind>(fields.kind),
                               .channels_last = fields.channels_last,
                               .batch = x.shape[0],
                               .channels = fields.channels_last ? x.shape.back() : x.shape[1],
                               .count_include_pad = fields.count_include_pad,
                               .p = fields.p,
                               .values = outputs[0] != kNoValue,
                               .indices = outputs.size() > 1 && outputs[1] != kNoValue,
                               .column_major = fields.storage_order == 1,
                               .select = context.select};
  g.CopyTo(problem);
  problem.in_pixel_stride = context.input_step(0);
  problem.out_pixel_stride = context.output_step(0);
  context.operands = {0};
  context.multiply_adds = static_cast<double>(ElementCount(context.outputs[0].shape)) *
                          static_cast<double>(g.kernel[0]) * static_cast<double>(g.kernel[1]) *
                          static_cast<double>(g.kernel[2]);
  SelectInto(context, kernels::PoolCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kPoolRule = {"Pool", Infer, Prepare};

}  // namespace pleat::runtime
