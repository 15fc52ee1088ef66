#include "kernels/unique.h"

#include <algorithm>
#include <numeric>

#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

// Below 0, 0 or above as `a` is below, equal to or above `b`.
template <class T>
int Order(T a, T b) {
  if (a < b) return -1;
  if (b < a) return 1;
  return static_cast<int>(a != a) - static_cast<int>(b != b);
}

template <class T>
int OrderSlices(const UniqueProblem& p, const T* x, int64_t i, int64_t j) {
  for (int64_t o = 0; o < p.outer; ++o) {
    const T* a = x + (o * p.size + i) * p.inner;
    const T* b = x + (o * p.size + j) * p.inner;
    for (int64_t k = 0; k < p.inner; ++k) {
      if (const int order = Order(a[k], b[k]); order != 0) return order;
    }
  }
  return 0;
}

template <class T>
UniqueSlices Find(const UniqueProblem& p, const T* x) {
  std::vector<int64_t> order(static_cast<size_t>(p.size));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return OrderSlices(p, x, i, j) < 0; });
  UniqueSlices found;
  found.inverse.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || OrderSlices(p, x, order[i - 1], order[i]) != 0) {
      found.first.push_back(order[i]);
      found.count.push_back(0);
    }
    ++found.count.back();
    found.inverse[static_cast<size_t>(order[i])] = static_cast<int64_t>(found.first.size()) - 1;
  }
  return found;
}

UniqueSlices ByFirstAppearance(const UniqueSlices& sorted) {
  std::vector<size_t> order(sorted.first.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return sorted.first[i] < sorted.first[j]; });
  UniqueSlices result;
  std::vector<int64_t> place(order.size());
  for (const size_t i : order) {
    place[i] = static_cast<int64_t>(result.first.size());
    result.first.push_back(sorted.first[i]);
    result.count.push_back(sorted.count[i]);
  }
  for (const int64_t i : sorted.inverse) result.inverse.push_back(place[static_cast<size_t>(i)]);
  return result;
}

}  // namespace

UniqueSlices FindUnique(const UniqueProblem& problem, const void* x) {
  UniqueSlices found = VisitNumber(problem.type, [&]<class T>() {
    return Find(problem, static_cast<const T*>(x));
  });
  return problem.sorted ? found : ByFirstAppearance(found);
}

}  // namespace pleat::kernels
