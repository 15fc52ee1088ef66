// The best of overlapping boxes (ONNX operator NonMaxSuppression): of each picture and class the
// boxes by falling score, leaving out those that overlap one already chosen.
#ifndef PLEAT_KERNELS_NON_MAX_SUPPRESSION_H_
#define PLEAT_KERNELS_NON_MAX_SUPPRESSION_H_

#include <cstdint>
#include <vector>

namespace pleat::kernels {

// Boxes are [batch, boxes, 4]: y1, x1, y2, x2 of any two opposite corners or, `centred`, x, y,
// width, height. Scores are [batch, classes, boxes].
struct NonMaxSuppressionProblem {
  int64_t batch = 0, classes = 0, boxes = 0;
  bool centred = false;
  int64_t most = 0;           // boxes chosen per picture and class
  double overlap = 0;         // area of the intersection over that of the union; more is too much
  bool has_threshold = false;
  double threshold = 0;       // only scores above it count
};

// The chosen ones in order: picture, class, box. Of equal scores the first box is the better; one
// that is no number never is chosen.
template <class T>  // float or double
std::vector<int64_t> NonMaxSuppression(const NonMaxSuppressionProblem& problem, const T* boxes,
                                       const T* scores);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_NON_MAX_SUPPRESSION_H_
