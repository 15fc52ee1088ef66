// What a fuzz target does with the bytes of a .pleat file: plans and runs what is small enough.
#ifndef PLEAT_TESTS_FUZZ_RUN_MODEL_H_
#define PLEAT_TESTS_FUZZ_RUN_MODEL_H_

#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "runtime/session.h"

namespace pleat::tests {

// How far inputs came, said at the end: a run that refused all of them showed little.
struct FuzzCounts {
  int64_t inputs = 0;
  int64_t loaded = 0;
  int64_t planned = 0;
  int64_t ran = 0;
  ~FuzzCounts() {
    std::printf("%lld inputs: %lld loaded, %lld planned, %lld run\n",
                static_cast<long long>(inputs), static_cast<long long>(loaded),
                static_cast<long long>(planned), static_cast<long long>(ran));
  }
};

// The multiply-adds of the largest network that is run.
inline double MostMultiplyAdds() {
  const char* wanted = std::getenv("PLEAT_MULTIPLY_ADDS");
  return wanted == nullptr ? 1e8 : std::atof(wanted);
}

// With every size that is left open taken as `open`; false where these sizes do not fit.
inline bool PlanAndRun(const std::shared_ptr<const runtime::Model>& model, int64_t open,
                       FuzzCounts& counts) {
  constexpr int64_t kMaxArenaBytes = int64_t{64} << 20;
  static const double most_multiply_adds = MostMultiplyAdds();
  std::vector<runtime::Shape> shapes;
  std::vector<runtime::Tensor> inputs;
  int64_t elements = 0;
  for (runtime::ValueId id : model->graph().inputs) {
    runtime::Type type = model->graph().values[static_cast<size_t>(id)].type;
    for (int64_t& size : type.shape) size = size == runtime::kUnknownDim ? open : size;
    if (!runtime::CheckType(type).ok()) return false;
    if ((elements += runtime::ElementCount(type.shape)) > 1 << 20) return false;
    shapes.push_back(type.shape);
    inputs.push_back(runtime::Tensor::Make(type.element, type.shape));
  }
  runtime::Session session(model, {.threads = 1, .max_arena_bytes = kMaxArenaBytes});
  const auto plan = session.Prepare(shapes);
  if (!plan.ok()) return false;
  ++counts.planned;
  if ((*plan)->multiply_adds <= most_multiply_adds && session.Run(inputs).ok()) ++counts.ran;
  return true;
}

inline void RunModel(std::span<const std::byte> bytes, FuzzCounts& counts) {
  const auto model = runtime::Model::FromBytes(bytes);
  if (!model.ok()) return;
  ++counts.loaded;
  for (const int64_t open : {1, 32, 48}) {
    if (PlanAndRun(*model, open, counts)) return;
  }
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_FUZZ_RUN_MODEL_H_
