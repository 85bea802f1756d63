// SPDX-License-Identifier: BSD-3-Clause
// The program of the old interface that trains with parallel_sgd.
#include "train/program.hpp"

int main(int argc, char** argv) { return lockstep::train::run_program("parallel_sgd", argc, argv); }
