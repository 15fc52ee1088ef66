// Nodes that importers compose others from.
#ifndef PLEAT_CONVERTER_IMPORT_EMIT_H_
#define PLEAT_CONVERTER_IMPORT_EMIT_H_

#include <vector>

#include "converter/import/context.h"
#include "kernels/activation.h"

namespace pleat::converter {

runtime::ValueId EmitUnary(ImportContext& context, kernels::UnaryKind kind, runtime::ValueId x,
                           float a = 0, float b = 0);
// Numpy's broadcasting; both operands have one element type.
runtime::ValueId EmitBinary(ImportContext& context, runtime::fb::BinaryKind kind,
                            runtime::ValueId a, runtime::ValueId b);
// Reduces over the axes and keeps them with size 1.
runtime::ValueId EmitReduce(ImportContext& context, runtime::fb::ReduceKind kind,
                            runtime::ValueId x, const std::vector<int64_t>& axes);
runtime::ValueId EmitReshape(ImportContext& context, runtime::ValueId x,
                             const std::vector<int64_t>& shape);
runtime::ValueId EmitConcat(ImportContext& context, int64_t axis,
                            std::vector<runtime::ValueId> inputs);
// The value itself when `perm` is in order.
runtime::ValueId EmitTranspose(ImportContext& context, runtime::ValueId x,
                               std::vector<int64_t> perm);
runtime::ValueId EmitSlice(ImportContext& context, runtime::ValueId x, int64_t axis, int64_t begin,
                           int64_t end, int64_t step = 1);
// A size of a value, as a scalar, and 0 to count - 1.
runtime::ValueId SizeAlong(ImportContext& context, runtime::ValueId x, int64_t axis);
runtime::ValueId EmitNumbers(ImportContext& context, runtime::ValueId count);
// A one-dimensional value with axes of size 1 behind it, so that it broadcasts along `axis` of a
// value of `rank`; others, and one of a single element, are returned as they are.
runtime::ValueId AlongAxis(ImportContext& context, runtime::ValueId value, int axis, int rank);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_EMIT_H_
