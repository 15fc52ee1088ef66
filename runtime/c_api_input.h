// An input of a C API session: what pleat_set_input was told, checked and kept.
#ifndef PLEAT_RUNTIME_C_API_INPUT_H_
#define PLEAT_RUNTIME_C_API_INPUT_H_

#include <vector>

#include "pleat/pleat.h"
#include "runtime/graph.h"
#include "runtime/read_input.h"
#include "runtime/session.h"

namespace pleat::runtime {

class SessionInput {
 public:
  // `value` is the graph's input; it must outlive this.
  explicit SessionInput(const Value& value);

  // Takes over what `tensor` says, or fails naming the input and changes nothing. Allocates only
  // where the shape or the order in memory is new. `*reshaped` tells whether the sizes are others
  // than before.
  Status Set(const pleat_tensor& tensor, bool* reshaped);

  bool is_set() const { return set_; }
  // Sizes in the model's order; those of the model when nothing is set.
  const Shape& shape() const { return shape_; }
  const Value& value() const { return *value_; }
  // The numbers for a run: the caller's own, or read now into memory that is kept here.
  TensorView Read();

 private:
  Status CheckAgainstModel(const StridedSource& source) const;
  Status CheckMemory(const StridedSource& source, const pleat_tensor& tensor) const;

  const Value* value_;
  bool set_ = false;
  bool dense_ = true;  // the caller's memory is used as it is
  Shape shape_;
  StridedSource source_;
  std::vector<float> mean_, scale_;
  Tensor read_;  // when not dense
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_C_API_INPUT_H_
