#include "tools/candidates.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "runtime/op.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Graph;
using runtime::Plan;
using runtime::PrepareContext;
using runtime::Result;
using runtime::Session;
using runtime::Status;
using runtime::Step;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;
using Clock = std::chrono::steady_clock;

constexpr size_t kFewestRounds = 5, kMostRounds = 101;
constexpr const char* kReference = "reference";

// A step's node as the plan saw it.
struct Problem {
  const runtime::Node* node;
  std::vector<Type> inputs, outputs;
  std::vector<Tensor> constants;  // of the inputs; empty where they come with a run
  std::vector<const Tensor*> known;

  Problem(const Graph& graph, const Plan& plan, const Step& step)
      : node(&graph.nodes[static_cast<size_t>(step.node)]), constants(node->inputs.size()) {
    const auto type_of = [&](ValueId id) {
      return id == runtime::kNoValue ? Type{} : plan.types[static_cast<size_t>(id)];
    };
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      inputs.push_back(type_of(node->inputs[i]));
      known.push_back(nullptr);
      if (node->inputs[i] == runtime::kNoValue) continue;
      const runtime::Place& place = plan.places[static_cast<size_t>(node->inputs[i])];
      if (place.kind != runtime::Place::Kind::kConstant) continue;
      constants[i] = Tensor::Borrow(inputs[i].element, inputs[i].shape, place.constant, nullptr);
      known[i] = &constants[i];
    }
    for (const ValueId id : node->outputs) outputs.push_back(type_of(id));
  }

  Result<PrepareContext> Prepare(const kernels::SelectOptions& select) const {
    PrepareContext context{
        .node = *node, .inputs = inputs, .outputs = outputs, .known = known, .select = select};
    PLEAT_RETURN_IF_ERROR(runtime::RuleOf(node->op.type).prepare(context));
    return context;
  }

  // Random numbers of other types may be places that are not there.
  bool IsMeasured(const Step& step) const {
    const auto is_float = [](const Type& type) { return type.element == ElementType::kFloat32; };
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (known[i] == nullptr && !is_float(inputs[i])) return false;
    }
    return step.multiply_adds > 0 && std::all_of(outputs.begin(), outputs.end(), is_float);
  }
};

// A candidate at work.
struct Trial {
  std::unique_ptr<kernels::Kernel> kernel;
  std::vector<int> operands;
  std::vector<double> seconds;
  CandidateTime* result;
};

struct StepTrials {
  std::unique_ptr<Problem> problem;
  std::vector<Trial> trials;
};

std::string NameIn(const std::string& refusal) { return refusal.substr(0, refusal.find(':')); }
std::string ReasonIn(const std::string& refusal) { return refusal.substr(refusal.find(':') + 2); }

// Memory for one step at a time, as long as the largest needs it.
class Buffers {
 public:
  void Reserve(const StepTrials& step, int threads) {
    const Problem& problem = *step.problem;
    Grow(problem.inputs, &input_bytes_);
    Grow(problem.outputs, &output_bytes_);
    for (const Trial& trial : step.trials) {
      scratch_bytes_ = std::max(scratch_bytes_, trial.kernel->scratch_bytes(threads));
    }
  }

  void Allocate() {
    std::minstd_rand random(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (const size_t bytes : input_bytes_) {
      inputs_.push_back(Make(bytes));
      auto* to = static_cast<float*>(inputs_.back().mutable_raw());
      std::generate_n(to, bytes / sizeof(float), [&] { return uniform(random); });
    }
    for (const size_t bytes : output_bytes_) outputs_.push_back(Make(bytes));
    scratch_ = Make(scratch_bytes_);
  }

  // With its inputs read just before, as after the step that made them.
  double Run(const StepTrials& step, const Trial& trial, kernels::ThreadPool& pool) {
    const Problem& problem = *step.problem;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (const int operand : trial.operands) {
      const auto i = static_cast<size_t>(operand);
      inputs.push_back(problem.known[i] != nullptr ? problem.known[i]->raw() : inputs_[i].raw());
      if (problem.known[i] == nullptr) Read(inputs_[i].raw(), ByteSize(problem.inputs[i]));
    }
    for (size_t i = 0; i < problem.outputs.size(); ++i) {
      outputs.push_back(outputs_[i].mutable_raw());
    }
    const Clock::time_point start = Clock::now();
    trial.kernel->Run({inputs.data(), outputs.data(), scratch_.mutable_raw(), &pool});
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

 private:
  static Tensor Make(size_t bytes) {
    return Tensor::Make(ElementType::kUint8, {static_cast<int64_t>(bytes)});
  }
  static void Grow(const std::vector<Type>& types, std::vector<size_t>* bytes) {
    bytes->resize(std::max(bytes->size(), types.size()));
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i].Known()) (*bytes)[i] = std::max((*bytes)[i], ByteSize(types[i]));
    }
  }
  void Read(const void* data, size_t bytes) {
    const auto* from = static_cast<const volatile char*>(data);
    for (size_t i = 0; i < bytes; i += 64) static_cast<void>(from[i]);
  }

  std::vector<size_t> input_bytes_, output_bytes_;
  size_t scratch_bytes_ = 0;
  std::vector<Tensor> inputs_, outputs_;
  Tensor scratch_;
};

