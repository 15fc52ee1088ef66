#include "kernels/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

// An element that a sample reads, along one axis or in the whole picture.
struct Tap {
  int64_t offset;
  double weight;
};

constexpr int kMostAxisTaps = 4;
constexpr int kMostTaps = 64;

// `v` mirrored into [low, high] as often as it takes.
double Reflect(double v, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = std::fmod(std::abs(v - low), 2 * range);
  return distance < range ? low + distance : high - (distance - range);
}

// Keys' cubic kernel at the distances 1 + t, t, 1 - t and 2 - t.
void CubicWeights(double t, double* weights) {
  constexpr double kA = -0.75;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((x - 5) * x + 8) * x * kA - 4 * kA; };
  weights[0] = far(1 + t);
  weights[1] = near(t);
  weights[2] = near(1 - t);
  weights[3] = far(2 - t);
}

// What one axis of the picture is to a sample.
class Axis {
 public:
  Axis(int64_t size, int64_t stride, const GridSampleProblem& problem)
      : size_(size),
        stride_(stride),
        interpolation_(problem.interpolation),
        padding_(problem.padding),
        align_corners_(problem.align_corners),
        low_(problem.align_corners ? 0 : -0.5),
        high_(static_cast<double>(size) - (problem.align_corners ? 1 : 0.5)) {}

  // The taps for a coordinate; returns how many.
  int Taps(double coordinate, Tap* taps) const {
    const double at = Place(coordinate);
    const double floor = std::floor(at);
    double weights[kMostAxisTaps] = {1};
    int64_t first = static_cast<int64_t>(floor);
    int count = 1;
    if (interpolation_ == GridInterpolation::kLinear) {
      weights[0] = 1 - (at - floor);
      weights[1] = at - floor;
      count = 2;
    } else if (interpolation_ == GridInterpolation::kCubic) {
      CubicWeights(at - floor, weights);
      --first;
      count = 4;
    }
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      int64_t index = first + i;
      if (index < 0 || index >= size_) {
        if (padding_ == GridPadding::kZeros) continue;
        index = padding_ == GridPadding::kReflection
                    ? static_cast<int64_t>(Reflect(static_cast<double>(index), low_, high_))
                    : index;
        index = std::clamp<int64_t>(index, 0, size_ - 1);
      }
      taps[kept++] = {index * stride_, weights[i]};
    }
    return kept;
  }

 private:
  // In elements, brought near the picture; a whole number for the nearest element.
  double Place(double coordinate) const {
    constexpr double kFarAway = 1e9;
    const double size = static_cast<double>(size_);
    double at = align_corners_ ? (coordinate + 1) / 2 * (size - 1)
                               : ((coordinate + 1) * size - 1) / 2;
    at = std::isnan(at) ? -kFarAway : std::clamp(at, -kFarAway, kFarAway + size);
    if (interpolation_ == GridInterpolation::kNearest) at = std::nearbyint(at);
    if (at >= low_ && at <= high_) return at;
    if (padding_ == GridPadding::kBorder) return std::clamp(at, 0.0, size - 1);
    if (padding_ == GridPadding::kReflection) return Reflect(at, low_, high_);
    return at;
  }

  const int64_t size_, stride_;
  const GridInterpolation interpolation_;
  const GridPadding padding_;
  const bool align_corners_;
  const double low_, high_;  // where the picture ends
};

template <class T>
class GridSample final : public Kernel {
 public:
  explicit GridSample(const GridSampleProblem& problem) : p_(problem), plane_(1) {
    const std::vector<int64_t> strides = DenseStrides(problem.sizes);
    for (size_t d = 0; d < problem.sizes.size(); ++d) {
      axes_.emplace_back(problem.sizes[d], strides[d], problem);
      plane_ *= problem.sizes[d];
    }
  }

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    const T* grid = static_cast<const T*>(operands.inputs[1]);
    T* y = static_cast<T*>(operands.outputs[0]);
    const auto rank = static_cast<int64_t>(axes_.size());
    const int64_t bytes = p_.channels * static_cast<int64_t>(sizeof(T)) * kMostAxisTaps * rank;
    ForRows(*operands.threads, p_.batch * p_.places, bytes, [&](int64_t row) {
      Tap taps[kMostTaps];
      const int count = TapsOf(grid + row * rank, taps);
      const int64_t n = row / p_.places;
      for (int64_t c = 0; c < p_.channels; ++c) {
        const T* picture = x + (n * p_.channels + c) * plane_;
        double sum = 0;
        for (int i = 0; i < count; ++i) {
          sum += taps[i].weight * static_cast<double>(picture[taps[i].offset]);
        }
        y[(n * p_.channels + c) * p_.places + row % p_.places] = static_cast<T>(sum);
      }
    });
  }

 private:
  // The taps of all axes, multiplied out.
  int TapsOf(const T* place, Tap* taps) const {
    int count = 1;
    taps[0] = {0, 1};
    for (size_t d = 0; d < axes_.size(); ++d) {
      Tap along[kMostAxisTaps];
      const int few =
          axes_[d].Taps(static_cast<double>(place[axes_.size() - 1 - d]), along);
      Tap all[kMostTaps];
      int next = 0;
      for (int i = 0; i < count; ++i) {
        for (int j = 0; j < few; ++j) {
          all[next++] = {taps[i].offset + along[j].offset, taps[i].weight * along[j].weight};
        }
      }
      std::copy_n(all, next, taps);
      count = next;
    }
    return count;
  }

  const GridSampleProblem p_;
  std::vector<Axis> axes_;
  int64_t plane_;
};

std::unique_ptr<Kernel> Make(const GridSampleProblem& problem) {
  if (problem.type == ElementType::kFloat64) return std::make_unique<GridSample<double>>(problem);
  return std::make_unique<GridSample<float>>(problem);
}

}  // namespace

std::span<const Candidate<GridSampleProblem>> GridSampleCandidates() {
  static constexpr Candidate<GridSampleProblem> kCandidates[] = {
      {"reference", [](const GridSampleProblem&) { return Refusal(); }, Make}};
  return kCandidates;
}

}  // namespace pleat::kernels
