#include "kernels/conv_reference.h"

namespace pleat::kernels {
namespace {

int64_t GatherFrom(const ConvProblem& p, int d, int64_t o, int64_t k) {
  const int64_t i = o * p.stride[d] - p.pad_begin[d] + k * p.dilation[d];
  return i < p.in[d] ? i : -1;
}

std::unique_ptr<Kernel> Make(const ConvProblem& p) {
  if (p.type == ElementType::kFloat64) {
    return std::make_unique<ReferenceWindows<double, ConvProblem, GatherFrom>>(p);
  }
  return std::make_unique<ReferenceWindows<float, ConvProblem, GatherFrom>>(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvReference;
const Candidate<ConvProblem> kConvReference = {"reference",
                                               [](const ConvProblem&) { return Refusal(); }, Make};

}  // namespace pleat::kernels
