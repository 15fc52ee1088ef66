#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/plan.h"

namespace pleat::runtime {
namespace {

size_t Padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The buffers placed so far, by the steps at which they are alive.
class Placed {
 public:
  explicit Placed(std::span<const Lifetime> buffers) : buffers_(buffers), seen_(buffers.size(), 0) {
    for (const Lifetime& buffer : buffers) end_ = std::max(end_, buffer.first + 1);
    alive_.resize(static_cast<size_t>(end_));
  }

  void Add(size_t index) {
    for (int s = buffers_[index].first; s < End(index); ++s) {
      alive_[static_cast<size_t>(s)].push_back(static_cast<uint32_t>(index));
    }
  }

  // Those alive together with a buffer that is not placed yet, each once.
  const std::vector<size_t>& Neighbours(size_t index) {
    neighbours_.clear();
    for (int s = buffers_[index].first; s < End(index); ++s) {
      visits_ += 1 + alive_[static_cast<size_t>(s)].size();
      for (const size_t other : alive_[static_cast<size_t>(s)]) {
        if (std::exchange(seen_[other], index + 1) != index + 1) neighbours_.push_back(other);
      }
    }
    return neighbours_;
  }

  // The work Neighbours has done so far.
  size_t visits() const { return visits_; }

 private:
  // Nothing begins after the last step that counts.
  int End(size_t index) const { return std::min(buffers_[index].last, end_ - 1) + 1; }

  std::span<const Lifetime> buffers_;
  int end_ = 0;
  std::vector<std::vector<uint32_t>> alive_;
  std::vector<size_t> seen_;  // whose neighbour it was last, plus one
  std::vector<size_t> neighbours_;
  size_t visits_ = 0;
};

bool AllAlike(std::span<const Lifetime> buffers) {
  return std::all_of(buffers.begin(), buffers.end(), [&](const Lifetime& buffer) {
    return buffer.first == buffers[0].first && buffer.last == buffers[0].last;
  });
}

struct Placement {
  std::vector<size_t> offsets;
  size_t end = 0;      // bytes of the whole
  size_t visits = 0;   // the work it took
  size_t highest = 0;  // position in the order of the buffer that reaches it first
};

// Placing costs no more work than this: what is left then goes above all the rest.
constexpr size_t kMaxVisits = 50'000'000;

// Each buffer in turn at the lowest gap among those placed before it that are alive with it.
Placement PlaceInOrder(std::span<const Lifetime> buffers, const std::vector<size_t>& order) {
  Placement placement{.offsets = std::vector<size_t>(buffers.size(), 0)};
  std::vector<size_t>& offsets = placement.offsets;
  Placed placed(buffers);
  for (size_t position = 0; position < order.size(); ++position) {
    const size_t index = order[position];
    if (placed.visits() > kMaxVisits) {
      offsets[index] = placement.end;
      placement.end += Padded(buffers[index].bytes);
      continue;
    }
    std::vector<size_t> neighbours = placed.Neighbours(index);
    std::sort(neighbours.begin(), neighbours.end(),
              [&](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    const size_t bytes = Padded(buffers[index].bytes);
    size_t offset = 0;
    for (const size_t other : neighbours) {
      if (offsets[other] >= offset + bytes) break;
      offset = std::max(offset, offsets[other] + Padded(buffers[other].bytes));
    }
    offsets[index] = offset;
    placed.Add(index);
    if (offset + bytes > placement.end) {
      placement.end = offset + bytes;
      placement.highest = position;
    }
  }
  placement.visits = placed.visits();
  return placement;
}

// The largest sum of buffers alive at one step: no placement is smaller.
size_t LargestSum(std::span<const Lifetime> buffers) {
  std::vector<std::pair<int, size_t>> changes;  // modulo 2^64
  for (const Lifetime& buffer : buffers) {
    changes.emplace_back(buffer.first, Padded(buffer.bytes));
    if (buffer.last == std::numeric_limits<int>::max()) continue;
    changes.emplace_back(buffer.last + 1, size_t{0} - Padded(buffer.bytes));
  }
  std::sort(changes.begin(), changes.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  size_t sum = 0;
  size_t largest = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    sum += changes[i].second;
    const bool last_of_step = i + 1 == changes.size() || changes[i + 1].first != changes[i].first;
    if (last_of_step) largest = std::max(largest, sum);
  }
  return largest;
}

constexpr size_t kTries = 100;
constexpr size_t kTriedVisits = 10'000'000;  // above, further tries would cost more than they save

}  // namespace

// Greedy by size, the largest buffer first (Pisarchyk and Lee, "Efficient Memory Management for
// Deep Neural Net Inference", 2020). Where that leaves gaps, the buffer that reaches highest is
// placed earlier and all is tried again.
std::vector<size_t> PlaceBuffers(std::span<const Lifetime> buffers, size_t* arena_bytes) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  if (AllAlike(buffers)) {
    std::vector<size_t> offsets(buffers.size(), 0);
    *arena_bytes = 0;
    for (const size_t index : order) {
      offsets[index] = *arena_bytes;
      *arena_bytes += Padded(buffers[index].bytes);
    }
    return offsets;
  }
  Placement best = PlaceInOrder(buffers, order);
  const size_t bound = LargestSum(buffers);
  const size_t tries = std::min(kTries, kTriedVisits / (best.visits + 1));
  size_t highest = best.highest;
  for (size_t i = 0; i < tries && best.end > bound && highest > 0; ++i) {
    const size_t earlier = i * 7 % highest;  // scattered, the same each time
    const auto moved = order.begin() + static_cast<std::ptrdiff_t>(highest);
    std::rotate(order.begin() + static_cast<std::ptrdiff_t>(earlier), moved, moved + 1);
    Placement next = PlaceInOrder(buffers, order);
    highest = next.highest;
    if (next.end < best.end) best = std::move(next);
  }
  *arena_bytes = best.end;
  return std::move(best.offsets);
}

}  // namespace pleat::runtime
