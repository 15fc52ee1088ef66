// RNN, GRU, LSTM.
#include <algorithm>

#include "converter/import/imports.h"
#include "converter/import/text.h"
#include "kernels/recurrent.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using kernels::UnaryKind;
using runtime::Status;

// An activation by its name in lower case, with the defaults of its parameters.
struct Named {
  const char* name;
  UnaryKind kind;
  bool takes_alpha, takes_beta;
  float alpha, beta;
};

constexpr Named kNamed[] = {
    {"affine", UnaryKind::kAffine, true, true, 1, 0},
    {"elu", UnaryKind::kElu, true, false, 1, 0},
    {"hardsigmoid", UnaryKind::kHardSigmoid, true, true, 0.2f, 0.5f},
    {"leakyrelu", UnaryKind::kLeakyRelu, true, false, 0.01f, 0},
    {"relu", UnaryKind::kClip, false, false, 0, std::numeric_limits<float>::infinity()},
    {"scaledtanh", UnaryKind::kScaledTanh, true, true, 1, 1},
    {"sigmoid", UnaryKind::kSigmoid, false, false, 0, 0},
    {"softplus", UnaryKind::kSoftplus, false, false, 0, 0},
    {"softsign", UnaryKind::kSoftsign, false, false, 0, 0},
    {"tanh", UnaryKind::kTanh, false, false, 0, 0},
    {"thresholdedrelu", UnaryKind::kThresholdedRelu, true, false, 1, 0},
};

// Parameters are listed for those activations only that take them.
Status ReadActivations(ImportContext& context, const std::vector<std::string>& names,
                       std::vector<fb::Activation>* activations) {
  const std::vector<float> alphas = context.Floats("activation_alpha");
  const std::vector<float> betas = context.Floats("activation_beta");
  auto alpha = alphas.begin(), beta = betas.begin();
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto found = std::find_if(std::begin(kNamed), std::end(kNamed),
                                    [&](const Named& named) { return named.name == name; });
    if (found == std::end(kNamed)) {
      return context.Unsupported("the activation " + Quoted(name) + " is not known");
    }
    const float a = found->takes_alpha && alpha != alphas.end() ? *alpha++ : found->alpha;
    const float b = found->takes_beta && beta != betas.end() ? *beta++ : found->beta;
    activations->emplace_back(static_cast<uint8_t>(found->kind), a, b);
  }
  return Status::Ok();
}

}  // namespace

Status ImportRecurrent(ImportContext& context) {
  fb::RecurrentT fields;
  const bool lstm = context.op() == "LSTM", gru = context.op() == "GRU";
  fields.kind = lstm  ? fb::RecurrentKind::Lstm
                : gru ? fb::RecurrentKind::Gru
                      : fb::RecurrentKind::Rnn;
  const std::string direction = context.String("direction", "forward");
  if (direction == "reverse") {
    fields.direction = fb::RecurrentDirection::Reverse;
  } else if (direction == "bidirectional") {
    fields.direction = fb::RecurrentDirection::Bidirectional;
  } else if (direction != "forward") {
    return context.Invalid("direction is " + Quoted(direction) +
                           ", expected forward, reverse or bidirectional");
  }
  const runtime::Type r = context.input_type(2);
  const int64_t known = r.ranked && r.rank() == 3 ? r.shape[2] : runtime::kUnknownDim;
  fields.hidden = context.Int("hidden_size", known);
  if (fields.hidden == runtime::kUnknownDim) return context.Unsupported("hidden_size is not known");
  fields.batch_first = context.Int("layout", 0) != 0;
  fields.clip = context.Float("clip", 0);
  if (gru) fields.linear_before_reset = context.Flag("linear_before_reset");
  if (lstm) fields.input_forget = context.Flag("input_forget");
  context.Ignore("output_sequence");

  std::vector<std::string> names = context.Strings("activations");
  if (names.empty()) {
    names = lstm  ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
            : gru ? std::vector<std::string>{"sigmoid", "tanh"}
                  : std::vector<std::string>{"tanh"};
    if (fields.direction == fb::RecurrentDirection::Bidirectional) {
      const std::vector<std::string> forward = names;
      names.insert(names.end(), forward.begin(), forward.end());
    }
  }
  PLEAT_RETURN_IF_ERROR(ReadActivations(context, names, &fields.activations));
  std::vector<bool> wanted;
  for (int i = 0; i < context.output_count(); ++i) wanted.push_back(context.wants(i));
  const std::vector<runtime::ValueId> results =
      context.EmitSome(std::move(fields), context.inputs(), wanted);
  for (int i = 0; i < context.output_count(); ++i) {
    context.Return(i, results[static_cast<size_t>(i)]);
  }
  return context.status();
}

}  // namespace pleat::converter
