// The .pleat file, little-endian:
//   0   8 bytes   magic "\x89PLEAT\r\n"
//   8   4 bytes   format version (1)
//   12  4 bytes   required features, a bit set; a reader refuses bits it does not know
//                   bit 0: the weights' checksum is the XXH3 of the XXH3s (8 bytes each, in order)
//                   of their pieces of 1 MiB, the last of which may be shorter; written where
//                   there are two pieces or more
//   16  8 bytes   graph_offset, 24  8 bytes  graph_bytes    FlatBuffers, see pleat.fbs
//   32  8 bytes   weights_offset, 40  8 bytes  weights_bytes   a multiple of 64
//   48  8 bytes   XXH3 of bytes [graph_offset, graph_offset + graph_bytes)
//   56  8 bytes   XXH3 of the weights, or bit 0's
//   64  8 bytes   XXH3 of bytes [0, 64)
//   72 ..         zero up to graph_offset (128)
// graph, zero padding to a multiple of 64, weights; the file ends with the weights. Constants lie
// in the weights at 64-byte-aligned offsets, in the order of Graph.values, without holes beyond the
// zero padding between them. Written bytes depend on the graph alone.
#ifndef PLEAT_RUNTIME_MODEL_FILE_H_
#define PLEAT_RUNTIME_MODEL_FILE_H_

#include <functional>
#include <span>
#include <string>

#include "runtime/graph.h"

namespace pleat::runtime {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint32_t kWeightsInPieces = 1;  // a required feature
inline constexpr size_t kPieceBytes = 1 << 20;

// True when the bytes begin as a .pleat file does.
bool LooksLikeModelFile(std::span<const std::byte> bytes);

// REQUIRES: CheckGraph(graph) passes.
std::string SerializeGraph(const Graph& graph);

// Believes nothing: header, checksums, FlatBuffers verifier, ranges, CheckGraph and InferGraph.
// Constants borrow from `bytes`, kept alive by `owner`.
Result<Graph> ParseGraph(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// A file in memory, read-only and mapped where possible.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
Result<MappedFile> MapFile(const std::string& path);
// Maps all of an open file, whose `name` goes into errors; the descriptor stays the caller's.
Result<MappedFile> MapDescriptor(int descriptor, const std::string& name);

// Has the kernel map all pages at once, which are then read; saves a fault for every few of them.
void MapPages(std::span<const std::byte> bytes);

// XXH3 with 64 bits, as in the header of a .pleat file.
uint64_t HashBytes(std::span<const std::byte> bytes);
// The checksum of the weights in a file with these features; maps their pages. Four pieces or more
// are shared by up to 4 threads, made for this call, where the caller may use as many CPUs. The
// caller's does `meanwhile` first, whose exceptions are this function's.
uint64_t HashWeights(std::span<const std::byte> weights, uint32_t features,
                     const std::function<void()>& meanwhile = [] {});

// Writes beside the target, syncs, renames over it, syncs the folder: the target is the old file,
// or the new one, never a part. A link is followed. Leaves nothing behind on failure.
Status WriteFileAtomically(const std::string& path, std::span<const std::byte> bytes);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_MODEL_FILE_H_