// All candidates of a step: the reference kernels asked for, every other says so.
Result<StepCandidates> CandidatesOf(const Problem& problem, const Step& step,
                                    kernels::SelectOptions select) {
  select.reference = true;
  PLEAT_ASSIGN_OR_RETURN(const PrepareContext all, problem.Prepare(select));
  StepCandidates candidates;
  for (const std::string& refusal : all.refusals) candidates.push_back({.name = NameIn(refusal)});
  candidates.push_back({.name = all.kernel_name});
  for (CandidateTime& candidate : candidates) candidate.chosen = candidate.name == step.kernel_name;
  return candidates;
}

Status Try(const Problem& problem, const Step& step, kernels::SelectOptions select,
           CandidateTime* candidate, std::vector<Trial>* trials) {
  const bool reference = candidate->name == kReference;
  if (reference && !candidate->chosen) {
    candidate->not_measured = "the last resort";
    return Status::Ok();
  }
  select.reference = reference;
  select.only = candidate->name.c_str();
  PLEAT_ASSIGN_OR_RETURN(PrepareContext context, problem.Prepare(select));
  if (context.kernel_name != candidate->name) {
    for (const std::string& refusal : context.refusals) {
      if (NameIn(refusal) == candidate->name) candidate->refusal = ReasonIn(refusal);
    }
    return Status::Ok();
  }
  if (!problem.IsMeasured(step)) {
    candidate->not_measured = "no multiply-adds of float32";
    return Status::Ok();
  }
  trials->push_back({std::move(context.kernel), std::move(context.operands), {}, candidate});
  return Status::Ok();
}

void Measure(std::vector<StepTrials>& steps, double seconds, int threads) {
  Buffers buffers;
  size_t most = 0;
  for (const StepTrials& step : steps) {
    buffers.Reserve(step, threads);
    most = std::max(most, step.trials.size());
  }
  buffers.Allocate();
  kernels::ThreadPool pool(threads);
  const Clock::time_point start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  // The first round warms up.
  for (size_t round = 0; round <= kMostRounds; ++round) {
    if (round > kFewestRounds && elapsed() > seconds) break;
    for (size_t k = 0; k < most; ++k) {
      for (StepTrials& step : steps) {
        if (k >= step.trials.size()) continue;
        Trial& trial = step.trials[k];
        const double took = buffers.Run(step, trial, pool);
        if (round > 0) trial.seconds.push_back(took);
      }
    }
  }
  for (StepTrials& step : steps) {
    for (Trial& trial : step.trials) {
      std::sort(trial.seconds.begin(), trial.seconds.end());
      trial.result->ms = trial.seconds[trial.seconds.size() / 2] * 1000;
      trial.result->min_ms = trial.seconds.front() * 1000;
    }
  }
}

}  // namespace

Result<std::vector<StepCandidates>> MeasureCandidates(const Graph& graph, const Plan& plan,
                                                      const Session::Options& options,
                                                      double seconds) {
  kernels::SelectOptions select = options.select;
  select.threads = options.threads;
  select.only = nullptr;
  std::vector<StepCandidates> all(plan.steps.size());
  std::vector<StepTrials> trials(plan.steps.size());
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    trials[s].problem = std::make_unique<Problem>(graph, plan, step);
    const Problem& problem = *trials[s].problem;
    PLEAT_ASSIGN_OR_RETURN(all[s], CandidatesOf(problem, step, select));
    for (CandidateTime& candidate : all[s]) {
      PLEAT_RETURN_IF_ERROR(Try(problem, step, select, &candidate, &trials[s].trials));
    }
  }
  Measure(trials, seconds, options.threads);
  return all;
}

const CandidateTime* BestOf(const StepCandidates& candidates) {
  const CandidateTime* best = nullptr;
  size_t measured = 0;
  for (const CandidateTime& candidate : candidates) {
    if (!candidate.measured()) continue;
    ++measured;
    if (best == nullptr || candidate.ms < best->ms) best = &candidate;
  }
  return measured < 2 ? nullptr : best;
}

const CandidateTime* ChosenOf(const StepCandidates& candidates) {
  for (const CandidateTime& candidate : candidates) {
    if (candidate.chosen) return &candidate;
  }
  return nullptr;
}

bool IsGoodChoice(const StepCandidates& candidates) {
  const CandidateTime* best = BestOf(candidates);
  const CandidateTime* chosen = ChosenOf(candidates);
  return best == nullptr || (chosen != nullptr && chosen->ms <= 1.1 * best->ms);
}

Choices CountChoices(const std::vector<StepCandidates>& steps) {
  Choices choices;
  for (const StepCandidates& step : steps) {
    if (BestOf(step) == nullptr) continue;
    ++choices.steps;
    choices.good += IsGoodChoice(step) ? 1 : 0;
  }
  return choices;
}

}  // namespace pleat::tools
