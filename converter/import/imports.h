// The importers of all operators, from the list.
#ifndef PLEAT_CONVERTER_IMPORT_IMPORTS_H_
#define PLEAT_CONVERTER_IMPORT_IMPORTS_H_

#include <limits>
#include <span>
#include <string>

#include "converter/import/context.h"

namespace pleat::converter {

inline constexpr int kAnyNumber = std::numeric_limits<int>::max();
// Any number of inputs, each of which may be left out.
inline constexpr int kAnyOptional = kAnyNumber - 1;

struct OperatorImport {
  const char* op;
  runtime::Status (*import)(ImportContext&);
  int since;  // the first operator set that is known here
  int fewest_inputs;
  int most_inputs;
  int most_outputs;
};

// Every operator that Pleat reads, as imports.inc lists them: those of the default domain by their
// names, others as "domain.Name".
std::span<const OperatorImport> AllImports();
// Null when there is none.
const OperatorImport* FindImport(const std::string& domain, const std::string& op);

// kInvalidModel when a node has too few inputs or too many, or leaves out one it needs.
runtime::Status CheckInputCount(const OperatorImport& entry,
                                const std::vector<runtime::ValueId>& inputs);

#define PLEAT_IMPORT(op, function, since, fewest_inputs, most_inputs, most_outputs) \
  runtime::Status function(ImportContext& context);
#include "converter/import/imports.inc"
#undef PLEAT_IMPORT

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_IMPORTS_H_
