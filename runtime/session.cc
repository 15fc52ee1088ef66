#include "runtime/session.h"

#include <cstring>
#include <new>

#include "runtime/executor.h"
#include "runtime/float_mode.h"
#include "runtime/hold.h"

namespace pleat::runtime {
namespace {

kernels::ThreadPool MakePool(const Session::Options& options) {
  const DefaultFloatMode mode;  // new threads inherit it
  if (options.parallel_for == nullptr) return kernels::ThreadPool(options.threads);
  return kernels::ThreadPool(options.threads, options.parallel_for, options.pool);
}

}  // namespace

struct Session::State {
  State(const Graph& graph, const Options& options)
      : options(options), threads(MakePool(options)), executor(graph, this->options, threads) {}

  Options options;
  kernels::ThreadPool threads;
  Executor executor;
  std::atomic<bool> busy{false};
  std::vector<Tensor> kept_inputs;
};

Session::Session(std::shared_ptr<const Model> model, Options options)
    : model_(std::move(model)), state_(std::make_unique<State>(model_->graph(), options)) {}

Session::~Session() = default;

int Session::threads() const { return state_->threads.threads(); }

Result<const Plan*> Session::Prepare(std::span<const Shape> shapes) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  const DefaultFloatMode mode;
  PLEAT_ASSIGN_OR_RETURN(const BoundPlan* bound, state_->executor.Prepare(shapes));
  return static_cast<const Plan*>(bound->plan.get());
} catch (const std::bad_alloc&) {
  return Status(StatusCode::kOutOfMemory, "out of memory while planning");
}

Status Session::RunInto(std::span<const TensorView> inputs, std::span<const OutputBuffer> outputs,
                        const RunControl& control) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  const DefaultFloatMode mode;
  return state_->executor.Run(inputs, outputs, control);
} catch (const std::bad_alloc&) {
  return {StatusCode::kOutOfMemory, "out of memory while planning"};
}

TensorView Session::Output(size_t index) const { return state_->executor.Output(index); }

Result<std::vector<Tensor>> Session::Run(std::span<const Tensor> inputs) try {
  const Hold hold(state_->busy);
  if (!hold.held()) return BusyStatus();
  const DefaultFloatMode mode;
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) {
    views.push_back({input.element(), input.shape(), input.raw()});
  }
  PLEAT_RETURN_IF_ERROR(state_->executor.Run(views, {}, {}));
  state_->kept_inputs.assign(inputs.begin(), inputs.end());
  std::vector<Tensor> results;
  for (size_t o = 0; o < model_->graph().outputs.size(); ++o) {
    const TensorView output = Output(o);
    Tensor copy = Tensor::Make(output.element, {output.shape.begin(), output.shape.end()});
    if (copy.bytes() > 0) std::memcpy(copy.mutable_raw(), output.data, copy.bytes());
    results.push_back(std::move(copy));
  }
  return results;
} catch (const std::bad_alloc&) {
  return Status(StatusCode::kOutOfMemory, "out of memory while running");
}

Tensor Session::ValueAfterRun(ValueId id) const {
  const TensorView view = state_->executor.ValueOf(id);
  if (view.data == nullptr) return {};
  const Shape shape(view.shape.begin(), view.shape.end());
  for (const Tensor& input : state_->kept_inputs) {
    if (input.raw() == view.data) return input.Reshaped(shape);
  }
  return Tensor::Borrow(view.element, shape, view.data, nullptr);
}

std::span<const DeferredStep> Session::Deferred() const { return state_->executor.Deferred(); }

size_t Session::deferred_bytes() const { return state_->executor.deferred_bytes(); }

void Session::Profile(std::function<void(size_t, double)> on_step) {
  state_->executor.Profile(std::move(on_step));
}

}  // namespace pleat::runtime
