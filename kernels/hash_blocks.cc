#include "kernels/hash_blocks.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hash_blocks.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kStripes = kHashBlockBytes / kHashStripeBytes;
constexpr size_t kMixSecret = kHashSecretBytes - kHashStripeBytes;

#if HWY_TARGET == HWY_SCALAR
void Blocks(const std::byte* bytes, size_t blocks, const std::byte* secret, uint64_t* sums) {
  for (size_t block = 0; block < blocks; ++block) {
    for (size_t stripe = 0; stripe < kStripes; ++stripe, bytes += kHashStripeBytes) {
      HashStripe(bytes, secret + stripe * 8, sums);
    }
    for (size_t i = 0; i < kHashSums; ++i) {
      uint64_t key;
      std::memcpy(&key, secret + kMixSecret + i * 8, sizeof(key));
      sums[i] = (sums[i] ^ sums[i] >> 47 ^ key) * kHashScramble;
    }
  }
}
#else
using Tag = hn::CappedTag<uint64_t, kHashSums>;
constexpr size_t kLanes = hn::MaxLanes(Tag());
constexpr size_t kVectors = kHashSums / kLanes;
// Hardware fetches ahead within a page only.
constexpr size_t kAhead = 4096;

void Blocks(const std::byte* bytes, size_t blocks, const std::byte* secret, uint64_t* sums) {
  const Tag d;
  const hn::Repartition<uint32_t, Tag> halves;
  const hn::Repartition<uint8_t, Tag> all;
  const auto load = [&](const std::byte* from) HWY_ATTR {
    return hn::BitCast(d, hn::LoadU(all, reinterpret_cast<const uint8_t*>(from)));
  };
  const auto product = [&](hn::Vec<Tag> a, hn::Vec<Tag> b) HWY_ATTR {
    return hn::MulEven(hn::BitCast(halves, a), hn::BitCast(halves, b));
  };
  hn::Vec<Tag> sum[kVectors];
  for (size_t v = 0; v < kVectors; ++v) sum[v] = hn::LoadU(d, sums + v * kLanes);
  const auto scramble = hn::Set(d, kHashScramble);
  for (size_t block = 0; block < blocks; ++block) {
    for (size_t stripe = 0; stripe < kStripes; ++stripe, bytes += kHashStripeBytes) {
      __builtin_prefetch(bytes + kAhead, 0, 3);
      HWY_UNROLL(4)
      for (size_t v = 0; v < kVectors; ++v) {
        const auto data = load(bytes + v * kLanes * 8);
        const auto key = hn::Xor(data, load(secret + stripe * 8 + v * kLanes * 8));
        sum[v] = hn::Add(sum[v], hn::Add(product(key, hn::ShiftRight<32>(key)),
                                         hn::Reverse2(d, data)));
      }
    }
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      const auto mixed = hn::Xor(hn::Xor(sum[v], hn::ShiftRight<47>(sum[v])),
                                 load(secret + kMixSecret + v * kLanes * 8));
      sum[v] = hn::Add(product(mixed, scramble),
                       hn::ShiftLeft<32>(product(hn::ShiftRight<32>(mixed), scramble)));
    }
  }
  for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, sums + v * kLanes);
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {

HWY_EXPORT(Blocks);

void HashBlocks(const std::byte* bytes, size_t blocks, const std::byte* secret, uint64_t* sums) {
  HWY_DYNAMIC_DISPATCH(Blocks)(bytes, blocks, secret, sums);
}

void HashStripe(const std::byte* bytes, const std::byte* secret, uint64_t* sums) {
  for (size_t i = 0; i < kHashSums; ++i) {
    uint64_t data, key;
    std::memcpy(&data, bytes + i * 8, sizeof(data));
    std::memcpy(&key, secret + i * 8, sizeof(key));
    key ^= data;
    sums[i ^ 1] += data;
    sums[i] += (key & 0xffffffff) * (key >> 32);
  }
}

}  // namespace pleat::kernels
#endif  // HWY_ONCE
