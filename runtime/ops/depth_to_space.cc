// DepthToSpace and SpaceToDepth: squares of block x block pixels against channels.
#include "runtime/checked.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

struct Image {
  int64_t n, c, h, w;
};

Image ImageOf(const Shape& shape, bool channels_last) {
  return channels_last ? Image{shape[0], shape[3], shape[1], shape[2]}
                       : Image{shape[0], shape[1], shape[2], shape[3]};
}

Shape ShapeOfImage(const Image& image, bool channels_last) {
  return channels_last ? Shape{image.n, image.h, image.w, image.c}
                       : Shape{image.n, image.c, image.h, image.w};
}

Status CheckImage(const Type& x, int64_t block) {
  if (x.ranked && x.rank() != 4) {
    return InvalidModel("expected an image of rank 4, got " + TypeText(x));
  }
  if (block < 1) return InvalidModel("block: expected at least 1, got " + std::to_string(block));
  return Status::Ok();
}

// The quotient, kUnknownDim stays.
Result<int64_t> Divided(int64_t size, int64_t by, const char* what) {
  if (size == kUnknownDim) return size;
  if (size % by != 0) {
    return InvalidModel(std::string(what) + ": expected a multiple of " + std::to_string(by) +
                        ", got " + std::to_string(size));
  }
  return size / by;
}

Result<int64_t> Times(int64_t size, int64_t by) {
  if (size == kUnknownDim) return size;
  const Checked product = Checked(size) * by;
  if (!product.ok()) return LimitExceeded("block: " + std::to_string(by) + " is too large");
  return *product.get();
}

Result<int64_t> Square(int64_t block) { return Times(block, block); }

Status InferDepthToSpace(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const auto* fields = context.node.As<fb::DepthToSpaceT>();
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckImage(x, fields->block));
  context.outputs[0] = UnknownSizes(x.element, 4);
  if (!x.ranked) return Status::Ok();
  Image image = ImageOf(x.shape, fields->channels_last);
  PLEAT_ASSIGN_OR_RETURN(const int64_t square, Square(fields->block));
  PLEAT_ASSIGN_OR_RETURN(image.c, Divided(image.c, square, "channels"));
  PLEAT_ASSIGN_OR_RETURN(image.h, Times(image.h, fields->block));
  PLEAT_ASSIGN_OR_RETURN(image.w, Times(image.w, fields->block));
  context.outputs[0].shape = ShapeOfImage(image, fields->channels_last);
  return Status::Ok();
}

Status InferSpaceToDepth(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const auto* fields = context.node.As<fb::SpaceToDepthT>();
  const Type& x = context.inputs[0];
  PLEAT_RETURN_IF_ERROR(CheckImage(x, fields->block));
  context.outputs[0] = UnknownSizes(x.element, 4);
  if (!x.ranked) return Status::Ok();
  Image image = ImageOf(x.shape, fields->channels_last);
  PLEAT_ASSIGN_OR_RETURN(const int64_t square, Square(fields->block));
  PLEAT_ASSIGN_OR_RETURN(image.h, Divided(image.h, fields->block, "height"));
  PLEAT_ASSIGN_OR_RETURN(image.w, Divided(image.w, fields->block, "width"));
  PLEAT_ASSIGN_OR_RETURN(image.c, Times(image.c, square));
  context.outputs[0].shape = ShapeOfImage(image, fields->channels_last);
  return Status::Ok();
}

// Which of the block's row and column, and the channel, is the outermost part of the deep image's
// channel index.
enum class Depth { kChannelInner, kChannelOuter };

// The piece that moves a deep image [n, .. c*b*b, h, w] to a wide one [n, c, h*b, w*b], as strides
// into both: {size, deep stride, wide stride}.
std::vector<kernels::CopyDim> Moves(const Image& deep, int64_t block, bool channels_last,
                                    Depth depth) {
  const int64_t b = block, c = deep.c / (b * b), h = deep.h, w = deep.w;
  // Strides of {n, channel, row, column} in the two images.
  const int64_t deep_n = deep.c * h * w;
  const int64_t deep_c = channels_last ? 1 : h * w, deep_h = channels_last ? w * deep.c : w;
  const int64_t deep_w = channels_last ? deep.c : 1;
  const int64_t wide_c = channels_last ? 1 : h * b * w * b;
  const int64_t wide_h = channels_last ? w * b * c : w * b, wide_w = channels_last ? c : 1;
  const bool inner = depth == Depth::kChannelInner;
  const int64_t row = inner ? b * c : b, column = inner ? c : 1, channel = inner ? 1 : b * b;
  return {{deep.n, deep_n, deep_n}, {h, deep_h, wide_h * b},      {b, row * deep_c, wide_h},
          {w, deep_w, wide_w * b},  {b, column * deep_c, wide_w}, {c, channel * deep_c, wide_c}};
}

Status PrepareDepthToSpace(PrepareContext& context) {
  const auto* fields = context.node.As<fb::DepthToSpaceT>();
  kernels::CopyPiece piece{
      .dims = Moves(ImageOf(context.inputs[0].shape, fields->channels_last), fields->block,
                    fields->channels_last,
                    fields->depth_column_row ? Depth::kChannelInner : Depth::kChannelOuter)};
  PrepareCopy(context, {0}, {std::move(piece)});
  return Status::Ok();
}

Status PrepareSpaceToDepth(PrepareContext& context) {
  const auto* fields = context.node.As<fb::SpaceToDepthT>();
  kernels::CopyPiece piece{.dims =
                               Moves(ImageOf(context.outputs[0].shape, fields->channels_last),
                                     fields->block, fields->channels_last, Depth::kChannelInner)};
  for (kernels::CopyDim& dim : piece.dims) std::swap(dim.in_stride, dim.out_stride);
  PrepareCopy(context, {0}, {std::move(piece)});
  return Status::Ok();
}

}  // namespace

extern const OpRule kDepthToSpaceRule, kSpaceToDepthRule;
const OpRule kDepthToSpaceRule = {"DepthToSpace", InferDepthToSpace, PrepareDepthToSpace};
const OpRule kSpaceToDepthRule = {"SpaceToDepth", InferSpaceToDepth, PrepareSpaceToDepth};

}  // namespace pleat::runtime
