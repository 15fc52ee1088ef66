#include <algorithm>

#include "kernels/gemm.h"

namespace pleat::kernels {
namespace {

constexpr size_t kFewestParts = 4, kMostParts = 8;  // for each thread
// Of a single row: parts are read through, and all take as long.
constexpr size_t kFewestRowParts = 2;
constexpr double kWorthSharing = 12'000;            // cycles
constexpr double kBytesPerCycle = 8;                // out of the shared cache
constexpr double kPartCycles = 400;                 // to begin one
// Threads are not equally fast: how much of a part one waits for another in the end.
constexpr double kWait = 0.2;

size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }

class Splitter {
 public:
  Splitter(const Gemm& gemm, const SplitRequest& request, size_t threads)
      : gemm_(gemm), r_(request), threads_(threads) {}

  Split Best() const {
    const Split whole{CeilDiv(r_.m, r_.block_rows), 1};
    if (threads_ == 1 || r_.m == 0 || r_.units == 0) return whole;
    if (Part(r_.m, r_.units) < kWorthSharing) return whole;
    const size_t most = kMostParts * threads_;
    Split best = whole;
    double least = Cycles(whole);
    for (size_t m = whole.m_parts; m <= std::min(r_.m, std::max(most, whole.m_parts + threads_));
         ++m) {
      const size_t fewest = r_.m == 1 ? kFewestRowParts : kFewestParts;
      const size_t first = std::min(r_.units, CeilDiv(fewest * threads_, m));
      for (size_t n = first; n <= r_.units && (n == first || m * n <= most); ++n) {
        const double cycles = Cycles({m, n});
        if (cycles >= least) continue;
        least = cycles;
        best = {m, n};
      }
    }
    return best;
  }

 private:
  double Part(size_t rows, size_t units) const {
    if (r_.apart) {
      return static_cast<double>(units) * gemm_.cycles(rows, r_.columns, r_.steps);
    }
    return gemm_.cycles(rows, units * r_.columns, r_.steps);
  }

  // Until the last thread is done.
  double Cycles(Split split) const {
    const size_t rows = r_.m / split.m_parts, more_rows = r_.m % split.m_parts;
    const size_t units = r_.units / split.n_parts, more_units = r_.units % split.n_parts;
    double sum = 0;
    for (size_t high = 0; high < 2; ++high) {
      for (size_t wide = 0; wide < 2; ++wide) {
        const size_t parts = (high != 0 ? more_rows : split.m_parts - more_rows) *
                             (wide != 0 ? more_units : split.n_parts - more_units);
        if (parts == 0) continue;
        sum += static_cast<double>(parts) * (kPartCycles + Part(rows + high, units + wide));
      }
    }
    sum += static_cast<double>(split.n_parts * r_.m * r_.row_bytes +
                               split.m_parts * r_.units * r_.unit_bytes) /
           kBytesPerCycle;
    const size_t parts = split.m_parts * split.n_parts;
    const double part = sum / static_cast<double>(parts);
    return part * (static_cast<double>(CeilDiv(parts, threads_)) + kWait);
  }

  const Gemm& gemm_;
  const SplitRequest& r_;
  const size_t threads_;
};

}  // namespace

Split SplitProduct(const Gemm& gemm, const SplitRequest& request, int threads) {
  return Splitter(gemm, request, static_cast<size_t>(threads)).Best();
}

}  // namespace pleat::kernels
