// Model and Session: how a network is loaded and run.
//   auto model = Model::Load("digits.pleat");
//   Session session(*model, {.threads = 2});
//   auto outputs = session.Run({image});
#ifndef PLEAT_RUNTIME_SESSION_H_
#define PLEAT_RUNTIME_SESSION_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/run_control.h"

namespace pleat::runtime {

// A network, ready to be planned. Immutable: any number of threads and sessions may share it.
class Model {
 public:
  // Maps a .pleat file and verifies it. Weights stay in the mapping and are read when needed; the
  // file must not be changed in place while the model lives.
  static Result<std::shared_ptr<const Model>> Load(const std::string& path);
  // The same of an open file, from its beginning; the descriptor stays the caller's.
  static Result<std::shared_ptr<const Model>> LoadDescriptor(int descriptor);
  // The same from memory that `owner` keeps alive; without one the caller promises that it stays
  // until the model is gone. 64-byte alignment of `bytes` saves a copy of the weights.
  static Result<std::shared_ptr<const Model>> FromBytes(
      std::span<const std::byte> bytes, std::shared_ptr<const void> owner = nullptr);
  // From a graph in memory; CheckGraph and InferGraph must pass.
  static Result<std::shared_ptr<const Model>> FromGraph(Graph graph);

  const Graph& graph() const { return graph_; }
  size_t weight_bytes() const;

 private:
  Model() = default;
  Graph graph_;
};

// A tensor in somebody else's memory, dense and row-major; any alignment.
struct TensorView {
  ElementType element = ElementType::kFloat32;
  std::span<const int64_t> shape;
  const void* data = nullptr;
};

// Where a caller wants an output; null leaves it in the session's memory.
struct OutputBuffer {
  void* data = nullptr;
  size_t bytes = 0;
};

// What a node left to the run (Plan::deferred) was in the last one.
struct DeferredStep {
  int node = -1;                 // index into Graph::nodes
  const char* kernel_name = "";  // "view", "subgraph" and "known" where there is no kernel
  Type output;                   // of its first one
  double multiply_adds = 0;      // those inside subgraphs are not counted
};

// One caller's memory for running a model; it keeps the model alive. Every function but the
// destructor may be called from any thread; one that finds another at work returns kBusy.
class Session {
 public:
  struct Options {
    int threads = 1;
    // When set, runs loops on the caller's threads: see kernels::ThreadPool.
    kernels::ThreadPool::Runner parallel_for = nullptr;
    void* pool = nullptr;
    Allocator allocator;            // of the arena
    kernels::SelectOptions select;  // select.threads is overwritten
    bool share_buffers = true;      // false: every value keeps its own memory until the next run
    size_t max_plans = 8;           // plans kept for shapes seen before
    int64_t max_arena_bytes = int64_t{4} << 30;
  };

  Session(std::shared_ptr<const Model> model, Options options);
  ~Session();

  const Model& model() const { return *model_; }
  int threads() const;

  // Runs the network on inputs in graph order. Element types must be the graph's; sizes that the
  // graph fixes must match, the others may change from run to run: a new combination is planned
  // once and remembered. The outputs are copies the caller owns.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs);
  Result<std::vector<Tensor>> Run(std::initializer_list<Tensor> inputs) {
    return Run(std::span<const Tensor>(inputs.begin(), inputs.size()));
  }

  // The same between the caller's buffers, computed straight into `outputs` where possible; an
  // empty `outputs` leaves all in the session. Output buffers may overlap inputs but not each
  // other. From the second run of a shape on it allocates nothing and, with one thread, takes no
  // lock. A failed run leaves the session usable and the buffers undefined.
  Status RunInto(std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs,
                 const RunControl& control = {});
  // An output of the last successful RunInto; in the session's memory until its next run, or in
  // the caller's buffer. Empty data when there is none.
  TensorView Output(size_t index) const;

  // Plans for these input shapes and reserves memory, without running. The plan is good until
  // another combination of shapes is planned.
  Result<const Plan*> Prepare(std::span<const Shape> shapes);
  // After a Run with share_buffers == false: the value's numbers, or an empty tensor.
  Tensor ValueAfterRun(ValueId id) const;
  // What was left to the last run, in the order of Plan::deferred, and the most bytes that all of it
  // held at once besides the arena.
  std::span<const DeferredStep> Deferred() const;
  size_t deferred_bytes() const;
  // Called after each step when set: step index and seconds it took. What is left to the run has
  // the indices behind those of the plan's steps, in the order of Plan::deferred.
  void Profile(std::function<void(size_t step, double seconds)> on_step);

 private:
  struct State;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<State> state_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_SESSION_H_
