// The window attributes that convolutions and pools share.
#ifndef PLEAT_CONVERTER_IMPORT_WINDOW_H_
#define PLEAT_CONVERTER_IMPORT_WINDOW_H_

#include <memory>

#include "converter/import/context.h"

namespace pleat::converter {

// Reads kernel_shape, strides, dilations, pads and auto_pad. `kernel` is what follows from the
// weights: it stands in for kernel_shape and must agree with it; empty for pools, which need the
// attribute. Fails for lists of the wrong length and numbers out of range.
std::unique_ptr<runtime::fb::WindowT> ReadWindow(ImportContext& context,
                                                 const std::vector<int64_t>& kernel);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_WINDOW_H_
