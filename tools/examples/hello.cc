// The shortest program: load, run, read. hello digits.pleat
#include <pleat/pleat.hpp>

#include <cstdio>
#include <vector>

int main(int, char** arguments) {
  const pleat::Model model = pleat::Model::Load(arguments[1]);
  const std::vector<float> picture(28 * 28, -0.42f);
  for (float logit : model.Run(picture)) std::printf("%g\n", logit);
}
