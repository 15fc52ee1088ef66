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

inline void PutHash(FileBytes& file, uint64_t from, uint64_t bytes, size_t at) {
  if (bytes > file.size() || from > file.size() - bytes) return;
  SetHeaderField(file, at, runtime::HashBytes(std::span(file).subspan(from, bytes)));
}

// The three checksums put right for what the file holds now, where its header says.
inline void RepairChecksums(FileBytes& file) {
  if (file.size() < 72) return;
  PutHash(file, HeaderField(file, 16), HeaderField(file, 24), 48);
  PutHash(file, HeaderField(file, 32), HeaderField(file, 40), 56);
  PutHash(file, 0, 64, 64);
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
