#include "kernels/non_max_suppression.h"

#include <algorithm>
#include <cmath>

namespace pleat::kernels {
namespace {

template <class T>
struct Box {
  T left, top, right, bottom;

  T Area() const { return (right - left) * (bottom - top); }
};

template <class T>
Box<T> ReadBox(const T* box, bool centred) {
  if (centred) {
    const T wide = box[2] / 2, high = box[3] / 2;
    return {box[0] - wide, box[1] - high, box[0] + wide, box[1] + high};
  }
  return {std::min(box[1], box[3]), std::min(box[0], box[2]), std::max(box[1], box[3]),
          std::max(box[0], box[2])};
}

template <class T>
bool Overlaps(const Box<T>& a, const Box<T>& b, double most) {
  const Box<T> common = {std::max(a.left, b.left), std::max(a.top, b.top),
                         std::min(a.right, b.right), std::min(a.bottom, b.bottom)};
  if (!(common.right > common.left && common.bottom > common.top)) return false;
  const T together = a.Area() + b.Area() - common.Area();
  if (!(a.Area() > 0 && b.Area() > 0 && together > 0)) return false;
  return common.Area() / together > static_cast<T>(most);
}

}  // namespace

template <class T>
std::vector<int64_t> NonMaxSuppression(const NonMaxSuppressionProblem& problem, const T* boxes,
                                       const T* scores) {
  std::vector<int64_t> chosen;
  std::vector<int64_t> order;
  std::vector<Box<T>> kept;
  for (int64_t line = 0; line < problem.batch * problem.classes; ++line) {
    const int64_t picture = line / problem.classes;
    const T* score = scores + line * problem.boxes;
    order.clear();
    for (int64_t i = 0; i < problem.boxes; ++i) {
      const bool counts =
          problem.has_threshold ? score[i] > static_cast<T>(problem.threshold)
                                : !std::isnan(score[i]);
      if (counts) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return score[a] > score[b]; });
    kept.clear();
    for (const int64_t i : order) {
      if (static_cast<int64_t>(kept.size()) >= problem.most) break;
      const Box<T> box = ReadBox(boxes + (picture * problem.boxes + i) * 4, problem.centred);
      const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Box<T>& other) {
        return Overlaps(box, other, problem.overlap);
      });
      if (covered) continue;
      kept.push_back(box);
      chosen.insert(chosen.end(), {picture, line % problem.classes, i});
    }
  }
  return chosen;
}

template std::vector<int64_t> NonMaxSuppression(const NonMaxSuppressionProblem&, const float*,
                                                const float*);
template std::vector<int64_t> NonMaxSuppression(const NonMaxSuppressionProblem&, const double*,
                                                const double*);

}  // namespace pleat::kernels
