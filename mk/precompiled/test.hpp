// SPDX-License-Identifier: BSD-3-Clause
// What most tests include, compiled once for all of them (mk/build.mk).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.hpp"
