// Recurrent networks over a sequence, as ONNX defines RNN, GRU and LSTM: for every step t, with
// gates W x[t] + R h[t-1] + bias (two biases, one of each product),
//   Rnn:  h[t] = f(gate)
//   Gru:  z, r = f(gates), n = g(W x + r .* (R h + bias of R))   when linear_before_reset
//         n = g(W x + R (r .* h) + biases) otherwise; h[t] = (1 - z) .* n + z .* h[t-1]
//   Lstm: i = f(gate + p_i .* c[t-1]), f = f(gate + p_f .* c[t-1]) or 1 - i (input_forget),
//         c[t] = f .* c[t-1] + i .* g(gate), o = f(gate + p_o .* c[t]), h[t] = o .* h(c[t])
// What goes into an activation is clipped to [-clip, clip] first.
#ifndef PLEAT_KERNELS_RECURRENT_H_
#define PLEAT_KERNELS_RECURRENT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/activation.h"
#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

enum class RecurrentKind : uint8_t { kRnn, kGru, kLstm };

inline int64_t GateCount(RecurrentKind kind) {
  return kind == RecurrentKind::kRnn ? 1 : kind == RecurrentKind::kGru ? 3 : 4;
}
// Activations of one direction.
inline size_t ActivationCount(RecurrentKind kind) { return static_cast<size_t>(kind) + 1; }

struct RecurrentProblem {
  ElementType type = ElementType::kFloat32;  // of all operands but lengths: float32 or float64
  RecurrentKind kind = RecurrentKind::kRnn;
  int64_t steps = 1, batch = 1, inputs = 1, hidden = 1;
  int64_t directions = 1;    // the second runs from the end
  bool reverse = false;      // with one direction: it runs from the end
  bool batch_first = false;  // x is [batch,steps,inputs], y and the states likewise
  std::vector<Activation> activations;
  double clip = 0;  // 0: none
  bool linear_before_reset = false;
  bool input_forget = false;

  // Constant w and r, else null: read from the operands at each run.
  const void* w = nullptr;
  const void* r = nullptr;
  bool has_bias = false, has_lengths = false, has_h = false, has_c = false, has_peepholes = false;
  bool wants_y = true, wants_h = false, wants_c = false;

  SelectOptions select;

  bool Backwards(int64_t direction) const { return directions == 1 ? reverse : direction == 1; }
  // Elements between one step's x and the next, and between one sequence's and the next.
  int64_t x_step() const { return batch_first ? inputs : batch * inputs; }
  int64_t x_batch() const { return batch_first ? steps * inputs : inputs; }
  // Where y's row of `hidden` elements lies, and a state's.
  int64_t YOffset(int64_t step, int64_t direction, int64_t b) const {
    return (batch_first ? (b * steps + step) * directions + direction
                        : (step * directions + direction) * batch + b) *
           hidden;
  }
  int64_t StateOffset(int64_t direction, int64_t b) const {
    return (batch_first ? b * directions + direction : direction * batch + b) * hidden;
  }
};

// Operands: x [steps,batch,inputs], w [directions,gates*hidden,inputs] and
// r [directions,gates*hidden,hidden] (gates in ONNX's order: iofc, zrh), then those present of
// bias [directions,2*gates*hidden], lengths (int32 [batch]; beyond [0, steps] they count as the
// nearer bound), h and c [directions,batch,hidden], peepholes [directions,3*hidden] (iof).
// Outputs, those wanted of: y [steps,directions,batch,hidden], zero beyond a sequence's length; the
// last h; the last c.
std::span<const Candidate<RecurrentProblem>> RecurrentCandidates();

// One run's operands by name; null for those absent.
template <class T>
struct RecurrentOperands {
  RecurrentOperands(const RecurrentProblem& p, const Operands& operands);
  // The steps of a sequence.
  int64_t Length(const RecurrentProblem& p, int64_t b) const;

  const T *x, *w, *r, *bias = nullptr, *h = nullptr, *c = nullptr, *peepholes = nullptr;
  const int32_t* lengths = nullptr;
  T *y = nullptr, *last_h = nullptr, *last_c = nullptr;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_RECURRENT_H_
