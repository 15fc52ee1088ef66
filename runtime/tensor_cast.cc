#include "kernels/cast.h"
#include "runtime/tensor.h"

namespace pleat::runtime {
namespace {

template <class T>
std::vector<T> Converted(const Tensor& tensor) {
  std::vector<T> values(static_cast<size_t>(tensor.count()));
  kernels::CastElements(tensor.element(), tensor.raw(), ElementTypeOf<T>(), values.data(),
                        values.size());
  return values;
}

}  // namespace

Tensor Cast(const Tensor& tensor, ElementType to) {
  if (tensor.element() == to) return tensor;
  Tensor result = Tensor::Make(to, tensor.shape());
  kernels::CastElements(tensor.element(), tensor.raw(), to, result.mutable_raw(),
                        static_cast<size_t>(tensor.count()));
  return result;
}

std::vector<int64_t> ToInt64s(const Tensor& tensor) { return Converted<int64_t>(tensor); }

std::vector<double> ToDoubles(const Tensor& tensor) { return Converted<double>(tensor); }

}  // namespace pleat::runtime
