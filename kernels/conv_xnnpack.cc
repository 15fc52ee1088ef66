// Convolution and transposed convolution by XNNPACK's operators, to compare with and to choose by
// name. XNNPACK reads up to XNN_EXTRA_BYTES behind its input, so the image is copied into scratch
// that has them. Activations are applied after it. It bounds every sum, by infinities here, which
// makes a NaN a number with some instruction sets: nobody gets it without asking.
#include <xnnpack.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include "kernels/conv_geometry.h"
#include "kernels/unary.h"

namespace pleat::kernels {
namespace {

bool Ready() {
  static const bool ready = xnn_initialize(nullptr) == xnn_status_success;
  return ready;
}

// What XNNPACK adds behind the last pixel of a transposed convolution along axis d, when the pads
// at the end would be negative.
int64_t Excess(const ConvTransposeProblem& p, int d) {
  const int64_t full = (p.in[d] - 1) * p.stride[d] + (p.kernel[d] - 1) * p.dilation[d] + 1;
  return p.out[d] - (full - p.pad_begin[d]);
}

template <class Problem>
Refusal RefuseImages(const Problem& p) {
  if (p.type != ElementType::kFloat32) return "computes float32 only";
  if (!p.channels_last) return "wants channels last";
  if (p.tap_bias != nullptr) return "adds one bias everywhere";
  if (p.in[0] != 1 || p.out[0] != 1 || p.kernel[0] != 1 || p.pad_begin[0] != 0) {
    return "has no third spatial dimension";
  }
  if (p.weights == nullptr || (p.has_bias && p.bias == nullptr)) return "wants constant weights";
  if (p.batch * InPixels(p) * OutPixels(p) * p.in_channels * p.out_channels == 0) {
    return "wants images that are not empty";
  }
  for (int d = 1; d < 3; ++d) {
    for (int64_t size : {p.kernel[d], p.stride[d], p.dilation[d], p.pad_begin[d]}) {
      if (size > std::numeric_limits<int32_t>::max()) return "counts in 32 bits";
    }
  }
  return Ready() ? Refusal() : "XNNPACK does not run on this machine";
}

Refusal Refuse(const ConvProblem& p) {
  if (p.has_residual) return "adds no residual";
  if (p.prologue) return "reads its input as it is";
  if (p.in_pixel_stride != 0 || p.out_pixel_stride != 0) return "wants densely packed pixels";
  if (p.pad_end[0] != 0) return "has no third spatial dimension";
  return RefuseImages(p);
}

Refusal Refuse(const ConvTransposeProblem& p) {
  if (p.out_pixel_stride != 0) return "wants densely packed pixels";
  for (int d = 1; d < 3; ++d) {
    if (Excess(p, d) >= p.stride[d]) return "adds less than a stride behind the image";
  }
  return RefuseImages(p);
}

uint32_t Narrow(int64_t size) { return static_cast<uint32_t>(size); }

struct Delete {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using Operator = std::unique_ptr<xnn_operator, Delete>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Weights as XNNPACK wants them: [G][M/G][taps][C/G].
template <class Problem>
std::vector<float> Weights(const Problem& p, WeightLayout layout) {
  const int64_t inputs = p.in_channels / p.groups;
  const auto* from = static_cast<const float*>(p.weights);
  std::vector<float> weights;
  weights.reserve(static_cast<size_t>(p.out_channels * Taps(p) * inputs));
  for (int64_t m = 0; m < p.out_channels; ++m) {
    for (int64_t tap = 0; tap < Taps(p); ++tap) {
      for (int64_t c = 0; c < inputs; ++c) {
        weights.push_back(from[WeightIndex(p, layout, m, c, tap)]);
      }
    }
  }
  return weights;
}

xnn_status Create(const ConvProblem& p, xnn_operator_t* op) {
  return xnn_create_convolution2d_nhwc_f32(
      Narrow(p.pad_begin[1]), Narrow(p.pad_end[2]), Narrow(p.pad_end[1]), Narrow(p.pad_begin[2]),
      Narrow(p.kernel[1]), Narrow(p.kernel[2]), Narrow(p.stride[1]), Narrow(p.stride[2]),
      Narrow(p.dilation[1]), Narrow(p.dilation[2]), Narrow(p.groups),
      static_cast<size_t>(p.in_channels / p.groups), static_cast<size_t>(p.out_channels / p.groups),
      static_cast<size_t>(p.in_channels), static_cast<size_t>(p.out_channels),
      Weights(p, p.weight_layout).data(), static_cast<const float*>(p.bias), -kInfinity, kInfinity,
      0, op);
}

xnn_status Create(const ConvTransposeProblem& p, xnn_operator_t* op) {
  const auto pad_end = [&](int d) { return Narrow(std::max<int64_t>(-Excess(p, d), 0)); };
  return xnn_create_deconvolution2d_nhwc_f32(
      Narrow(p.pad_begin[1]), pad_end(2), pad_end(1), Narrow(p.pad_begin[2]), Narrow(p.kernel[1]),
      Narrow(p.kernel[2]), Narrow(p.stride[1]), Narrow(p.stride[2]), Narrow(p.dilation[1]),
      Narrow(p.dilation[2]), Narrow(p.groups), static_cast<size_t>(p.in_channels / p.groups),
      static_cast<size_t>(p.out_channels / p.groups), static_cast<size_t>(p.in_channels),
      static_cast<size_t>(p.out_channels), Weights(p, WeightLayout::kOnnx).data(),
      static_cast<const float*>(p.bias), -kInfinity, kInfinity, 0, op);
}

xnn_status SetUp(const ConvProblem& p, xnn_operator_t op, const float* x, float* y,
                 pthreadpool_t threads) {
  return xnn_setup_convolution2d_nhwc_f32(op, static_cast<size_t>(p.batch),
                                          static_cast<size_t>(p.in[1]),
                                          static_cast<size_t>(p.in[2]), x, y, threads);
}

xnn_status SetUp(const ConvTransposeProblem& p, xnn_operator_t op, const float* x, float* y,
                 pthreadpool_t threads) {
  const auto adjustment = [&](int d) { return Narrow(std::max<int64_t>(Excess(p, d), 0)); };
  return xnn_setup_deconvolution2d_nhwc_f32(
      op, static_cast<size_t>(p.batch), static_cast<size_t>(p.in[1]), static_cast<size_t>(p.in[2]),
      adjustment(1), adjustment(2), x, y, threads);
}

void Require(xnn_status status) {
  if (status != xnn_status_success) throw std::bad_alloc();
}

template <class Problem>
class XnnpackConv final : public Kernel {
 public:
  explicit XnnpackConv(const Problem& p) : p_(p) {
    xnn_operator_t op = nullptr;
    Require(Create(p, &op));
    operator_.reset(op);
  }

