#include "kernels/recurrent.h"

#include <algorithm>

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)                 \
  Refusal Refuse##method(const RecurrentProblem&); \
  std::unique_ptr<Kernel> Make##method(const RecurrentProblem&);
#include "kernels/recurrent_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<RecurrentProblem>> RecurrentCandidates() {
  static constexpr Candidate<RecurrentProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/recurrent_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

template <class T>
RecurrentOperands<T>::RecurrentOperands(const RecurrentProblem& p, const Operands& operands) {
  const void* const* in = operands.inputs;
  x = static_cast<const T*>(*in++);
  w = static_cast<const T*>(*in++);
  r = static_cast<const T*>(*in++);
  if (p.has_bias) bias = static_cast<const T*>(*in++);
  if (p.has_lengths) lengths = static_cast<const int32_t*>(*in++);
  if (p.has_h) h = static_cast<const T*>(*in++);
  if (p.has_c) c = static_cast<const T*>(*in++);
  if (p.has_peepholes) peepholes = static_cast<const T*>(*in++);
  void* const* out = operands.outputs;
  if (p.wants_y) y = static_cast<T*>(*out++);
  if (p.wants_h) last_h = static_cast<T*>(*out++);
  if (p.wants_c) last_c = static_cast<T*>(*out++);
}

template <class T>
int64_t RecurrentOperands<T>::Length(const RecurrentProblem& p, int64_t b) const {
  return lengths == nullptr ? p.steps : std::clamp<int64_t>(lengths[b], 0, p.steps);
}

template struct RecurrentOperands<float>;
template struct RecurrentOperands<double>;

}  // namespace pleat::kernels
