// SPDX-License-Identifier: BSD-3-Clause
// The program of the old interface that trains with param_avg.
#include "train/program.hpp"

int main(int argc, char** argv) { return lockstep::train::run_program("param_avg", argc, argv); }
