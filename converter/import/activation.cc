// Functions of one number whose parameters are attributes.
#include <limits>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using kernels::UnaryKind;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

runtime::Status DoneWith(ImportContext& context, UnaryKind kind, float a = 0, float b = 0) {
  return context.Done(EmitUnary(context, kind, context.input(0), a, b));
}

struct Plain {
  const char* op;
  UnaryKind kind;
};

constexpr Plain kPlain[] = {
    {"Abs", UnaryKind::kAbs},
    {"Acos", UnaryKind::kAcos},
    {"Acosh", UnaryKind::kAcosh},
    {"Asin", UnaryKind::kAsin},
    {"Asinh", UnaryKind::kAsinh},
    {"Atan", UnaryKind::kAtan},
    {"Atanh", UnaryKind::kAtanh},
    {"BitwiseNot", UnaryKind::kBitwiseNot},
    {"Ceil", UnaryKind::kCeil},
    {"Cos", UnaryKind::kCos},
    {"Cosh", UnaryKind::kCosh},
    {"Erf", UnaryKind::kErf},
    {"Exp", UnaryKind::kExp},
    {"Floor", UnaryKind::kFloor},
    {"HardSwish", UnaryKind::kHardSwish},
    {"IsNaN", UnaryKind::kIsNaN},
    {"Log", UnaryKind::kLog},
    {"Mish", UnaryKind::kMish},
    {"Neg", UnaryKind::kNeg},
    {"Not", UnaryKind::kNot},
    {"Reciprocal", UnaryKind::kReciprocal},
    {"Round", UnaryKind::kRound},
    {"Sigmoid", UnaryKind::kSigmoid},
    {"Sign", UnaryKind::kSign},
    {"Sin", UnaryKind::kSin},
    {"Sinh", UnaryKind::kSinh},
    {"Softplus", UnaryKind::kSoftplus},
    {"Softsign", UnaryKind::kSoftsign},
    {"Sqrt", UnaryKind::kSqrt},
    {"Tan", UnaryKind::kTan},
    {"Tanh", UnaryKind::kTanh},
};

// The one element of a bound; false when it is not a known single number.
bool KnownBound(ImportContext& context, int i, float* bound) {
  if (!context.has_input(i)) return true;
  const runtime::Tensor tensor = context.constant_input(i);
  if (tensor.empty() || tensor.count() != 1) return false;
  *bound = static_cast<float>(runtime::ToDoubles(tensor)[0]);
  return true;
}

}  // namespace

runtime::Status ImportUnary(ImportContext& context) {
  for (const Plain& plain : kPlain) {
    if (context.op() == plain.op) return DoneWith(context, plain.kind);
  }
  return context.Unsupported("no such function");
}

runtime::Status ImportRelu(ImportContext& context) {
  return DoneWith(context, UnaryKind::kClip, 0, kInfinity);
}

runtime::Status ImportLeakyRelu(ImportContext& context) {
  return DoneWith(context, UnaryKind::kLeakyRelu, context.Float("alpha", 0.01f));
}

runtime::Status ImportElu(ImportContext& context) {
  return DoneWith(context, UnaryKind::kElu, context.Float("alpha", 1));
}

runtime::Status ImportSelu(ImportContext& context) {
  const bool first = context.opset() < 6;
  const float alpha = context.Float("alpha", first ? 1.6732f : 1.67326319217681884765625f);
  const float gamma = context.Float("gamma", first ? 1.0507f : 1.05070102214813232421875f);
  return DoneWith(context, UnaryKind::kSelu, alpha, gamma);
}

runtime::Status ImportCelu(ImportContext& context) {
  return DoneWith(context, UnaryKind::kCelu, context.Float("alpha", 1));
}

runtime::Status ImportHardSigmoid(ImportContext& context) {
  const float alpha = context.Float("alpha", 0.2f);
  return DoneWith(context, UnaryKind::kHardSigmoid, alpha, context.Float("beta", 0.5f));
}

runtime::Status ImportThresholdedRelu(ImportContext& context) {
  return DoneWith(context, UnaryKind::kThresholdedRelu, context.Float("alpha", 1));
}

runtime::Status ImportShrink(ImportContext& context) {
  const float lambd = context.Float("lambd", 0.5f);
  return DoneWith(context, UnaryKind::kShrink, lambd, context.Float("bias", 0));
}

runtime::Status ImportSwish(ImportContext& context) {
  return DoneWith(context, UnaryKind::kSwish, context.Float("alpha", 1));
}

runtime::Status ImportIsInf(ImportContext& context) {
  const bool negative = context.Flag("detect_negative", true);
  return DoneWith(context, UnaryKind::kIsInf, negative, context.Flag("detect_positive", true));
}

runtime::Status ImportGelu(ImportContext& context) {
  const std::string approximate = context.String("approximate", "none");
  if (approximate == "none") return DoneWith(context, UnaryKind::kGelu);
  if (approximate == "tanh") return DoneWith(context, UnaryKind::kGeluTanh);
  return context.Invalid("approximate is " + Quoted(approximate) + ", expected none or tanh");
}

runtime::Status ImportClip(ImportContext& context) {
  float low = -kInfinity;
  float high = kInfinity;
  if (context.opset() < 11) {
    low = context.Float("min", low);
    high = context.Float("max", high);
    return DoneWith(context, UnaryKind::kClip, low, high);
  }
  const bool known = KnownBound(context, 1, &low) && KnownBound(context, 2, &high);
  if (known && kernels::IsFloat(context.input_type(0).element)) {
    return DoneWith(context, UnaryKind::kClip, low, high);
  }
  runtime::ValueId clipped = context.input(0);
  const auto bound_by = [&](fb::BinaryKind kind, int i) {
    if (!context.has_input(i)) return;
    clipped = EmitBinary(context, kind, clipped, context.input(i));
  };
  bound_by(fb::BinaryKind::Max, 1);
  bound_by(fb::BinaryKind::Min, 2);
  return context.Done(clipped);
}

// A gate (Shazeer, "GLU Variants Improve Transformer", 2020): a * sigmoid(alpha * a) * b.
runtime::Status ImportSwiGlu(ImportContext& context) {
  const runtime::ValueId a = context.input(0);
  const float alpha = context.Float("alpha", 1);
  return context.Done(EmitBinary(context, fb::BinaryKind::Mul,
                                 EmitUnary(context, UnaryKind::kSwish, a, alpha),
                                 context.input(1)));
}

}  // namespace pleat::converter
