// Any bytes as a .pleat file, its checksums put right first: refused, or planned and run.
#include <span>
#include <vector>

#include "runtime/session.h"
#include "tests/support/model_bytes.h"

namespace pleat::runtime {
namespace {

constexpr int64_t kMaxArenaBytes = int64_t{64} << 20;
constexpr double kMaxMultiplyAdds = 1e8;

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
  pleat::tests::RepairChecksums(file);
  pleat::runtime::Run(file);
  return 0;
}
