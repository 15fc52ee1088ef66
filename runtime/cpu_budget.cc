#include "runtime/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

namespace pleat::runtime {
namespace {

// Whole CPUs per period, at least 1; kMaxThreads where there is no quota.
int CgroupQuota() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/sys/fs/cgroup/cpu.max", "re"), std::fclose);
  long long quota = 0, period = 0;
  if (file == nullptr || std::fscanf(file.get(), "%lld %lld", &quota, &period) != 2 || quota <= 0 ||
      period <= 0) {
    return kMaxThreads;
  }
  return static_cast<int>(std::clamp<long long>(quota / period, 1, kMaxThreads));
}

int AffinityCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int CpuBudget() { return std::clamp(std::min(AffinityCpus(), CgroupQuota()), 1, kMaxThreads); }

}  // namespace pleat::runtime
