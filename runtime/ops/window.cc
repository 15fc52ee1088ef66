#include "runtime/ops/window.h"

#include <algorithm>

#include "runtime/checked.h"

namespace pleat::runtime {
namespace {

using Sizes = std::span<const int64_t>;

Status CheckLength(const char* what, size_t got, size_t expected) {
  if (got == 0 || got == expected) return Status::Ok();
  return InvalidModel("expected " + std::to_string(expected) + " " + what + ", got " +
                      std::to_string(got));
}

// Entries at least `low` (kUnknownDim passes where `unknown` is true) and at most kMaxTensorBytes.
Status CheckEntries(const char* what, Sizes values, int64_t low, bool unknown = false) {
  for (int64_t value : values) {
    if (unknown && value == kUnknownDim) continue;
    if (value < low || value > kMaxTensorBytes) {
      return InvalidModel(std::string("expected ") + what + " of at least " + std::to_string(low) +
                          ", got " + ShapeText(Shape(values.begin(), values.end())));
    }
  }
  return Status::Ok();
}

// Checks everything but the output's sizes and fills the geometry's fields other than `out`.
Result<WindowGeometry> Normalize(const fb::WindowT& window, Sizes kernel, Sizes in) {
  const size_t rank = in.size();
  if (rank < 1 || rank > 3) {
    return Unsupported("expected 1, 2 or 3 spatial dimensions, got " + std::to_string(rank));
  }
  if (kernel.size() != rank) {
    return InvalidModel("expected " + std::to_string(rank) + " kernel sizes, got " +
                        std::to_string(kernel.size()));
  }
  PLEAT_RETURN_IF_ERROR(CheckLength("strides", window.strides.size(), rank));
  PLEAT_RETURN_IF_ERROR(CheckLength("dilations", window.dilations.size(), rank));
  PLEAT_RETURN_IF_ERROR(CheckLength("pads", window.pads.size(), 2 * rank));
  PLEAT_RETURN_IF_ERROR(CheckEntries("image sizes", in, 0, true));
  PLEAT_RETURN_IF_ERROR(CheckEntries("kernel sizes", kernel, 1, true));
  PLEAT_RETURN_IF_ERROR(CheckEntries("kernel sizes", window.kernel, 1));
  PLEAT_RETURN_IF_ERROR(CheckEntries("strides", window.strides, 1));
  PLEAT_RETURN_IF_ERROR(CheckEntries("dilations", window.dilations, 1));
  PLEAT_RETURN_IF_ERROR(CheckEntries("pads", window.pads, 0));
  if (window.auto_pad > fb::AutoPad::MAX) {
    return InvalidModel("unknown auto_pad " + std::to_string(static_cast<int>(window.auto_pad)));
  }
  WindowGeometry g;
  g.rank = static_cast<int>(rank);
  for (size_t i = 0; i < rank; ++i) {
    const size_t d = 3 - rank + i;
    g.in[d] = in[i];
    g.kernel[d] = kernel[i];
    if (!window.strides.empty()) g.stride[d] = window.strides[i];
    if (!window.dilations.empty()) g.dilation[d] = window.dilations[i];
    if (!window.pads.empty() && window.auto_pad == fb::AutoPad::NotSet) {
      g.pad_begin[d] = window.pads[i];
      g.pad_end[d] = window.pads[rank + i];
    }
  }
  return g;
}

Status TooLarge() { return LimitExceeded("the window's sizes overflow 64 bits"); }

bool IsSame(const fb::WindowT& window) {
  return window.auto_pad == fb::AutoPad::SameUpper || window.auto_pad == fb::AutoPad::SameLower;
}

void SplitPad(const fb::WindowT& window, int64_t total, int64_t* begin, int64_t* end) {
  *begin = window.auto_pad == fb::AutoPad::SameUpper ? total / 2 : total - total / 2;
  *end = total - *begin;
}

}  // namespace

Result<WindowGeometry> GatherGeometry(const fb::WindowT& window, Sizes kernel, Sizes in,
                                      bool ceil_mode) {
  PLEAT_ASSIGN_OR_RETURN(WindowGeometry g, Normalize(window, kernel, in));
  for (int d = 3 - g.rank; d < 3; ++d) {
    g.out[d] = kUnknownDim;
    if (g.in[d] == kUnknownDim || g.kernel[d] == kUnknownDim) continue;
    const Checked extent = (Checked(g.kernel[d]) - 1) * g.dilation[d] + 1;
    if (IsSame(window)) {
      g.out[d] = g.in[d] / g.stride[d] + (g.in[d] % g.stride[d] != 0);
      const Checked total = (Checked(g.out[d]) - 1) * g.stride[d] + extent - g.in[d];
      if (!total.ok()) return TooLarge();
      SplitPad(window, std::max<int64_t>(0, *total.get()), &g.pad_begin[d], &g.pad_end[d]);
    }
    const Checked room = Checked(g.in[d]) + g.pad_begin[d] + g.pad_end[d] - extent;
    if (!room.ok()) return TooLarge();
    if (*room.get() < 0) {
      return InvalidModel("a window of extent " + std::to_string(*extent.get()) +
                          " does not fit in an image of size " + std::to_string(g.in[d]) +
                          " with pads " + std::to_string(g.pad_begin[d]) + " and " +
                          std::to_string(g.pad_end[d]));
    }
    if (IsSame(window)) continue;
    const int64_t slides = *room.get() / g.stride[d];
    g.out[d] = slides + 1;
    const bool partial = *room.get() % g.stride[d] != 0;
    if (ceil_mode && partial && (slides + 1) * g.stride[d] < g.in[d] + g.pad_begin[d]) ++g.out[d];
  }
  return g;
}

Result<WindowGeometry> ScatterGeometry(const fb::WindowT& window, Sizes kernel, Sizes in,
                                       Sizes output_padding, Sizes output_shape) {
  PLEAT_ASSIGN_OR_RETURN(WindowGeometry g, Normalize(window, kernel, in));
  const size_t rank = static_cast<size_t>(g.rank);
  PLEAT_RETURN_IF_ERROR(CheckLength("output paddings", output_padding.size(), rank));
  PLEAT_RETURN_IF_ERROR(CheckLength("output sizes", output_shape.size(), rank));
  PLEAT_RETURN_IF_ERROR(CheckEntries("output paddings", output_padding, 0));
  PLEAT_RETURN_IF_ERROR(CheckEntries("output sizes", output_shape, 1));
  for (size_t i = 0; i < rank; ++i) {
    const size_t d = 3 - rank + i;
    g.out[d] = output_shape.empty() ? kUnknownDim : output_shape[i];
    if (g.in[d] == kUnknownDim || g.kernel[d] == kUnknownDim) continue;
    const Checked full = (Checked(g.in[d]) - 1) * g.stride[d] +
                         (output_padding.empty() ? 0 : output_padding[i]) +
                         (Checked(g.kernel[d]) - 1) * g.dilation[d] + 1;
    Checked wanted = g.out[d];
    if (output_shape.empty() && IsSame(window)) wanted = Checked(g.in[d]) * g.stride[d];
    const Checked total = full - wanted;
    if (!total.ok()) return TooLarge();
    if (!output_shape.empty() || IsSame(window)) {
      SplitPad(window, std::max<int64_t>(0, *total.get()), &g.pad_begin[d], &g.pad_end[d]);
    }
    if (!output_shape.empty()) continue;
    const int64_t out = *full.get() - g.pad_begin[d] - g.pad_end[d];  // pads are ranged
    if (out > kMaxTensorBytes) return TooLarge();
    if (out < 1) {
      return InvalidModel("an output of size " + std::to_string(out) + " from an image of " +
                          "size " + std::to_string(g.in[d]) + " with pads " +
                          std::to_string(g.pad_begin[d]) + " and " + std::to_string(g.pad_end[d]));
    }
    g.out[d] = out;
  }
  return g;
}

}  // namespace pleat::runtime
