// Seeded numbers for tests: the same on every machine. Choices may come from a fuzzer's bytes.
#ifndef PLEAT_TESTS_SUPPORT_RANDOM_H_
#define PLEAT_TESTS_SUPPORT_RANDOM_H_

#include <cstdint>
#include <span>
#include <vector>

namespace pleat::tests {

// splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // Below (to 256) and Chance take a byte each as long as there are some.
  explicit Random(std::span<const uint8_t> choices) : state_(choices.size()), choices_(choices) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, limit).
  int64_t Below(int64_t limit) {
    if (limit <= 256 && !choices_.empty()) return Choice() % limit;
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(limit));
  }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  double Uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(Next() >> 11) * 0x1.0p-53);
  }
  bool Chance(double p) {
    return choices_.empty() ? Uniform(0, 1) < p : static_cast<double>(Choice()) < p * 256;
  }
  template <class T>
  std::vector<T> Values(size_t count, double low = -1, double high = 1) {
    std::vector<T> values(count);
    for (T& value : values) value = static_cast<T>(Uniform(low, high));
    return values;
  }

 private:
  int64_t Choice() {
    const uint8_t choice = choices_.front();
    choices_ = choices_.subspan(1);
    return choice;
  }

  uint64_t state_;
  std::span<const uint8_t> choices_;
};

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_SUPPORT_RANDOM_H_
