#include "kernels/instruction_set.h"

#include "hwy/highway.h"

namespace pleat::kernels {
namespace {

std::vector<int64_t> Targets() {
  // All that this build holds, whatever UseInstructionSet left enabled.
  static const std::vector<int64_t> kTargets = hwy::SupportedAndGeneratedTargets();
  return kTargets;
}

}  // namespace

std::vector<std::string> InstructionSets() {
  std::vector<std::string> names;
  for (const int64_t target : Targets()) names.push_back(hwy::TargetName(target));
  if (names.empty()) names.push_back(hwy::TargetName(HWY_STATIC_TARGET));
  return names;
}

void UseInstructionSet(const std::string& name) {
  for (const int64_t target : Targets()) {
    if (name != hwy::TargetName(target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
  }
}

}  // namespace pleat::kernels
