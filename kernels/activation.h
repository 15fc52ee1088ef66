// Functions of one number: the unary operators, and the activations that other kernels apply to a
// value before they store it.
#ifndef PLEAT_KERNELS_ACTIVATION_H_
#define PLEAT_KERNELS_ACTIVATION_H_

#include <cstdint>

namespace pleat::kernels {

// Values are part of the model file: append, never renumber. a and b are the two parameters.
enum class UnaryKind : uint8_t {
  kIdentity = 0,
  kClip = 1,         // min(max(x, a), b); Relu is [0, inf], Relu6 is [0, 6]
  kLeakyRelu = 2,    // x < 0 ? a*x : x
  kElu = 3,          // x < 0 ? a*(exp(x)-1) : x
  kSelu = 4,         // b * (x < 0 ? a*(exp(x)-1) : x)
  kCelu = 5,         // max(0,x) + min(0, a*(exp(x/a)-1))
  kSigmoid = 6,      // 1 / (1 + exp(-x))
  kHardSigmoid = 7,  // max(0, min(1, a*x + b))
  kSwish = 8,        // x * sigmoid(a*x); SiLU is a = 1
  kHardSwish = 9,    // x * max(0, min(1, x/6 + 1/2))
  kTanh = 10,
  kSoftplus = 11,  // log(1 + exp(x))
  kSoftsign = 12,  // x / (1 + |x|)
  kMish = 13,      // x * tanh(softplus(x))
  kGelu = 14,      // x/2 * (1 + erf(x/sqrt 2))
  kGeluTanh = 15,  // x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
  kErf = 16,
  kThresholdedRelu = 17,  // x > a ? x : 0
  kShrink = 18,           // x < -a ? x+b : x > a ? x-b : 0
  kAbs = 19,
  kNeg = 20,
  kExp = 21,
  kLog = 22,
  kSqrt = 23,
  kReciprocal = 24,
  kFloor = 25,
  kCeil = 26,
  kRound = 27,  // halves to even; a > 0: to a bits behind the first one and none below 2^b
  kSign = 28,
  kSin = 29,
  kCos = 30,
  kTan = 31,
  kAsin = 32,
  kAcos = 33,
  kAtan = 34,
  kSinh = 35,
  kCosh = 36,
  kAsinh = 37,
  kAcosh = 38,
  kAtanh = 39,
  kNot = 40,    // bool -> bool
  kIsNaN = 41,  // float -> bool
  kIsInf = 42,  // float -> bool; a != 0: find -inf, b != 0: find +inf
  kBitwiseNot = 43,
  kAffine = 44,      // a*x + b
  kScaledTanh = 45,  // a * tanh(b*x)
};
inline constexpr int kUnaryKindCount = 46;

// An activation with its parameters. NaN stays NaN in every one of them.
struct Activation {
  UnaryKind kind = UnaryKind::kIdentity;
  float a = 0;
  float b = 0;
};

// The function itself, in double: the definition all kernels are tested against.
double ApplyUnary(UnaryKind kind, double a, double b, double x);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_ACTIVATION_H_
