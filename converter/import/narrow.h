// Conversions to narrow types, written out as nodes over what carries them.
#ifndef PLEAT_CONVERTER_IMPORT_NARROW_H_
#define PLEAT_CONVERTER_IMPORT_NARROW_H_

#include "converter/import/context.h"

namespace pleat::converter {

// x as a narrow type, marked as one. Floats are rounded, halves to even; what is beyond the largest
// becomes it, or without `saturate` infinity or NaN, as the type has them. Integers lose what is
// before the point or beyond their bits.
runtime::ValueId CastToNarrow(ImportContext& context, runtime::ValueId x, int data_type,
                              bool saturate);

// The narrow type that an operator moves from its inputs to its outputs, 0 for none; kUnsupported
// where it would compute with one.
runtime::Result<int> NarrowMoved(const GraphBuilder& builder, const std::string& op,
                                 const std::vector<runtime::ValueId>& inputs);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_NARROW_H_
