// Pieces cut into rows and tiles. A row is a run along the output: a memcpy, a fill or a strided
// loop. Where the output's innermost dimension is not the input's, both are walked at once in tiles
// that keep whole cache lines of either side busy.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/copy.h"
#include "kernels/split.h"
#include "kernels/transpose_tile.h"

namespace pleat::kernels {
namespace {

constexpr int64_t kRowBytes = 32768;   // longest run one task item writes
constexpr int64_t kTileBytes = 64;     // of a tile's side along the input
constexpr int64_t kTileColumns = 256;  // of a tile's side along the output
constexpr int64_t kPartBytes = 65536;  // less than this is not worth another thread
constexpr size_t kMaxDims = 20;        // of a piece, merged and cut

enum class Walk { kZero, kRun, kRepeat, kStrided, kTranspose };

// A piece, strides in bytes: `items` boxes of column.size * row.size elements each, at the
// positions that `outer` counts.
struct Piece {
  int input, output;
  int64_t in_offset, out_offset;
  Walk walk;
  std::vector<CopyDim> outer;
  CopyDim column = {1, 0, 0};  // the innermost loop, along the output
  CopyDim row = {1, 0, 0};     // of a transpose, along the input
  int64_t items = 1;
  int64_t item_bytes = 0;  // written
};

struct Word16 {
  uint64_t low, high;
};

// Copies a run of at least sizeof(Word) bytes by whole words, the last one back from the end.
template <class Word>
void CopyWords(std::byte* to, const std::byte* from, size_t bytes) {
  Word word;
  for (size_t i = 0; i + sizeof(Word) < bytes; i += sizeof(Word)) {
    std::memcpy(&word, from + i, sizeof(Word));
    std::memcpy(to + i, &word, sizeof(Word));
  }
  std::memcpy(&word, from + bytes - sizeof(Word), sizeof(Word));
  std::memcpy(to + bytes - sizeof(Word), &word, sizeof(Word));
}

// Copies a run of any length, short ones without a call.
void CopyRun(std::byte* to, const std::byte* from, size_t bytes) {
  if (bytes > 96) {
    std::memcpy(to, from, bytes);
  } else if (bytes >= 16) {
    CopyWords<Word16>(to, from, bytes);
  } else if (bytes >= 8) {
    CopyWords<uint64_t>(to, from, bytes);
  } else if (bytes >= 4) {
    CopyWords<uint32_t>(to, from, bytes);
  } else {
    for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
  }
}

template <class T>
void CopyStrided(std::byte* to, const std::byte* from, int64_t count, int64_t in_stride,
                 int64_t out_stride) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * out_stride, from + i * in_stride, sizeof(T));
  }
}

template <class T>
void Repeat(std::byte* to, const std::byte* from, int64_t count) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * sizeof(T), &value, sizeof(T));
}

template <class T>
void CopyItem(const Piece& piece, TransposeTile transpose, std::byte* to, const std::byte* from) {
  switch (piece.walk) {
    case Walk::kZero:
      std::memset(to, 0, static_cast<size_t>(piece.column.size) * sizeof(T));
      break;
    case Walk::kRun:
      CopyRun(to, from, static_cast<size_t>(piece.column.size) * sizeof(T));
      break;
    case Walk::kRepeat:
      Repeat<T>(to, from, piece.column.size);
      break;
    case Walk::kStrided:
      CopyStrided<T>(to, from, piece.column.size, piece.column.in_stride, piece.column.out_stride);
      break;
    case Walk::kTranspose:
      transpose(to, from, piece.row.size, piece.column.size, piece.column.in_stride,
                piece.row.out_stride);
      break;
  }
}

// Walks items [begin, end) of a piece.
template <class T>
void CopyItems(const Piece& piece, TransposeTile transpose, int64_t begin, int64_t end,
               const std::byte* in, std::byte* out) {
  const size_t rank = piece.outer.size();
  int64_t position[kMaxDims] = {};
  int64_t from = piece.in_offset, to = piece.out_offset;
  for (int64_t rest = begin, d = static_cast<int64_t>(rank); d-- > 0;) {
    const CopyDim& dim = piece.outer[static_cast<size_t>(d)];
    position[d] = rest % dim.size;
    rest /= dim.size;
    from += position[d] * dim.in_stride;
    to += position[d] * dim.out_stride;
  }
  for (int64_t item = begin; item < end; ++item) {
    CopyItem<T>(piece, transpose, out + to, in == nullptr ? nullptr : in + from);
    for (size_t d = rank; d-- > 0;) {
      const CopyDim& dim = piece.outer[d];
      from += dim.in_stride;
      to += dim.out_stride;
      if (++position[d] < dim.size) break;
      position[d] = 0;
      from -= dim.size * dim.in_stride;
      to -= dim.size * dim.out_stride;
    }
  }
}

// The innermost loops of a piece whose dimensions are merged, outermost along the output first.
Piece ChooseWalk(const CopyPiece& source, std::vector<CopyDim> dims, int64_t element_size) {
  Piece piece{.input = source.input,
              .output = source.output,
              .in_offset = source.in_offset * element_size,
              .out_offset = source.out_offset * element_size};
  for (CopyDim& dim : dims) {
    dim.in_stride *= element_size;
    dim.out_stride *= element_size;
  }
  if (!dims.empty()) {
    piece.column = dims.back();
    dims.pop_back();
  }
  const bool dense = piece.column.size == 1 || piece.column.out_stride == element_size;
  const auto row = std::find_if(dims.begin(), dims.end(),
                                [&](const CopyDim& dim) { return dim.in_stride == element_size; });
  if (source.input == kZeros) {
    piece.walk = Walk::kZero;
    if (!dense) dims.push_back(std::exchange(piece.column, CopyDim{1, 0, 0}));
  } else if (dense && (piece.column.size == 1 || piece.column.in_stride == element_size)) {
    piece.walk = Walk::kRun;
  } else if (dense && piece.column.in_stride == 0) {
    piece.walk = Walk::kRepeat;
  } else if (dense && row != dims.end()) {
    piece.walk = Walk::kTranspose;
    piece.row = *row;
    dims.erase(row);
  } else {
    piece.walk = Walk::kStrided;
  }
  piece.outer = std::move(dims);
  return piece;
}

