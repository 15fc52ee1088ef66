// The operators of ai.onnx.ml that stand around networks of tables: preprocessing that is arithmetic.
#include <cmath>
#include <limits>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

ValueId InFloat(ImportContext& context, int input) {
  return context.CastTo(ElementType::kFloat32, context.input(input));
}

Status Refuse(ImportContext& context, const std::string& what) {
  return context.Fail({runtime::StatusCode::kUnsupported, what, kRefusedOperator});
}

}  // namespace

// (x - offset) * scale
Status ImportScaler(ImportContext& context) {
  const std::vector<float> offset = context.Floats("offset"), scale = context.Floats("scale");
  ValueId y = InFloat(context, 0);
  if (!offset.empty()) {
    y = EmitBinary(context, BinaryKind::Sub, y, context.Constant(Tensor::Vector<float>(offset)));
  }
  if (!scale.empty()) {
    y = EmitBinary(context, BinaryKind::Mul, y, context.Constant(Tensor::Vector<float>(scale)));
  }
  return context.Done(y);
}

Status ImportArrayFeatureExtractor(ImportContext& context) {
  const int rank = context.Rank(0);
  if (!context.ok()) return context.status();
  fb::GatherT gather;
  gather.axis = rank - 1;
  const ValueId places =
      EmitReshape(context, context.CastTo(ElementType::kInt64, context.input(1)), {-1});
  const ValueId y = context.Emit(std::move(gather), {context.input(0), places});
  return context.Done(rank == 1 ? EmitReshape(context, y, {1, -1}) : y);
}

Status ImportBinarizer(ImportContext& context) {
  const ElementType type = context.input_type(0).element;
  const ValueId threshold = context.Scalar(context.Float("threshold", 0), ElementType::kFloat32);
  const ValueId above = EmitBinary(context, BinaryKind::Greater, InFloat(context, 0), threshold);
  return context.Done(context.CastTo(type, above));
}

// Rows of zeros stay zeros.
Status ImportNormalizer(ImportContext& context) {
  const std::string norm = context.String("norm", "MAX");
  if (norm != "L1" && norm != "L2") {
    return Refuse(context, "norm is " + Quoted(norm) + ", expected L1 or L2");
  }
  const ValueId x = InFloat(context, 0);
  const int rank = context.Rank(0);
  if (!context.ok()) return context.status();
  const auto kind = norm == "L1" ? fb::ReduceKind::L1 : fb::ReduceKind::L2;
  const ValueId size = EmitReduce(context, kind, x, {rank - 1});
  const ValueId none =
      EmitBinary(context, BinaryKind::Equal, size, context.Scalar(0, ElementType::kFloat32));
  const ValueId by =
      context.Emit(fb::WhereT(), {none, context.Scalar(1, ElementType::kFloat32), size});
  return context.Done(EmitBinary(context, BinaryKind::Div, x, by));
}

Status ImportImputer(ImportContext& context) {
  const std::vector<float> imputed = context.Floats("imputed_value_floats");
  const float replaced = context.Float("replaced_value_float", 0);
  if (context.Has("imputed_value_int64s") || imputed.empty()) {
    return Refuse(context, "it imputes integers; only floats are read");
  }
  context.Ignore("replaced_value_int64");
  const ValueId x = InFloat(context, 0);
  const ValueId missing =
      std::isnan(replaced)
          ? EmitUnary(context, UnaryKind::kIsNaN, x)
          : EmitBinary(context, BinaryKind::Equal, x,
                       context.Scalar(replaced, ElementType::kFloat32));
  const ValueId instead = context.Constant(Tensor::Vector<float>(imputed));
  return context.Done(context.Emit(fb::WhereT(), {missing, instead, x}));
}

Status ImportFeatureVectorizer(ImportContext& context) {
  context.Ignore("inputdimensions");
  std::vector<ValueId> parts;
  for (int i = 0; i < context.input_count(); ++i) parts.push_back(InFloat(context, i));
  return context.Done(EmitConcat(context, -1, std::move(parts)));
}

// x * coefficients^T + intercepts
Status ImportLinearRegressor(ImportContext& context) {
  const std::vector<float> coefficients = context.Floats("coefficients");
  const std::vector<float> intercepts = context.Floats("intercepts");
  const int64_t targets = context.Int("targets", 1);
  const std::string after = context.String("post_transform", "NONE");
  if (targets < 1 || coefficients.empty() ||
      static_cast<int64_t>(coefficients.size()) % targets != 0) {
    return context.Invalid(std::to_string(coefficients.size()) + " coefficients for " +
                           std::to_string(targets) + " targets");
  }
  if (after != "NONE" && after != "LOGISTIC" && after != "SOFTMAX") {
    return Refuse(context, "post_transform is " + Quoted(after) +
                               ", expected NONE, LOGISTIC or SOFTMAX");
  }
  const int64_t terms = static_cast<int64_t>(coefficients.size()) / targets;
  std::vector<float> weights(coefficients.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto row = static_cast<int64_t>(i) / targets, column = static_cast<int64_t>(i) % targets;
    weights[i] = coefficients[static_cast<size_t>(column * terms + row)];
  }
  ValueId y = context.Emit(
      fb::MatMulT(),
      {InFloat(context, 0), context.Constant(Tensor::Of<float>({terms, targets}, weights))});
  if (!intercepts.empty()) {
    y = EmitBinary(context, BinaryKind::Add, y,
                   context.Constant(Tensor::Vector<float>(intercepts)));
  }
  if (after == "LOGISTIC") y = EmitUnary(context, UnaryKind::kSigmoid, y);
  if (after == "SOFTMAX") {
    fb::SoftmaxT softmax;
    softmax.axis = -1;
    y = context.Emit(std::move(softmax), {y});
  }
  return context.Done(y);
}

// A 1 where the number is the category, along a new last axis.
Status ImportOneHotEncoder(ImportContext& context) {
  const std::vector<int64_t> categories = context.Ints("cats_int64s");
  if (categories.empty()) return Refuse(context, "its categories are strings");
  if (!context.Flag("zeros", true)) {
    return Refuse(context, "it fails on unknown categories; let it ignore them (zeros = 1)");
  }
  const int rank = context.Rank(0);
  if (!context.ok()) return context.status();
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {rank};
  const ValueId x = context.Emit(std::move(unsqueeze),
                                 {context.CastTo(ElementType::kInt64, context.input(0))});
  const ValueId same = EmitBinary(context, BinaryKind::Equal, x, context.Int64s(categories));
  return context.Done(context.CastTo(ElementType::kFloat32, same));
}

}  // namespace pleat::converter
