#include "kernels/conv_reference.h"

namespace pleat::kernels {
namespace {

// The input whose tap k lands on output o, where there is one.
int64_t ScatteredFrom(const ConvTransposeProblem& p, int d, int64_t o, int64_t k) {
  const int64_t place = o + p.pad_begin[d] - k * p.dilation[d];
  if (place < 0 || place % p.stride[d] != 0) return -1;
  return place / p.stride[d] < p.in[d] ? place / p.stride[d] : -1;
}

std::unique_ptr<Kernel> Make(const ConvTransposeProblem& p) {
  if (p.type == ElementType::kFloat64) {
    return std::make_unique<ReferenceWindows<double, ConvTransposeProblem, ScatteredFrom>>(p);
  }
  return std::make_unique<ReferenceWindows<float, ConvTransposeProblem, ScatteredFrom>>(p);
}

}  // namespace

extern const Candidate<ConvTransposeProblem> kConvTransposeReference;
const Candidate<ConvTransposeProblem> kConvTransposeReference = {
    "reference", [](const ConvTransposeProblem&) { return Refusal(); }, Make};

}  // namespace pleat::kernels
