// Runs a fuzz target without libFuzzer: driver COUNT SEED... gives it every seed, then COUNT
// mutations of each, the same ones every time. One that takes longer than kMaxSeconds of processor
// time is an error like a crash.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/support/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Most of what decides how a file is read stands in its first bytes.
constexpr int64_t kHeadBytes = 8192;
constexpr double kMaxSeconds = 10;

// Most edits keep the length: protobuf and FlatBuffers lose their thread where it changes.
void Mutate(std::vector<uint8_t>& bytes, pleat::tests::Random& random) {
  constexpr uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff};
  int64_t edits = random.Chance(0.5) ? 1 : random.Between(1, 4);
  for (; edits > 0 && !bytes.empty(); --edits) {
    const auto size = static_cast<int64_t>(bytes.size());
    const int64_t range = random.Chance(0.8) ? std::min(size, kHeadBytes) : size;
    const auto at = static_cast<size_t>(random.Below(range));
    switch (random.Below(8)) {
      case 0:
      case 1:
        bytes[at] ^= static_cast<uint8_t>(1u << random.Below(8));
        break;
      case 2:
        bytes[at] = kEdges[random.Below(5)];
        break;
      case 3:
      case 4:
        bytes[at] = static_cast<uint8_t>(random.Next());
        break;
      case 5: {
        const auto from = static_cast<size_t>(random.Below(size));
        const size_t length = std::min(static_cast<size_t>(random.Between(1, 16)),
                                       bytes.size() - std::max(at, from));
        std::memmove(&bytes[at], &bytes[from], length);
        break;
      }
      case 6:
        if (random.Chance(0.5)) {
          bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at));
        } else {
          bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), bytes[at]);
        }
        break;
      default:
        if (random.Chance(0.1)) bytes.resize(at);
    }
  }
}

bool QuickEnough(const std::vector<uint8_t>& bytes, const char* seed, int64_t number) {
  const std::clock_t start = std::clock();
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (seconds <= kMaxSeconds) return true;
  std::fprintf(stderr, "mutation %lld of %s took %.1f s\n", static_cast<long long>(number), seed,
               seconds);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: %s COUNT SEED...\n", argv[0]), 2;
  const int64_t count = std::atoll(argv[1]);
  int64_t inputs = 0;
  for (int i = 2; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    const std::vector<uint8_t> seed(std::istreambuf_iterator<char>(in), {});
    if (seed.empty()) return std::fprintf(stderr, "cannot read %s\n", argv[i]), 2;
    if (!QuickEnough(seed, argv[i], -1)) return 1;
    pleat::tests::Random random(static_cast<uint64_t>(i));
    for (int64_t n = 0; n < count; ++n, ++inputs) {
      std::vector<uint8_t> bytes = seed;
      Mutate(bytes, random);
      if (!QuickEnough(bytes, argv[i], n)) return 1;
    }
  }
  std::printf("%lld inputs, no crash\n", static_cast<long long>(inputs));
}
