// SPDX-License-Identifier: BSD-3-Clause
// The program that makes sweeps.
#include "sweep/command.hpp"

int main(int argc, char** argv) { return lockstep::sweep::run_sweep_program(argc, argv); }
