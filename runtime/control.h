// Runs If, Loop and Scan: their subgraphs are executed with a node's operands, see pleat.fbs.
#ifndef PLEAT_RUNTIME_CONTROL_H_
#define PLEAT_RUNTIME_CONTROL_H_

#include <memory>
#include <vector>

#include "runtime/executor.h"

namespace pleat::runtime {

// The same numbers in memory of their own.
Tensor CopyOf(const TensorView& view);

// One node of one executor. A loop ends by its condition, its trip count or the caller's control;
// what it gathers is bounded by options.max_arena_bytes.
class ControlRun {
 public:
  // REQUIRES: node is an If, Loop or Scan that its type rule accepts. All outlive this.
  ControlRun(const Node& node, const Session::Options& options, kernels::ThreadPool& threads);

  // Inputs and outputs are the node's; an empty input is one left out.
  Status Run(const std::vector<Tensor>& inputs, const RunControl& control,
             std::vector<Tensor>* outputs);
  // What the subgraphs keep for their intermediate results, and those left to their last runs.
  size_t memory_bytes() const;

 private:
  Status RunIf(const std::vector<Tensor>& inputs, const RunControl& control,
               std::vector<Tensor>* outputs);
  Status RunLoop(const fb::LoopT& fields, const std::vector<Tensor>& inputs,
                 const RunControl& control, std::vector<Tensor>* outputs);
  Status RunScan(const fb::ScanT& fields, const std::vector<Tensor>& inputs,
                 const RunControl& control, std::vector<Tensor>* outputs);
  // Runs a subgraph on `inputs`; its outputs are then body.Output(i).
  Status RunBody(Executor& body, const std::vector<Tensor>& inputs, const RunControl& control);

  const Node& node_;
  const Session::Options& options_;
  std::vector<std::unique_ptr<Executor>> bodies_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_CONTROL_H_
