// Any bytes as a .pleat file, its checksums put right first: refused, or planned and run.
#include <cstring>
#include <span>
#include <vector>

#include "runtime/model_file.h"
#include "runtime/session.h"

namespace pleat::runtime {
namespace {

constexpr int64_t kMaxArenaBytes = int64_t{64} << 20;
constexpr double kMaxMultiplyAdds = 1e8;

uint64_t Load(const std::vector<std::byte>& file, size_t offset) {
  uint64_t value;
  std::memcpy(&value, file.data() + offset, sizeof(value));
  return value;
}

void PutHash(std::vector<std::byte>& file, uint64_t from, uint64_t bytes, size_t at) {
  if (bytes > file.size() || from > file.size() - bytes) return;
  const uint64_t hash = HashBytes(std::span(file).subspan(from, bytes));
  std::memcpy(file.data() + at, &hash, sizeof(hash));
}

void RepairChecksums(std::vector<std::byte>& file) {
  if (file.size() < 72) return;
  PutHash(file, Load(file, 16), Load(file, 24), 48);
  PutHash(file, Load(file, 32), Load(file, 40), 56);
  PutHash(file, 0, 64, 64);
}

void Run(std::span<const std::byte> bytes) {
  const auto model = Model::FromBytes(bytes);
  if (!model.ok()) return;
  std::vector<Shape> shapes;
  std::vector<Tensor> inputs;
  int64_t elements = 0;
  for (ValueId id : (*model)->graph().inputs) {
    Type type = (*model)->graph().values[static_cast<size_t>(id)].type;
    for (int64_t& size : type.shape) size = size == kUnknownDim ? 1 : size;
    if ((elements += ElementCount(type.shape)) > 1 << 20) return;
    shapes.push_back(type.shape);
    inputs.push_back(Tensor::Make(type.element, type.shape));
  }
  Session session(*model, {.threads = 1, .max_arena_bytes = kMaxArenaBytes});
  const auto plan = session.Prepare(shapes);
  if (!plan.ok() || (*plan)->multiply_adds > kMaxMultiplyAdds) return;
  static_cast<void>(session.Run(inputs));
}

}  // namespace
}  // namespace pleat::runtime

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  pleat::runtime::RepairChecksums(file);
  pleat::runtime::Run(file);
  return 0;
}
