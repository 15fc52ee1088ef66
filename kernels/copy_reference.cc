// One element at a time, in the order of the dimensions.
#include <cstring>

#include "kernels/copy.h"

namespace pleat::kernels {
namespace {

class ReferenceCopy : public Kernel {
 public:
  explicit ReferenceCopy(const CopyProblem& problem) : problem_(problem) {}

  void Run(const Operands& operands) const override {
    for (const CopyPiece& piece : problem_.pieces) {
      const auto* in = piece.input == kZeros
                           ? nullptr
                           : static_cast<const std::byte*>(operands.inputs[piece.input]);
      Copy(piece, 0, piece.in_offset, piece.out_offset, in,
           static_cast<std::byte*>(operands.outputs[piece.output]));
    }
  }

 private:
  void Copy(const CopyPiece& piece, size_t d, int64_t from, int64_t to, const std::byte* in,
            std::byte* out) const {
    const size_t bytes = problem_.element_size;
    const auto size = static_cast<int64_t>(bytes);
    if (d < piece.dims.size()) {
      const CopyDim& dim = piece.dims[d];
      for (int64_t i = 0; i < dim.size; ++i) {
        Copy(piece, d + 1, from + i * dim.in_stride, to + i * dim.out_stride, in, out);
      }
    } else if (in == nullptr) {
      std::memset(out + to * size, 0, bytes);
    } else {
      std::memcpy(out + to * size, in + from * size, bytes);
    }
  }

  const CopyProblem problem_;
};

}  // namespace

Refusal RefuseReferenceCopy(const CopyProblem&) { return {}; }

std::unique_ptr<Kernel> MakeReferenceCopy(const CopyProblem& problem) {
  return std::make_unique<ReferenceCopy>(problem);
}

}  // namespace pleat::kernels
