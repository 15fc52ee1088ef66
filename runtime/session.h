// Model and Session: how a network is loaded and run.
//   auto model = Model::Load("digits.pleat");
//   Session session(*model, {.threads = 2});
//   auto outputs = session.Run({image});
#ifndef PLEAT_RUNTIME_SESSION_H_
#define PLEAT_RUNTIME_SESSION_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/plan.h"

namespace pleat::runtime {

// A network, ready to be planned. Immutable: any number of threads and sessions may share it.
class Model {
 public:
  // Maps a .pleat file and verifies it. Weights stay in the mapping and are read when needed; the
  // file must not be changed in place while the model lives.
  static Result<std::shared_ptr<const Model>> Load(const std::string& path);
  // The same from the caller's memory, which must stay until the model is gone. 64-byte alignment
  // of `bytes` saves a copy of the weights.
  static Result<std::shared_ptr<const Model>> FromBytes(std::span<const std::byte> bytes);
  // From a graph in memory; CheckGraph and InferGraph must pass.
  static Result<std::shared_ptr<const Model>> FromGraph(Graph graph);

  const Graph& graph() const { return graph_; }
  size_t weight_bytes() const;

 private:
  Model() = default;
  Graph graph_;
};

// One caller's memory for running a model. Not to be used by two threads at once; make one each.
class Session {
 public:
  struct Options {
    int threads = 1;
    kernels::SelectOptions select;  // select.threads is overwritten
    bool share_buffers = true;      // false: every value keeps its own memory until the next run
    size_t max_plans = 8;           // plans kept for shapes seen before
    int64_t max_arena_bytes = int64_t{4} << 30;
  };

  Session(std::shared_ptr<const Model> model, Options options);
  ~Session();

  const Model& model() const { return *model_; }

  // Runs the network on inputs in graph order. Element types must be the graph's; sizes that the
  // graph fixes must match, the others may change from run to run: a new combination is planned
  // once and remembered. The outputs are copies the caller owns.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs);
  Result<std::vector<Tensor>> Run(std::initializer_list<Tensor> inputs) {
    return Run(std::span<const Tensor>(inputs.begin(), inputs.size()));
  }

  // Plans for these input shapes without running.
  Result<const Plan*> Prepare(std::span<const Shape> shapes);
  // After a Run with share_buffers == false: the value's numbers, or an empty tensor.
  Tensor ValueAfterRun(ValueId id) const;
  // Called after each step when set: step index and seconds it took.
  void Profile(std::function<void(size_t step, double seconds)> on_step);

 private:
  struct State;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<State> state_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_SESSION_H_
