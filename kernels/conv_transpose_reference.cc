#include "kernels/conv_reference.h"

namespace pleat::kernels {
namespace {

std::unique_ptr<Kernel> Make(const ConvTransposeProblem& p) {
  if (p.type == ElementType::kFloat64) {
    return std::make_unique<ReferenceWindows<double, ConvTransposeProblem>>(p);
  }
  return std::make_unique<ReferenceWindows<float, ConvTransposeProblem>>(p);
}

}  // namespace

extern const Candidate<ConvTransposeProblem> kConvTransposeReference;
const Candidate<ConvTransposeProblem> kConvTransposeReference = {
    "reference", [](const ConvTransposeProblem&) { return Refusal(); }, Make};

}  // namespace pleat::kernels
