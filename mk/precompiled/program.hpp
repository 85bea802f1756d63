// SPDX-License-Identifier: BSD-3-Clause
// What most files of record, train and sweep include, compiled once for all of them (mk/build.mk).

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/json.hpp"
