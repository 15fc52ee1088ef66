// Every way to compute a problem, under every instruction set, on buffers that end or begin at an
// inaccessible page, with one thread and several.
#ifndef PLEAT_TESTS_KERNELS_ELEMENTWISE_SUPPORT_H_
#define PLEAT_TESTS_KERNELS_ELEMENTWISE_SUPPORT_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "kernels/instruction_set.h"
#include "kernels/kernel.h"
#include "tests/support/guarded.h"

namespace pleat::kernels {

inline const std::vector<int64_t> kOddSizes = {0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 1000};

// Distance of y from the definition in units of float32's last place at the definition's value;
// anything below `negligible` counts as zero. Infinities and NaN must agree.
inline double UlpsOff(float y, double definition, double negligible = 0) {
  if (std::isnan(definition)) return std::isnan(y) ? 0 : HUGE_VAL;
  const float rounded = static_cast<float>(definition);
  if (std::isinf(rounded) || std::isinf(y)) return y == rounded ? 0 : HUGE_VAL;
  const double error = std::abs(y - definition);
  if (error <= negligible) return 0;
  const float size = std::abs(rounded);
  const double ulp = std::nextafter(size, std::numeric_limits<float>::infinity()) - size;
  return error / ulp;
}

// Calls check(kernel, name) for each candidate that accepts the problem, under each instruction
// set.
template <class P, class F>
void ForEveryKernel(std::span<const Candidate<P>> candidates, const P& problem, F&& check) {
  for (const std::string& set : InstructionSets()) {
    UseInstructionSet(set);
    for (const Candidate<P>& candidate : candidates) {
      if (!candidate.refuse(problem).empty()) continue;
      SCOPED_TRACE(set + " " + candidate.name);
      check(*candidate.make(problem), std::string(candidate.name));
    }
  }
  UseInstructionSet(InstructionSets().front());
}

// What every run of a kernel is given and must leave behind.
struct Buffers {
  std::vector<std::vector<std::byte>> inputs;
  std::vector<size_t> output_bytes;

  template <class T>
  Buffers& In(const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
    inputs.emplace_back(bytes, bytes + values.size() * sizeof(T));
    return *this;
  }
  template <class T>
  Buffers& Out(size_t count) {
    output_bytes.push_back(count * sizeof(T));
    return *this;
  }
};

inline std::deque<ThreadPool>& TestPools() {
  static std::deque<ThreadPool> pools = [] {
    std::deque<ThreadPool> made;
    for (const int threads : {1, 2, 3}) made.emplace_back(threads);
    return made;
  }();
  return pools;
}

// Runs a kernel with 1, 2 and 3 threads and both flushes, expects the same bits each time, and
// returns the outputs' bytes. With `in_place` the first output is the first input's memory.
inline std::vector<std::vector<std::byte>> RunEveryWay(const Kernel& kernel, const Buffers& buffers,
                                                       bool in_place = false) {
  std::vector<std::vector<std::byte>> first;
  for (const tests::Flush flush : {tests::Flush::kEnd, tests::Flush::kBegin}) {
    for (ThreadPool& threads : TestPools()) {
      std::deque<tests::Guarded<std::byte>> in, out;
      std::vector<const void*> sources;
      std::vector<void*> targets;
      for (const auto& bytes : buffers.inputs)
        sources.push_back(in.emplace_back(bytes, flush).data());
      for (const size_t bytes : buffers.output_bytes) {
        auto& target = out.emplace_back(bytes, flush);
        std::fill(target.span().begin(), target.span().end(), std::byte{0xcd});
        targets.push_back(target.data());
      }
      if (in_place) targets[0] = in[0].data();
      tests::Guarded<std::byte> scratch((kernel.scratch_bytes(threads.threads()) + 63) / 64 * 64,
                                        flush);
      kernel.Run({sources.data(), targets.data(), scratch.data(), &threads});
      std::vector<std::vector<std::byte>> results;
      for (size_t i = 0; i < targets.size(); ++i) {
        const auto* bytes = static_cast<const std::byte*>(targets[i]);
        results.emplace_back(bytes, bytes + buffers.output_bytes[i]);
      }
      if (first.empty()) first = results;
      EXPECT_TRUE(results == first) << threads.threads() << " threads differ";
    }
  }
  return first;
}

// The elements that bytes hold.
template <class T>
std::vector<T> As(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace pleat::kernels

#endif  // PLEAT_TESTS_KERNELS_ELEMENTWISE_SUPPORT_H_
