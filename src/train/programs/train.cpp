// SPDX-License-Identifier: BSD-3-Clause
// The program that trains with any algorithm.
#include "train/program.hpp"

int main(int argc, char** argv) { return lockstep::train::run_program("", argc, argv); }
