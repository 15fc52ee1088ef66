// How kernels that sum products are tested: every candidate of a list, every instruction set and
// number of threads, guarded buffers, against sums in double with a tolerance scaled by what was
// summed.
#ifndef PLEAT_TESTS_KERNELS_PRODUCT_SUPPORT_H_
#define PLEAT_TESTS_KERNELS_PRODUCT_SUPPORT_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/activation.h"
#include "kernels/instruction_set.h"
#include "kernels/kernel.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace pleat::tests {

// Sums before the activation, and the sums of their terms' magnitudes.
struct ExpectedSums {
  std::vector<double> sums;
  std::vector<double> magnitudes;
};

// Rounding errors a method may make, in units of the magnitude's last place.
inline double ToleranceOf(const std::string& kernel) {
  if (kernel == "winograd2") return 16;
  if (kernel == "winograd4") return 128;
  if (kernel == "winograd6") return 1024;
  return 8;
}

inline kernels::ThreadPool& Pool(int threads) {
  static std::map<int, std::unique_ptr<kernels::ThreadPool>> pools;
  auto& pool = pools[threads];
  if (pool == nullptr) pool = std::make_unique<kernels::ThreadPool>(threads);
  return *pool;
}

// Names of the candidates that ran, to check that none was always refused.
using Ran = std::map<std::string, int>;

// Makes and runs every candidate that accepts `problem`, and compares. `inputs` are the operands of
// a run; `y` must hold what may not be overwritten (the gaps of a strided output).
template <class T, class Problem>
void CheckCandidates(std::span<const kernels::Candidate<Problem>> candidates, Problem problem,
                     const std::vector<std::vector<T>>& inputs, const std::vector<T>& y,
                     const std::vector<int64_t>& places, const ExpectedSums& expected, Flush flush,
                     const std::string& label, Ran& ran) {
  std::vector<std::unique_ptr<Guarded<T>>> guarded;
  std::vector<const void*> sources;
  for (const auto& input : inputs) {
    guarded.push_back(std::make_unique<Guarded<T>>(input, flush));
    sources.push_back(guarded.back()->data());
  }
  const double unit = std::numeric_limits<T>::epsilon() / 2;
  for (const std::string& set : kernels::InstructionSets()) {
    kernels::UseInstructionSet(set);
    for (const auto& candidate : candidates) {
      // The reference is the same code for every instruction set.
      if (set != kernels::InstructionSets()[0] && candidate.name == candidates.back().name)
        continue;
      // Asked for by name, a candidate refuses only what it cannot compute.
      problem.select.only = candidate.name;
      if (!candidate.refuse(problem).empty()) continue;
      ++ran[candidate.name];
      const auto kernel = candidate.make(problem);
      const std::string where = label + " " + candidate.name + " " + set;
      std::vector<T> first;
      for (int threads : {1, 2, 3}) {
        Guarded<T> output(y, flush);
        // A page end is 64-byte aligned when the size is rounded up.
        Guarded<std::byte> scratch((kernel->scratch_bytes(threads) + 63) / 64 * 64, flush);
        std::memset(scratch.data(), 0xff, scratch.size());
        void* target = output.data();
        kernel->Run({sources.data(), &target, scratch.data(), &Pool(threads)});
        if (threads != 1) {
          ASSERT_TRUE(y.empty() ||
                      std::memcmp(first.data(), output.data(), y.size() * sizeof(T)) == 0)
              << where << ": " << threads << " threads give another result";
          continue;
        }
        first.assign(output.data(), output.data() + y.size());
        std::vector<bool> written(y.size());
        for (size_t i = 0; i < places.size(); ++i) {
          const auto place = static_cast<size_t>(places[i]);
          written[place] = true;
          const auto& act = problem.activation;
          const double want = kernels::ApplyUnary(act.kind, act.a, act.b, expected.sums[i]);
          const double slack = 1.2 * ToleranceOf(candidate.name) * unit * expected.magnitudes[i] +
                               4 * unit * std::abs(want) + 1e-37;
          ASSERT_LE(std::abs(want - static_cast<double>(first[place])), slack)
              << where << " at " << i << ": expected " << want << ", got " << first[place];
        }
        for (size_t i = 0; i < y.size(); ++i) {
          if (!written[i]) {
            ASSERT_EQ(std::memcmp(&first[i], &y[i], sizeof(T)), 0)
                << where << " writes between pixels, at " << i;
          }
        }
      }
    }
  }
  kernels::UseInstructionSet(kernels::InstructionSets()[0]);
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_KERNELS_PRODUCT_SUPPORT_H_
