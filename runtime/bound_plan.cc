#include "runtime/bound_plan.h"

namespace pleat::runtime {

void BoundPlan::Bind(const Graph& graph, std::byte* to) {
  arena = to;
  inputs.clear();
  outputs.clear();
  from_inputs.clear();
  reads_of_output.clear();
  writes_of_output.clear();
  direct.assign(graph.outputs.size(), false);
  std::vector<int> output_of(graph.values.size(), -1);  // by root
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const Place& place = PlaceOf(graph.outputs[o]);
    if (place.kind != Place::Kind::kArena) continue;
    int& first = output_of[static_cast<size_t>(place.root)];
    if (first < 0) {
      first = static_cast<int>(o);
      // What is left to the run reads values where the arena has them.
      direct[o] = plan->deferred.empty();
    } else {
      direct[static_cast<size_t>(first)] = false;  // so do other outputs with the same bytes
    }
  }
  const auto output_in = [&](const Place& place) {
    return place.kind == Place::Kind::kArena ? output_of[static_cast<size_t>(place.root)] : -1;
  };
  for (const Step& step : plan->steps) {
    for (ValueId id : step.inputs) {
      const Place& place = PlaceOf(id);
      const int output = output_in(place);
      if (place.kind == Place::Kind::kInput) {
        from_inputs.push_back({inputs.size(), static_cast<size_t>(place.input), place.within});
      }
      if (output >= 0) {
        reads_of_output.push_back({inputs.size(), static_cast<size_t>(output), place.within});
      }
      const std::byte* const base = place.kind == Place::Kind::kConstant
                                        ? static_cast<const std::byte*>(place.constant)
                                        : to + place.offset;
      inputs.push_back(base + place.within);
    }
    for (ValueId id : step.outputs) {
      const Place& place = PlaceOf(id);
      const int output = output_in(place);
      if (output >= 0) {
        writes_of_output.push_back({outputs.size(), static_cast<size_t>(output), place.within});
      }
      outputs.push_back(to + place.offset + place.within);
    }
  }
}

}  // namespace pleat::runtime
