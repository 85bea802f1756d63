// SPDX-License-Identifier: BSD-3-Clause
// The program that measures what a cluster's file needs.
#include "simulate/calibrate_program.hpp"

int main(int argc, char** argv) { return lockstep::simulate::run_calibrate(argc, argv); }
