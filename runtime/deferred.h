// The part of a run that could not be planned, because sizes or parameters there depend on numbers:
// node by node, in order, each in memory of its own. Kernels are kept for the types seen last.
#ifndef PLEAT_RUNTIME_DEFERRED_H_
#define PLEAT_RUNTIME_DEFERRED_H_

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "runtime/memory.h"
#include "runtime/op.h"
#include "runtime/session.h"

namespace pleat::runtime {

class ControlRun;

// One executor's: not for several threads at once.
class DeferredRun {
 public:
  DeferredRun(const Graph& graph, const Session::Options& options, kernels::ThreadPool& threads);
  ~DeferredRun();

  // Runs plan.deferred; `address` says where the values of the plan are, `on_step` may be empty:
  // see Session::Profile.
  Status Run(const Plan& plan, const std::function<const void*(ValueId)>& address,
             const RunControl& control, const std::function<void(size_t, double)>& on_step);
  // Of the last run: see Session.
  std::span<const DeferredStep> steps() const { return steps_; }
  size_t most_bytes() const { return most_bytes_ - arena_bytes_; }
  // A value of the last run: outputs of the graph, and all others where buffers are not shared.
  // Null when there is none.
  const Tensor* value(ValueId id) const;

 private:
  // A node's kernel for operands of some types, or the view that it is.
  struct Prepared {
    std::vector<Type> inputs, outputs;
    std::unique_ptr<kernels::Kernel> kernel;
    const char* kernel_name = "view";
    double multiply_adds = 0;
    std::vector<int> operands;
    int view_of = -1;
  };
  struct NodeState {
    bool needs_numbers = false;  // to say how large its outputs are
    std::vector<std::unique_ptr<Prepared>> prepared;  // most recently used last
    std::unique_ptr<ControlRun> control;
  };
  using Known = std::vector<const Tensor*>;

  Status RunNode(const Node& node, NodeState* state, const std::vector<Tensor>& inputs,
                 const RunControl& control, std::vector<Tensor>* outputs, DeferredStep* step);
  // Prepares the node with what is known of its inputs. Leaves null, and results in `outputs`,
  // where they followed from that alone. kUnsupported: more has to be known.
  Result<std::unique_ptr<Prepared>> Prepare(const Node& node, const std::vector<Tensor>& inputs,
                                            const Known& known, std::vector<Tensor>* outputs) const;
  Status Compute(const Node& node, const Prepared& prepared, const std::vector<Tensor>& inputs,
                 std::vector<Tensor>* outputs, DeferredStep* step);
  void CountReaders(const Plan& plan);
  void Keep(ValueId id, Tensor output, const Node& node, const std::vector<Tensor>& inputs);
  void Release(const Node& node);
  void Hold(size_t bytes) { most_bytes_ = std::max(most_bytes_, bytes); }

  const Graph& graph_;
  const Session::Options& options_;
  kernels::ThreadPool& threads_;
  Memory scratch_;
  std::map<int, NodeState> states_;  // by index in the graph
  std::vector<Tensor> values_;       // of the nodes run here, by id
  std::vector<int> readers_;         // still to come, by id
  std::vector<ValueId> roots_;       // whose bytes a value shares, kNoValue: those of the plan
  std::vector<int> sharers_;         // values that live in a root's bytes
  size_t arena_bytes_ = 0, live_bytes_ = 0, most_bytes_ = 0;  // the last two with the arena's
  std::vector<DeferredStep> steps_;
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_DEFERRED_H_
