#define XXH_STATIC_LINKING_ONLY  // for the secret
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "kernels/hash_blocks.h"
#include "kernels/threads.h"
#include "runtime/cpu_budget.h"
#include "runtime/model_file.h"

namespace pleat::runtime {
namespace {

using kernels::kHashBlockBytes;
using kernels::kHashSecretBytes;
using kernels::kHashStripeBytes;
using kernels::kHashSums;

constexpr size_t kLong = 64 << 10;  // bytes; where the library's SSE2 begins to be the slower one

uint64_t Word(const std::byte* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// XXH3's specification, for more than one block.
uint64_t HashLong(std::span<const std::byte> bytes) {
  constexpr uint64_t kPrime = 0x9E3779B185EBCA87;
  alignas(64) std::byte secret[kHashSecretBytes];
  XXH3_generateSecret_fromSeed(secret, 0);
  alignas(64) uint64_t sums[kHashSums] = {0xC2B2AE3D,         kPrime,
                                          0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                                          0x85EBCA77C2B2AE63, 0x85EBCA77,
                                          0x27D4EB2F165667C5, kernels::kHashScramble};
  const size_t blocks = (bytes.size() - 1) / kHashBlockBytes;
  kernels::HashBlocks(bytes.data(), blocks, secret, sums);
  // What is left of the last block, and the last 64 bytes once more.
  const std::byte* rest = bytes.data() + blocks * kHashBlockBytes;
  const size_t stripes = (bytes.size() - 1 - blocks * kHashBlockBytes) / kHashStripeBytes;
  for (size_t stripe = 0; stripe < stripes; ++stripe) {
    kernels::HashStripe(rest + stripe * kHashStripeBytes, secret + stripe * 8, sums);
  }
  kernels::HashStripe(bytes.data() + bytes.size() - kHashStripeBytes,
                      secret + kHashSecretBytes - kHashStripeBytes - 7, sums);
  uint64_t hash = bytes.size() * kPrime;
  for (size_t i = 0; i < kHashSums; i += 2) {
    const std::byte* at = secret + 11 + i * 8;
    hash += FoldedProduct(sums[i] ^ Word(at), sums[i + 1] ^ Word(at + 8));
  }
  hash ^= hash >> 37;
  hash *= 0x165667919E3779F9;
  return hash ^ hash >> 32;
}

}  // namespace

uint64_t HashBytes(std::span<const std::byte> bytes) {
  return bytes.size() < kLong ? XXH3_64bits(bytes.data(), bytes.size()) : HashLong(bytes);
}

namespace {

// Four threads read nearly all that memory gives; one is worth its start for two pieces.
constexpr size_t kMaxReaders = 4, kPiecesPerReader = 2;

uint64_t HashPieces(std::span<const std::byte> weights, const std::function<void()>& meanwhile) {
  std::vector<uint64_t> hashes((weights.size() + kPieceBytes - 1) / kPieceBytes);
  const size_t readers = std::min(kMaxReaders, hashes.size() / kPiecesPerReader);
  kernels::ThreadPool threads(readers < 2 ? 1 : std::min(CpuBudget(), static_cast<int>(readers)));
  bool begun = false;
  std::exception_ptr thrown;
  const auto begin = [&] {
    if (std::exchange(begun, true)) return;
    try {
      meanwhile();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  threads.ParallelFor(hashes.size(), [&](size_t index, size_t slot) {
    if (slot == 0) begin();  // the caller's, while the others read
    const size_t at = index * kPieceBytes;
    const auto piece = weights.subspan(at, std::min(kPieceBytes, weights.size() - at));
    MapPages(piece);
    hashes[index] = HashBytes(piece);
  });
  begin();
  if (thrown != nullptr) std::rethrow_exception(thrown);
  return HashBytes(std::as_bytes(std::span(hashes)));
}

}  // namespace

uint64_t HashWeights(std::span<const std::byte> weights, uint32_t features,
                     const std::function<void()>& meanwhile) {
  if ((features & kWeightsInPieces) != 0) return HashPieces(weights, meanwhile);
  meanwhile();
  MapPages(weights);
  return HashBytes(weights);
}

}  // namespace pleat::runtime
