// SPDX-License-Identifier: BSD-3-Clause
// Input that asks for more memory than there is, or writes past what it is read into. Fuzzing found these
// kinds: tests/fuzz.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../support/message_of.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/json_text.hpp"
#include "math/gemm.hpp"
#include "nn/model.hpp"
#include "record/file_checksum.hpp"
#include "record/hdf5.hpp"
#include "record/model_file.hpp"
#include "sweep/site.hpp"
#include "train/run_config.hpp"

namespace lockstep {
namespace {

using record::hdf5::Handle;
using testing::HasSubstr;

Handle dataset_without_values(const Handle& file, const std::vector<hsize_t>& shape) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose,
                     "create");
  return {H5Dcreate2(file.id(), "x", H5T_IEEE_F64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
          H5Dclose, "create"};
}

TEST(HostileFile, ThatNamesASizeWhichItDoesNotHoldIsRefused) {
  // The number of elements of the last one is 0 modulo 2^64.
  for (const std::vector<hsize_t>& shape :
       {std::vector<hsize_t>{1}, {hsize_t{1} << 40}, {hsize_t{1} << 32, hsize_t{1} << 32}}) {
    const Handle file = record::hdf5::create_file_in_memory();
    const Handle dataset = dataset_without_values(file, shape);
    EXPECT_THAT(message_of([&] { (void)record::hdf5::read_doubles(dataset); }),
                HasSubstr("larger than what the file holds"));
  }
}

TEST(HostileFile, WhoseVersionIsNotOneNumberIsRefused) {
  const Handle file = record::hdf5::create_file_in_memory();
  const std::vector<std::int32_t> versions(1000, 1);
  const hsize_t count = versions.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose, "create");
  const Handle attribute(
      H5Acreate2(file.id(), "version", H5T_STD_I32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      "create");
  record::hdf5::check(H5Awrite(attribute.id(), H5T_NATIVE_INT32, versions.data()), "write");
  EXPECT_THAT(message_of([&] { (void)record::hdf5::read_version(file, "a.h5", "version", 1); }),
              HasSubstr("damaged"));
}

TEST(HostileFile, OfAModelIsRefusedWhateverByteIsChanged) {
  std::string folder = (std::filesystem::temp_directory_path() / "lockstep-model-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/model.h5";
  record::write_model_file(
      {.description = {{"loss", "mse"}}, .provenance = {}, .tensors = {{"a/w", {2}, false, {1, 2}}}}, path);
  EXPECT_EQ(record::read_model_file(path).tensors.at(0).values, (std::vector<float>{1, 2}));
  const std::vector<std::byte> whole = record::read_bytes(path);
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    std::vector<std::byte> changed = whole;
    changed[at] ^= std::byte{1};
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
    EXPECT_THAT(message_of([&] { (void)record::read_model_file(path); }), HasSubstr("damaged")) << at;
  }
  std::filesystem::remove_all(folder);
}

TEST(HostileModel, ThatNoMemoryHoldsIsRefused) {
  const auto gemm = math::make_gemm("tiled");
  const auto refusal = [&](const std::string& layers) {
    return message_of([&] {
      const nn::Model model(
          parse_json(R"({"loss": "mse", "layers": [)" + layers + "]}"),
          {.input = {1, 28, 28}, .classes = 10, .seed = 1, .max_batch = 1, .gemm = gemm.get()});
    });
  };
  for (const char* layers :
       {R"({"type": "flatten"}, {"type": "linear", "units": 1000000000})",
        R"({"type": "conv2d", "channels": 1000000, "kernel": 10000, "padding": 10000})",
        R"({"type": "conv2d", "channels": 1, "kernel": 5000, "padding": 5000, "stride": 2})"})
    EXPECT_THAT(refusal(layers), HasSubstr("the model is too large")) << layers;
}

TEST(HostileConfiguration, WhoseRecipeIsNoObjectOrChoosesTheModelIsRefused) {
  for (const char* recipe : {"5", R"({"model": "lenet5"})", R"({"algorithm": "param_avg"})"})
    EXPECT_THAT(message_of([&] {
                  (void)train::resolve_config(parse_json(
                      R"({"model": {"layers": [{"type": "linear", "units": 10}], "loss": "mse", "recipe": )" +
                      std::string(recipe) + "}}"));
                }),
                HasSubstr("bad recipe"));
}

TEST(HostileSite, WhoseEnvironmentIsATextIsRefused) {
  EXPECT_THAT(message_of([] {
                (void)sweep::site_of({{"environment", "A=1"}}, "a.json");
              }),
              HasSubstr("bad value for environment"));
}

}  // namespace
}  // namespace lockstep
