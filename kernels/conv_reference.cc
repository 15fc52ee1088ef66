#include "kernels/conv_reference.h"

namespace pleat::kernels {
namespace {

std::unique_ptr<Kernel> Make(const ConvProblem& p) {
  if (p.type == ElementType::kFloat64) {
    return std::make_unique<ReferenceWindows<double, ConvProblem>>(p);
  }
  return std::make_unique<ReferenceWindows<float, ConvProblem>>(p);
}

}  // namespace

extern const Candidate<ConvProblem> kConvReference;
const Candidate<ConvProblem> kConvReference = {"reference",
                                               [](const ConvProblem&) { return Refusal(); }, Make};

}  // namespace pleat::kernels
