#include "converter/import/window.h"

#include <algorithm>

#include "converter/import/text.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;

constexpr int64_t kLargest = int64_t{1} << 31;

fb::AutoPad ReadAutoPad(ImportContext& context) {
  const std::string text = context.String("auto_pad", "NOTSET");
  if (text == "SAME_UPPER") return fb::AutoPad::SameUpper;
  if (text == "SAME_LOWER") return fb::AutoPad::SameLower;
  if (text == "VALID") return fb::AutoPad::Valid;
  if (text != "NOTSET" && !text.empty()) {
    context.Invalid("auto_pad " + Quoted(text) +
                    " is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID");
  }
  return fb::AutoPad::NotSet;
}

void CheckList(ImportContext& context, const char* name, const std::vector<int64_t>& list,
               size_t length, int64_t least) {
  if (list.empty()) return;
  if (list.size() != length) {
    context.Invalid(std::string(name) + " has " + std::to_string(list.size()) +
                    " numbers, expected " + std::to_string(length));
  }
  for (const int64_t number : list) {
    if (number >= least && number <= kLargest) continue;
    context.Invalid(std::string(name) + " holds " + std::to_string(number) + ", expected " +
                    std::to_string(least) + " or more");
  }
}

}  // namespace

std::unique_ptr<fb::WindowT> ReadWindow(ImportContext& context,
                                        const std::vector<int64_t>& kernel) {
  auto window = std::make_unique<fb::WindowT>();
  window->kernel = context.Ints("kernel_shape", kernel);
  window->strides = context.Ints("strides");
  window->dilations = context.Ints("dilations");
  window->pads = context.Ints("pads");
  window->auto_pad = ReadAutoPad(context);
  const size_t rank = window->kernel.size();
  if (rank == 0) context.Invalid("attribute 'kernel_shape' is missing");
  if (rank > 3) {
    context.Unsupported("windows of " + std::to_string(rank) + " dimensions; 1 to 3 are supported");
  }
  if (!kernel.empty() && window->kernel != kernel) {
    context.Invalid("kernel_shape is " + runtime::ShapeText(window->kernel) +
                    ", the weights have " + runtime::ShapeText(kernel));
  }
  CheckList(context, "kernel_shape", window->kernel, rank, 1);
  CheckList(context, "strides", window->strides, rank, 1);
  CheckList(context, "dilations", window->dilations, rank, 1);
  CheckList(context, "pads", window->pads, 2 * rank, 0);
  if (window->auto_pad != fb::AutoPad::NotSet) window->pads.clear();
  return window;
}

}  // namespace pleat::converter
