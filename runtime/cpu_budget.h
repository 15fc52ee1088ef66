// How many threads this process may use.
#ifndef PLEAT_RUNTIME_CPU_BUDGET_H_
#define PLEAT_RUNTIME_CPU_BUDGET_H_

namespace pleat::runtime {

inline constexpr int kMaxThreads = 1024;

// The CPUs in the calling thread's affinity mask, or the whole CPUs of the cgroup's quota (cpu.max
// of cgroup v2) where those are fewer; from 1 to kMaxThreads.
int CpuBudget();

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_CPU_BUDGET_H_
