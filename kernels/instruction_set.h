// The instruction sets that kernels are compiled for. Kernels use the best one the CPU has; tests
// go through all of them.
#ifndef PLEAT_KERNELS_INSTRUCTION_SET_H_
#define PLEAT_KERNELS_INSTRUCTION_SET_H_

#include <string>
#include <vector>

namespace pleat::kernels {

// Names of those that this build holds and this CPU runs, best first; never empty.
std::vector<std::string> InstructionSets();

// Kernels made from now on use this one. REQUIRES: `name` is in InstructionSets(); no other thread
// makes or runs kernels meanwhile.
void UseInstructionSet(const std::string& name);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_INSTRUCTION_SET_H_
