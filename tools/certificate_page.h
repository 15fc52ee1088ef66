// The certificate as one page of HTML: a table of all batch norms, and a picture of the graph
// around each that was kept. It loads nothing from elsewhere and runs no script.
#ifndef PLEAT_TOOLS_CERTIFICATE_PAGE_H_
#define PLEAT_TOOLS_CERTIFICATE_PAGE_H_

#include <string>

#include "runtime/graph.h"
#include "tools/console.h"

namespace pleat::tools {

// `report` is what Certificate returned for `original`.
std::string CertificatePage(const Json& report, const runtime::Graph& original,
                            const std::string& source);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_CERTIFICATE_PAGE_H_
