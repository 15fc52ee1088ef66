#include "runtime/session.h"

#include <chrono>
#include <cstring>
#include <list>

#include "runtime/model_file.h"

namespace pleat::runtime {

Result<std::shared_ptr<const Model>> Model::Load(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(MappedFile file, MapFile(path));
  Result<Graph> graph = ParseGraph(file.bytes, file.owner);
  if (!graph.ok()) return graph.status().In(path);
  std::shared_ptr<Model> model(new Model);
  model->graph_ = std::move(graph).value();
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::FromBytes(std::span<const std::byte> bytes) {
  PLEAT_ASSIGN_OR_RETURN(Graph graph, ParseGraph(bytes, nullptr));
  std::shared_ptr<Model> model(new Model);
  model->graph_ = std::move(graph);
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::FromGraph(Graph graph) {
  PLEAT_RETURN_IF_ERROR(CheckGraph(graph));
  std::shared_ptr<Model> model(new Model);
  model->graph_ = std::move(graph);
  return std::shared_ptr<const Model>(std::move(model));
}

size_t Model::weight_bytes() const {
  size_t bytes = 0;
  for (const Value& value : graph_.values) {
    if (value.constant) bytes += value.constant->bytes();
  }
  return bytes;
}

namespace {

// A plan with the addresses of this session's memory filled in.
struct BoundPlan {
  std::vector<Shape> shapes;
  std::unique_ptr<Plan> plan;
  std::vector<const void*> inputs;  // of all steps, one after another
  std::vector<void*> outputs;
  struct Patch {
    size_t position;  // in `inputs`
    int input;        // the graph input whose address goes there
  };
  std::vector<Patch> patches;
  const std::byte* arena = nullptr;  // what the addresses were made for

  const void* Address(ValueId id) const {
    const Place& place = plan->places[static_cast<size_t>(id)];
    return place.kind == Place::Kind::kConstant ? place.constant : arena + place.offset;
  }

  void Bind(const std::byte* to) {
    arena = to;
    inputs.clear();
    outputs.clear();
    patches.clear();
    for (const Step& step : plan->steps) {
      for (ValueId id : step.inputs) {
        const Place& place = plan->places[static_cast<size_t>(id)];
        if (place.kind == Place::Kind::kInput) patches.push_back({inputs.size(), place.input});
        inputs.push_back(Address(id));
      }
      for (ValueId id : step.outputs) outputs.push_back(const_cast<void*>(Address(id)));
    }
  }
};

}  // namespace

struct Session::State {
  explicit State(const Options& options) : options(options), threads(options.threads) {}

  Options options;
  kernels::ThreadPool threads;
  std::list<BoundPlan> plans;  // most recently used first
  Tensor arena;
  std::vector<Tensor> last_inputs;
  std::function<void(size_t, double)> on_step;

  Result<BoundPlan*> PlanFor(const Graph& graph, std::span<const Shape> shapes);
};

Result<BoundPlan*> Session::State::PlanFor(const Graph& graph, std::span<const Shape> shapes) {
  for (auto it = plans.begin(); it != plans.end(); ++it) {
    if (std::equal(it->shapes.begin(), it->shapes.end(), shapes.begin(), shapes.end())) {
      plans.splice(plans.begin(), plans, it);
      return &plans.front();
    }
  }
  PlanOptions plan_options{.select = options.select,
                           .share_buffers = options.share_buffers,
                           .max_arena_bytes = options.max_arena_bytes};
  plan_options.select.threads = threads.threads();
  PLEAT_ASSIGN_OR_RETURN(std::unique_ptr<Plan> plan, MakePlan(graph, shapes, plan_options));
  plans.push_front({.shapes = {shapes.begin(), shapes.end()}, .plan = std::move(plan)});
  if (plans.size() > options.max_plans) plans.pop_back();
  return &plans.front();
}

Session::Session(std::shared_ptr<const Model> model, Options options)
    : model_(std::move(model)), state_(std::make_unique<State>(options)) {}

Session::~Session() = default;

Result<const Plan*> Session::Prepare(std::span<const Shape> shapes) {
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, state_->PlanFor(model_->graph(), shapes));
  return static_cast<const Plan*>(bound->plan.get());
}

Result<std::vector<Tensor>> Session::Run(std::span<const Tensor> inputs) {
  const Graph& graph = model_->graph();
  std::vector<Shape> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    shapes.push_back(inputs[i].shape());
    if (i >= graph.inputs.size()) continue;
    const Value& value = graph.values[static_cast<size_t>(graph.inputs[i])];
    if (inputs[i].element() != value.type.element) {
      return InvalidArgument("input " + value.name + ": expected " + TypeText(value.type) +
                             ", got " + TypeText(inputs[i].type()));
    }
  }
  PLEAT_ASSIGN_OR_RETURN(BoundPlan * bound, state_->PlanFor(graph, shapes));
  const Plan& plan = *bound->plan;
  if (state_->arena.empty() || state_->arena.bytes() < plan.arena_bytes) {
    state_->arena = {};
    state_->arena = Tensor::Make(ElementType::kUint8, {static_cast<int64_t>(plan.arena_bytes)});
  }
  auto* arena = static_cast<std::byte*>(state_->arena.mutable_raw());
  if (bound->arena != arena) bound->Bind(arena);
  for (const BoundPlan::Patch& patch : bound->patches) {
    bound->inputs[patch.position] = inputs[static_cast<size_t>(patch.input)].raw();
  }
  const void* const* step_inputs = bound->inputs.data();
  void* const* step_outputs = bound->outputs.data();
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    const auto start = std::chrono::steady_clock::now();
    step.kernel->Run({step_inputs, step_outputs, arena + step.scratch_offset, &state_->threads});
    if (state_->on_step) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      state_->on_step(s, took.count());
    }
    step_inputs += step.inputs.size();
    step_outputs += step.outputs.size();
  }
  state_->last_inputs.assign(inputs.begin(), inputs.end());
  std::vector<Tensor> results;
  for (ValueId id : graph.outputs) {
    const Tensor value = ValueAfterRun(id);
    Tensor copy = Tensor::Make(value.element(), value.shape());
    std::memcpy(copy.mutable_raw(), value.raw(), value.bytes());
    results.push_back(std::move(copy));
  }
  return results;
}

Tensor Session::ValueAfterRun(ValueId id) const {
  if (state_->plans.empty()) return {};
  const BoundPlan& bound = state_->plans.front();
  const Place& place = bound.plan->places[static_cast<size_t>(id)];
  const Type& type = bound.plan->types[static_cast<size_t>(id)];
  switch (place.kind) {
    case Place::Kind::kNone:
      return {};
    case Place::Kind::kInput:
      return state_->last_inputs[static_cast<size_t>(place.input)].Reshaped(type.shape);
    default:
      return Tensor::Borrow(type.element, type.shape, bound.Address(id), nullptr);
  }
}

void Session::Profile(std::function<void(size_t, double)> on_step) {
  state_->on_step = std::move(on_step);
}

}  // namespace pleat::runtime
