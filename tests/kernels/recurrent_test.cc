// RNN, GRU and LSTM: numbers worked out by hand, and every way to compute them against the
// reference.
#include "kernels/recurrent.h"

#include "tests/kernels/elementwise_support.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using K = UnaryKind;
constexpr Activation kSigmoid = {K::kSigmoid}, kTanh = {K::kTanh}, kPlain = {K::kIdentity};

const Candidate<RecurrentProblem>& Reference() { return RecurrentCandidates().back(); }

struct Data {
  RecurrentProblem problem;
  std::vector<std::vector<float>> floats;  // x, w, r, bias, h, c, peepholes; empty: absent
  std::vector<int32_t> lengths;

  template <class T>
  Buffers BuffersOf() const {
    Buffers buffers;
    const auto put = [&](size_t i) {
      buffers.In(std::vector<T>(floats[i].begin(), floats[i].end()));
    };
    for (size_t i = 0; i < 3; ++i) put(i);
    if (problem.has_bias) put(3);
    if (problem.has_lengths) buffers.In(lengths);
    for (size_t i = 4; i < 7; ++i) {
      if (i == 4 ? problem.has_h : i == 5 ? problem.has_c : problem.has_peepholes) put(i);
    }
    const RecurrentProblem& p = problem;
    const auto state = static_cast<size_t>(p.directions * p.batch * p.hidden);
    if (p.wants_y) buffers.Out<T>(static_cast<size_t>(p.steps) * state);
    if (p.wants_h) buffers.Out<T>(state);
    if (p.wants_c) buffers.Out<T>(state);
    return buffers;
  }
};

Data RandomData(RecurrentProblem problem, uint64_t seed) {
  tests::Random random(seed);
  const auto& p = problem;
  const int64_t gates = GateCount(p.kind) * p.hidden;
  Data data;
  const auto add = [&](int64_t count) {
    data.floats.push_back(random.Values<float>(static_cast<size_t>(count), -1, 1));
  };
  add(p.steps * p.batch * p.inputs);
  add(p.directions * gates * p.inputs);
  add(p.directions * gates * p.hidden);
  add(p.directions * 2 * gates);
  add(p.directions * p.batch * p.hidden);
  add(p.directions * p.batch * p.hidden);
  add(p.directions * 3 * p.hidden);
  for (int64_t b = 0; b < p.batch; ++b) {
    data.lengths.push_back(static_cast<int32_t>(random.Between(-1, p.steps + 1)));
  }
  data.problem = problem;
  return data;
}

void CheckAgainstReference(Data data) {
  Data wide = data;
  wide.problem.type = ElementType::kFloat64;
  const auto expected =
      RunEveryWay(*Reference().make(wide.problem), wide.BuffersOf<double>());
  for (const bool constant : {false, true}) {
    if (constant) {
      data.problem.w = data.floats[1].data();
      data.problem.r = data.floats[2].data();
    }
    ForEveryKernel(RecurrentCandidates(), data.problem,
                   [&](const Kernel& kernel, const std::string&) {
                     const auto results = RunEveryWay(kernel, data.BuffersOf<float>());
                     ASSERT_EQ(results.size(), expected.size());
                     for (size_t o = 0; o < results.size(); ++o) {
                       const auto y = As<float>(results[o]);
                       const auto definition = As<double>(expected[o]);
                       double worst = 0;
                       for (size_t i = 0; i < y.size(); ++i) {
                         const double off =
                             std::abs(y[i] - definition[i]) / (1 + std::abs(definition[i]));
                         if (!(off <= worst)) worst = off;
                       }
                       EXPECT_LE(worst, 2e-5) << "output " << o;
                     }
                   });
  }
}

RecurrentProblem ProblemOf(RecurrentKind kind, int64_t steps, int64_t batch, int64_t inputs,
                           int64_t hidden, int64_t directions) {
  RecurrentProblem p{.kind = kind,
                     .steps = steps,
                     .batch = batch,
                     .inputs = inputs,
                     .hidden = hidden,
                     .directions = directions};
  for (int64_t d = 0; d < directions; ++d) {
    if (kind != RecurrentKind::kRnn) p.activations.push_back(kSigmoid);
    if (kind == RecurrentKind::kLstm) p.activations.push_back(kTanh);
    p.activations.push_back(kTanh);
  }
  p.wants_h = true;
  p.wants_c = kind == RecurrentKind::kLstm;
  return p;
}

constexpr RecurrentKind kKinds[] = {RecurrentKind::kRnn, RecurrentKind::kGru, RecurrentKind::kLstm};

TEST(Recurrent, OddShapes) {
  struct Sizes {
    int64_t steps, batch, inputs, hidden, directions;
  };
  uint64_t seed = 1;
  for (const RecurrentKind kind : kKinds) {
    for (const Sizes& s : std::vector<Sizes>{{1, 1, 1, 1, 1},
                                             {0, 2, 3, 4, 1},
                                             {3, 0, 3, 4, 2},
                                             {5, 3, 7, 16, 1},
                                             {4, 1, 16, 17, 2},
                                             {150, 2, 3, 5, 2},
                                             {2, 131, 5, 3, 1}}) {
      CheckAgainstReference(RandomData(
          ProblemOf(kind, s.steps, s.batch, s.inputs, s.hidden, s.directions), seed++));
    }
  }
}

