// The part of XXH3 (64 bits) that reads: whole blocks of a long input, added to its eight sums.
#ifndef PLEAT_KERNELS_HASH_BLOCKS_H_
#define PLEAT_KERNELS_HASH_BLOCKS_H_

#include <cstddef>
#include <cstdint>

namespace pleat::kernels {

inline constexpr size_t kHashStripeBytes = 64, kHashBlockBytes = 1024, kHashSecretBytes = 192;
inline constexpr size_t kHashSums = 8;
inline constexpr uint64_t kHashScramble = 0x9E3779B1;

// Adds `blocks` blocks to `sums`, mixing them after each, with the best instruction set in use.
// `secret` has kHashSecretBytes.
void HashBlocks(const std::byte* bytes, size_t blocks, const std::byte* secret, uint64_t* sums);

// Adds one stripe to `sums`; `secret` begins where the stripe's part does.
void HashStripe(const std::byte* bytes, const std::byte* secret, uint64_t* sums);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_HASH_BLOCKS_H_
