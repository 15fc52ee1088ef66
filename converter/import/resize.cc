// Resize and its predecessor Upsample.
#include "converter/import/imports.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::kNoValue;
using runtime::Status;
using runtime::ValueId;

template <class T>
struct Named {
  const char* name;
  T value;
};

constexpr Named<fb::ResizeMode> kModes[] = {
    {"nearest", fb::ResizeMode::Nearest},
    {"linear", fb::ResizeMode::Linear},
    {"bilinear", fb::ResizeMode::Linear},
    {"cubic", fb::ResizeMode::Cubic},
};
constexpr Named<fb::CoordinateMode> kCoordinates[] = {
    {"half_pixel", fb::CoordinateMode::HalfPixel},
    {"pytorch_half_pixel", fb::CoordinateMode::PytorchHalfPixel},
    {"align_corners", fb::CoordinateMode::AlignCorners},
    {"asymmetric", fb::CoordinateMode::Asymmetric},
    {"tf_crop_and_resize", fb::CoordinateMode::TfCropAndResize},
    {"half_pixel_symmetric", fb::CoordinateMode::HalfPixelSymmetric},
    {"tf_half_pixel_for_nn", fb::CoordinateMode::TfHalfPixelForNn},
};
constexpr Named<fb::NearestMode> kNearest[] = {
    {"round_prefer_floor", fb::NearestMode::RoundPreferFloor},
    {"round_prefer_ceil", fb::NearestMode::RoundPreferCeil},
    {"floor", fb::NearestMode::Floor},
    {"ceil", fb::NearestMode::Ceil},
};
constexpr Named<fb::AspectPolicy> kAspects[] = {
    {"stretch", fb::AspectPolicy::Stretch},
    {"not_larger", fb::AspectPolicy::NotLarger},
    {"not_smaller", fb::AspectPolicy::NotSmaller},
};

template <class T, size_t N>
T ReadNamed(ImportContext& context, const char* attribute, const char* otherwise,
            const Named<T> (&table)[N]) {
  const std::string text = context.String(attribute, otherwise);
  for (const Named<T>& entry : table) {
    if (text == entry.name) return entry.value;
  }
  context.Invalid(std::string(attribute) + " " + Quoted(text) + " is not one of ONNX's");
  return table[0].value;
}

// Stretches by `scales` the way Upsample and Resize did before operator set 11.
Status DoneBefore11(ImportContext& context, ValueId scales) {
  fb::ResizeT fields;
  fields.mode = ReadNamed(context, "mode", "nearest", kModes);
  fields.coordinates = fb::CoordinateMode::Asymmetric;
  fields.nearest = fb::NearestMode::Floor;
  if (scales == kNoValue) return context.Invalid("no scales are given");
  return context.Done(
      context.Emit(std::move(fields), {context.input(0), kNoValue, scales, kNoValue}));
}

// An input that is there but empty counts as left out.
ValueId Filled(ImportContext& context, int i) {
  const runtime::Type type = context.input_type(i);
  const bool hollow = type.ranked && type.rank() == 1 && type.shape[0] == 0;
  return hollow ? kNoValue : context.input(i);
}

}  // namespace

Status ImportUpsample(ImportContext& context) {
  if (context.opset() >= 9) return DoneBefore11(context, context.input(1));
  std::vector<float> scales = {1, 1, 0, 0};
  if (context.opset() < 7) {
    scales[2] = context.Float("height_scale", 0);
    scales[3] = context.Float("width_scale", 0);
  } else {
    scales = context.Floats("scales");
  }
  return DoneBefore11(context, context.Constant(runtime::Tensor::Vector(scales)));
}

Status ImportResize(ImportContext& context) {
  if (context.opset() < 11) return DoneBefore11(context, context.input(1));
  fb::ResizeT fields;
  fields.mode = ReadNamed(context, "mode", "nearest", kModes);
  fields.coordinates =
      ReadNamed(context, "coordinate_transformation_mode", "half_pixel", kCoordinates);
  fields.nearest = ReadNamed(context, "nearest_mode", "round_prefer_floor", kNearest);
  fields.aspect = ReadNamed(context, "keep_aspect_ratio_policy", "stretch", kAspects);
  fields.cubic_a = context.Float("cubic_coeff_a", -0.75f);
  fields.exclude_outside = context.Flag("exclude_outside");
  fields.extrapolation_value = context.Float("extrapolation_value", 0);
  fields.antialias = context.Flag("antialias");
  fields.axes = context.Ints("axes");
  const bool crops = fields.coordinates == fb::CoordinateMode::TfCropAndResize;
  const ValueId roi = crops ? Filled(context, 1) : kNoValue;
  const ValueId scales = Filled(context, 2);
  const ValueId sizes = Filled(context, 3);
  if ((scales == kNoValue) == (sizes == kNoValue)) {
    return context.Invalid("either scales or sizes are needed, and only one of them");
  }
  if (crops && roi == kNoValue) return context.Invalid("tf_crop_and_resize needs a roi");
  return context.Done(context.Emit(std::move(fields), {context.input(0), roi, scales, sizes}));
}

}  // namespace pleat::converter