TEST(Recurrent, LargeProductsAreSharedAmongThreads) {
  for (const RecurrentKind kind : kKinds) {
    RecurrentProblem p = ProblemOf(kind, 2, 1, 40, kind == RecurrentKind::kRnn ? 500 : 330, 1);
    Data data = RandomData(p, 77);
    for (const size_t i : {size_t{1}, size_t{2}}) {
      for (float& value : data.floats[i]) value *= 0.1f;
    }
    CheckAgainstReference(data);
  }
}

TEST(Recurrent, EveryOption) {
  uint64_t seed = 100;
  for (const RecurrentKind kind : kKinds) {
    for (int options = 0; options < 64; ++options) {
      const bool odd = options % 2 == 1;
      RecurrentProblem p = ProblemOf(kind, 6, 3, 5, 9, odd ? 2 : 1);
      p.reverse = true;
      p.batch_first = options & 2;
      p.has_lengths = options & 4;
      p.has_h = p.has_bias = options & 8;
      p.has_c = p.has_peepholes = kind == RecurrentKind::kLstm && (options & 16);
      p.linear_before_reset = p.input_forget = options & 32;
      if (options & 16) p.clip = 0.4;
      if (odd) p.activations[0] = {K::kHardSigmoid, 0.2f, 0.5f};
      p.wants_y = (options / 2) % 3 != 0;
      CheckAgainstReference(RandomData(p, seed++));
    }
  }
}

// One input, one unit, two steps, all activations the identity: the formulas by hand.
std::vector<double> Worked(RecurrentProblem p, std::vector<std::vector<float>> floats) {
  p.steps = 2;
  p.type = ElementType::kFloat64;
  p.activations.assign(ActivationCount(p.kind), kPlain);
  Data data{.problem = p, .floats = std::move(floats), .lengths = {}};
  data.floats.resize(7);
  return As<double>(RunEveryWay(*Reference().make(p), data.BuffersOf<double>())[0]);
}

TEST(Recurrent, WorkedByHand) {
  RecurrentProblem rnn{.kind = RecurrentKind::kRnn, .has_bias = true};
  // h1 = 2*3 + 1 + 10 = 17, h2 = 2*5 + 0.5*17 + 11 = 29.5
  EXPECT_EQ(Worked(rnn, {{3, 5}, {2}, {0.5f}, {1, 10}}), (std::vector<double>{17, 29.5}));
  rnn.reverse = true;
  // h of 5 first: 21, then 6 + 10.5 + 11 = 27.5
  EXPECT_EQ(Worked(rnn, {{3, 5}, {2}, {0.5f}, {1, 10}}), (std::vector<double>{27.5, 21}));
  RecurrentProblem gru{.kind = RecurrentKind::kGru, .has_bias = true};
  // z = x, r = 2x, n = x + 3 r h + 0.5 + 0.25 from h = 0: z = 1, h = 0; z = 3, n = 3.75, h = -7.5
  EXPECT_EQ(Worked(gru, {{1, 3}, {1, 2, 1}, {0, 0, 3}, {0, 0, 0.5f, 0, 0, 0.25f}}),
            (std::vector<double>{0, -7.5}));
  // n = x + r (3 h + 0.25) + 0.5: z = 2, n = 2 + 4 / 4 + 0.5, h = -3.5;
  // z = 3, n = 3 + 6 (-10.5 + 0.25) + 0.5 = -58, h = 116 - 10.5
  gru.linear_before_reset = true;
  EXPECT_EQ(Worked(gru, {{2, 3}, {1, 2, 1}, {0, 0, 3}, {0, 0, 0.5f, 0, 0, 0.25f}}),
            (std::vector<double>{-3.5, 105.5}));
  RecurrentProblem lstm{.kind = RecurrentKind::kLstm, .has_peepholes = true};
  // Gates i, o, f, g = x, 2x, 0, 1 - by W (g = x here) and peepholes 1, 1, 2:
  // c1 = 1*1 = 1, h1 = (2 + 1) * 1; i = 2 + 1, f = 2, g = 2: c2 = 2 + 6, h2 = (4 + 8) * 8
  EXPECT_EQ(Worked(lstm, {{1, 2}, {1, 2, 0, 1}, {0, 0, 0, 0}, {}, {}, {}, {1, 1, 2}}),
            (std::vector<double>{3, 96}));
  lstm.has_peepholes = false;
  lstm.input_forget = true;
  // c1 = 1, h1 = 2; i = 2, f = -1, g = 2: c2 = -1 + 4, h2 = 4 * 3
  EXPECT_EQ(Worked(lstm, {{1, 2}, {1, 2, 0, 1}, {0, 0, 0, 0}}), (std::vector<double>{2, 12}));
}

}  // namespace
}  // namespace pleat::kernels