// Cuts a side of the piece's boxes into blocks of `limit` elements; the rest becomes a piece of its
// own.
void Cut(std::vector<Piece>& pieces, CopyDim Piece::*side, int64_t limit) {
  for (size_t p = 0, count = pieces.size(); p < count; ++p) {
    const CopyDim whole = pieces[p].*side;
    if (whole.size <= limit) continue;
    const int64_t blocks = whole.size / limit;
    if (const int64_t rest = whole.size % limit; rest > 0) {
      Piece tail = pieces[p];
      (tail.*side).size = rest;
      tail.in_offset += blocks * limit * whole.in_stride;
      tail.out_offset += blocks * limit * whole.out_stride;
      pieces.push_back(std::move(tail));
    }
    (pieces[p].*side).size = limit;
    pieces[p].outer.push_back({blocks, limit * whole.in_stride, limit * whole.out_stride});
  }
}

// Boxes small enough to share among threads and to stay in the cache while they are turned.
void CutBoxes(std::vector<Piece>& pieces, int64_t element_size) {
  const Piece& whole = pieces[0];
  const int64_t run = kRowBytes / element_size;
  if (whole.walk != Walk::kTranspose) {
    Cut(pieces, &Piece::column, run);
  } else if (whole.column.size <= kInterleaved || whole.row.size <= kInterleaved) {
    Cut(pieces, &Piece::row, run / kInterleaved);
    Cut(pieces, &Piece::column, run / kInterleaved);
  } else {
    Cut(pieces, &Piece::row, kTileBytes / element_size);
    Cut(pieces, &Piece::column, kTileColumns);
  }
}

std::vector<CopyDim> OrderedDims(const CopyPiece& piece) {
  std::vector<CopyDim> dims = piece.dims;
  std::stable_sort(dims.begin(), dims.end(), [](const CopyDim& a, const CopyDim& b) {
    return std::abs(a.out_stride) > std::abs(b.out_stride);
  });
  return MergeDims(dims);
}

bool Empty(const CopyPiece& piece) {
  return std::any_of(piece.dims.begin(), piece.dims.end(),
                     [](const CopyDim& dim) { return dim.size == 0; });
}

class TiledCopy : public Kernel {
 public:
  explicit TiledCopy(const CopyProblem& problem)
      : element_size_(problem.element_size), transpose_(TransposeTileFor(problem.element_size)) {
    const auto size = static_cast<int64_t>(element_size_);
    for (const CopyPiece& source : problem.pieces) {
      if (Empty(source)) continue;
      std::vector<Piece> cut = {ChooseWalk(source, OrderedDims(source), size)};
      CutBoxes(cut, size);
      for (Piece& piece : cut) {
        for (const CopyDim& dim : piece.outer) piece.items *= dim.size;
        piece.item_bytes = piece.column.size * piece.row.size * size;
        total_bytes_ += piece.items * piece.item_bytes;
        pieces_.push_back(std::move(piece));
      }
    }
  }

  void Run(const Operands& operands) const override {
    ForRanges(*operands.threads, total_bytes_, kPartBytes,
              [&](int64_t begin, int64_t end, size_t) { RunBytes(operands, begin, end); });
  }

 private:
  // Runs the items whose first byte, all items counted one after another, is in [begin, end).
  void RunBytes(const Operands& operands, int64_t begin, int64_t end) const {
    int64_t start = 0;
    for (const Piece& piece : pieces_) {
      const auto item_at = [&](int64_t byte) {
        const int64_t inside = std::clamp<int64_t>(byte - start, 0, piece.items * piece.item_bytes);
        return (inside + piece.item_bytes - 1) / piece.item_bytes;
      };
      const int64_t first = item_at(begin), last = item_at(end);
      start += piece.items * piece.item_bytes;
      if (first == last) continue;
      const auto* in = piece.input == kZeros
                           ? nullptr
                           : static_cast<const std::byte*>(operands.inputs[piece.input]);
      auto* out = static_cast<std::byte*>(operands.outputs[piece.output]);
      switch (element_size_) {
        case 1:
          CopyItems<uint8_t>(piece, transpose_, first, last, in, out);
          break;
        case 2:
          CopyItems<uint16_t>(piece, transpose_, first, last, in, out);
          break;
        case 4:
          CopyItems<uint32_t>(piece, transpose_, first, last, in, out);
          break;
        default:
          CopyItems<uint64_t>(piece, transpose_, first, last, in, out);
          break;
      }
    }
  }

  const size_t element_size_;
  const TransposeTile transpose_;
  std::vector<Piece> pieces_;
  int64_t total_bytes_ = 0;
};

}  // namespace

Refusal RefuseTiledCopy(const CopyProblem& problem) {
  for (const CopyPiece& piece : problem.pieces) {
    if (OrderedDims(piece).size() + 2 > kMaxDims) return "more dimensions than it walks";
  }
  return {};
}

std::unique_ptr<Kernel> MakeTiledCopy(const CopyProblem& problem) {
  return std::make_unique<TiledCopy>(problem);
}

}  // namespace pleat::kernels
