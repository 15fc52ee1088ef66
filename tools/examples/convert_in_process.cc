// From an ONNX file to answers in one process, with what became of each batch norm.
//   convert_in_process model.onnx
#include <pleat/converter.hpp>
#include <pleat/pleat.hpp>

#include <cstdio>
#include <vector>

int main(int, char** arguments) {
  const pleat::Converted network = pleat::Convert(arguments[1]);
  size_t folded = 0;
  for (const pleat::BatchNormReport& report : network.batch_norms) {
    folded += report.folded;
    if (!report.folded) std::printf("kept %s: %s\n", report.node.c_str(), report.detail.c_str());
  }
  std::printf("%zu of %zu batch norms folded, %zu bytes\n", folded, network.batch_norms.size(),
              network.bytes.size());
  const pleat::Model model =
      pleat::Model::FromMemory(network.bytes.data(), network.bytes.size(), PLEAT_COPY);
  const std::vector<float> picture(28 * 28, -0.42f);
  for (float logit : model.Run(picture)) std::printf("%g\n", static_cast<double>(logit));
}
