// Runs one graph, the model's or a subgraph, in memory of its own: the steps of a plan, then node by
// node what had to wait for numbers. Plans are kept for the shapes seen last.
#ifndef PLEAT_RUNTIME_EXECUTOR_H_
#define PLEAT_RUNTIME_EXECUTOR_H_

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "runtime/bound_plan.h"
#include "runtime/memory.h"
#include "runtime/session.h"

namespace pleat::runtime {

class DeferredRun;

// Not for several threads at once. The graph, the options and the pool outlive it.
class Executor {
 public:
  Executor(const Graph& graph, const Session::Options& options, kernels::ThreadPool& threads);
  ~Executor();

  // The plan for these input shapes, with memory reserved; the last successful run's outputs are
  // gone when it is another than that run's.
  Result<BoundPlan*> Prepare(std::span<const Shape> shapes);
  // See Session::RunInto.
  Status Run(std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs,
             const RunControl& control);
  // See Session::Output.
  TensorView Output(size_t index) const;
  // After a run: a value that was kept, else empty data. Inputs are where the caller had them.
  TensorView ValueOf(ValueId id) const;
  // See Session.
  std::span<const DeferredStep> Deferred() const;
  size_t deferred_bytes() const;
  size_t arena_bytes() const { return arena_.bytes(); }  // kept between runs
  // See Session::Profile.
  void Profile(std::function<void(size_t, double)> on_step) { on_step_ = std::move(on_step); }

 private:
  Result<BoundPlan*> PlanFor(std::span<const Shape> shapes);
  Result<BoundPlan*> Find(std::span<const TensorView> inputs);
  Result<bool> OverInput(const BoundPlan& bound, std::span<const TensorView> inputs, size_t output,
                         const OutputBuffer& buffer) const;
  Status PlaceOutputs(const BoundPlan& bound, std::span<const TensorView> inputs,
                      std::span<const OutputBuffer> outputs);
  void Address(BoundPlan* bound, std::span<const TensorView> inputs);
  Status RunSteps(BoundPlan& bound, const RunControl& control);
  Status RunDeferred(const BoundPlan& bound, const RunControl& control);
  Status CopyOutputs(std::span<const OutputBuffer> outputs);
  // Outputs that are inputs, and go to no buffer of the caller, are copied: his inputs may go.
  bool IsKept(const BoundPlan& bound, size_t output) const;
  void ReserveKept(const BoundPlan& bound);
  void Keep(const BoundPlan& bound);
  const void* AddressOf(const BoundPlan& bound, ValueId id) const;

  const Graph& graph_;
  const Session::Options& options_;
  kernels::ThreadPool& threads_;
  std::list<BoundPlan> plans_;  // most recently used first
  Memory arena_;
  std::unique_ptr<DeferredRun> deferred_;  // made when a plan first needs it
  std::vector<const void*> input_data_;    // of the last run
  std::vector<void*> output_data_;         // buffers of the last run: the caller's, `kept_` or null
  std::vector<Tensor> kept_;               // by output, as bytes
  bool ran_ = false;  // `plans_.front()` holds the outputs of a successful run
  std::function<void(size_t, double)> on_step_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_EXECUTOR_H_
