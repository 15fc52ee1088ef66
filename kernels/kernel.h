// One way to compute one primitive. Each primitive (conv.h, matmul.h, pool.h ...) has a Problem
// struct that says what is computed, and a list of candidates (*_kernels.inc), `reference` last.
// A candidate accepts a problem or refuses it with a reason, and makes a Kernel for it: weights
// packed, tables built. A kernel cannot fail: the caller promises what the Problem says.
#ifndef PLEAT_KERNELS_KERNEL_H_
#define PLEAT_KERNELS_KERNEL_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/threads.h"

namespace pleat::kernels {

// What a kernel reads and writes in one run. Every buffer is as long as the problem says and not
// one byte more may be touched; tensors in the arena are 64-byte aligned, callers' own may not be.
struct Operands {
  const void* const* inputs;
  void* const* outputs;
  void* scratch;  // scratch_bytes() bytes, 64-byte aligned, contents undefined
  ThreadPool* threads;
};

// A prepared computation. Immutable: many threads may run it, each with its own Operands.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // Scratch memory for a run with a pool of `threads`.
  virtual size_t scratch_bytes(int threads) const { return static_cast<void>(threads), 0; }
  // Bytes of packed weights and tables this kernel owns.
  virtual size_t packed_bytes() const { return 0; }
  virtual void Run(const Operands& operands) const = 0;
};

// Why a candidate cannot compute a problem; empty when it can.
using Refusal = std::string;

// A candidate for problems of type P.
template <class P>
struct Candidate {
  const char* name;  // "<method>", e.g. "winograd4"
  Refusal (*refuse)(const P&);
  std::unique_ptr<Kernel> (*make)(const P&);
};

// What the caller asks of the choice.
struct SelectOptions {
  bool reference = false;      // only candidates named "reference"
  const char* only = nullptr;  // only this candidate (and `reference` where it refuses)
  bool exact = false;          // no other terms than the sum's own (no Winograd), short partial sums
  bool low_memory = false;     // prefer candidates that keep no second copy of the weights
  double runs = 0;             // that a kernel is made for, 0: many; few are not worth much making
  int threads = 1;
};

// The one selection rule: the candidates stand in order of preference, each refusing where a later
// one measures faster; the first that accepts is taken. `refusals`, when given, receives
// "<name>: <reason>" for each one passed over.
template <class P>
const Candidate<P>& Select(std::span<const Candidate<P>> candidates, const P& problem,
                           const SelectOptions& options,
                           std::vector<std::string>* refusals = nullptr) {
  for (const Candidate<P>& candidate : candidates.first(candidates.size() - 1)) {
    const std::string name = candidate.name;
    Refusal refusal;
    if (options.reference) {
      refusal = "the reference kernels are asked for";
    } else if (options.only != nullptr && name != options.only) {
      refusal = "another kernel is asked for";
    } else {
      refusal = candidate.refuse(problem);
    }
    if (refusal.empty()) return candidate;
    if (refusals != nullptr) refusals->push_back(name + ": " + refusal);
  }
  return candidates.back();
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_KERNEL_H_
