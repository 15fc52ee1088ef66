// The bytes of .pleat files, put together or taken apart by hand.
#ifndef PLEAT_TESTS_SUPPORT_MODEL_BYTES_H_
#define PLEAT_TESTS_SUPPORT_MODEL_BYTES_H_

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "runtime/model_file.h"

namespace pleat::tests {

using FileBytes = std::vector<std::byte>;

inline constexpr size_t kGraphAt = 128;

inline FileBytes BytesOf(const std::string& file) {
  const auto bytes = std::as_bytes(std::span(file));
  return {bytes.begin(), bytes.end()};
}

inline uint64_t HeaderField(const FileBytes& file, size_t at) {
  uint64_t value = 0;
  std::memcpy(&value, file.data() + at, sizeof(value));
  return value;
}
inline void SetHeaderField(FileBytes& file, size_t at, uint64_t value) {
  std::memcpy(file.data() + at, &value, sizeof(value));
}

// hash(bytes) of what the two fields at `where` say, put into the field at `at`.
template <class Hash>
void PutHash(FileBytes& file, size_t where, size_t at, Hash&& hash) {
  const uint64_t from = HeaderField(file, where), bytes = HeaderField(file, where + 8);
  if (bytes > file.size() || from > file.size() - bytes) return;
  SetHeaderField(file, at, hash(std::span<const std::byte>(file).subspan(from, bytes)));
}

// The three checksums put right for what the file holds now, where its header says.
inline void RepairChecksums(FileBytes& file) {
  if (file.size() < 72) return;
  const auto features = static_cast<uint32_t>(HeaderField(file, 8) >> 32);
  PutHash(file, 16, 48, runtime::HashBytes);
  PutHash(file, 32, 56, [&](auto weights) { return runtime::HashWeights(weights, features); });
  SetHeaderField(file, 64, runtime::HashBytes(std::span(file).first(64)));
}

// A file around a finished FlatBuffer and weights.
inline FileBytes FileAround(std::span<const uint8_t> graph,
                            std::span<const std::byte> weights = {}) {
  const size_t end = (kGraphAt + graph.size() + 63) / 64 * 64;
  FileBytes file(end);
  const std::string empty = runtime::SerializeGraph({});
  std::memcpy(file.data(), empty.data(), kGraphAt);
  std::memcpy(file.data() + kGraphAt, graph.data(), graph.size());
  SetHeaderField(file, 24, graph.size());
  SetHeaderField(file, 32, end);
  SetHeaderField(file, 40, weights.size());
  file.insert(file.end(), weights.begin(), weights.end());
  RepairChecksums(file);
  return file;
}

// The file with its graph changed: edit(fb::GraphT&).
template <class Edit>
FileBytes Edited(const FileBytes& file, Edit&& edit) {
  const auto graph = runtime::fb::UnPackGraph(file.data() + kGraphAt);
  edit(*graph);
  flatbuffers::FlatBufferBuilder builder;
  runtime::fb::FinishGraphBuffer(builder, runtime::fb::Graph::Pack(builder, graph.get()));
  return FileAround({builder.GetBufferPointer(), builder.GetSize()},
                    std::span(file).subspan(HeaderField(file, 32)));
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_SUPPORT_MODEL_BYTES_H_