  size_t scratch_bytes(int) const override { return InBytes() + XNN_EXTRA_BYTES; }

  void Run(const Operands& operands) const override {
    std::memcpy(operands.scratch, operands.inputs[0], InBytes());
    std::memset(static_cast<char*>(operands.scratch) + InBytes(), 0, XNN_EXTRA_BYTES);
    auto* y = static_cast<float*>(operands.outputs[0]);
    {
      const std::lock_guard<std::mutex> lock(mutex_);  // an XNNPACK operator runs once at a time
      Require(SetUp(p_, operator_.get(), static_cast<const float*>(operands.scratch), y,
                    operands.threads->native()));
      Require(xnn_run_operator(operator_.get(), operands.threads->native()));
    }
    if (p_.activation.kind == UnaryKind::kIdentity) return;
    ApplyActivation(p_.activation, y,
                    static_cast<size_t>(p_.batch * OutPixels(p_) * p_.out_channels));
  }

 private:
  size_t InBytes() const {
    return static_cast<size_t>(p_.batch * InPixels(p_) * p_.in_channels) * sizeof(float);
  }

  Problem p_;
  Operator operator_;
  mutable std::mutex mutex_;
};

}  // namespace

extern const Candidate<ConvProblem> kConvXnnpack;
const Candidate<ConvProblem> kConvXnnpack = {"xnnpack",
                                             [](const ConvProblem& p) { return Refuse(p); },
                                             [](const ConvProblem& p) -> std::unique_ptr<Kernel> {
                                               return std::make_unique<XnnpackConv<ConvProblem>>(p);
                                             }};

extern const Candidate<ConvTransposeProblem> kConvTransposeXnnpack;
const Candidate<ConvTransposeProblem> kConvTransposeXnnpack = {
    "xnnpack", [](const ConvTransposeProblem& p) { return Refuse(p); },
    [](const ConvTransposeProblem& p) -> std::unique_ptr<Kernel> {
      return std::make_unique<XnnpackConv<ConvTransposeProblem>>(p);
    }};

}  // namespace pleat::kernels
