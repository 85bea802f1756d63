// SPDX-License-Identifier: BSD-3-Clause
// Every call is checked; HDF5's error stack becomes the Error's text.
#include "record/hdf5.hpp"

#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"

namespace lockstep::record::hdf5 {
namespace {

// HDF5's error stack: one line a level, the deepest cause first.
std::string error_stack() {
  std::string text;
  const auto append = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    auto& lines = *static_cast<std::string*>(out);
    if (!lines.empty()) lines += "\n            ";
    lines += fmt::format("{}: {}", error->func_name, error->desc == nullptr ? "" : error->desc);
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, append, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

[[noreturn]] void fail(std::string_view what) {
  throw Error({.what = fmt::format("HDF5: cannot {}", what), .got = error_stack()});
}

// Access without a lock: some cluster file systems have none, and HDF5 then refuses to open a file.
Handle unlocked_access() {
  Handle access = property_list(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  check(H5Pset_file_locking(access.id(), /*use=*/false, /*ignore_when_disabled=*/true), "do without a lock");
#endif
  return access;
}

// By default the library prints its error stacks; here they are texts of exceptions. At the end it closes
// files that it could not close before, where it crashes: here handles close them, and there is nothing to be
// saved.
void silence_error_printing() {
  static const herr_t no_end = H5dont_atexit();  // counts only before the first other call
  (void)no_end;
  check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "turn error printing off");
}

}  // namespace

void check(herr_t code, std::string_view what) {
  if (code < 0) fail(what);
}

Handle::Handle(hid_t id, Close close, std::string_view what) : id_(id), close_(close) {
  if (id < 0) fail(what);
}

Handle::~Handle() {
  if (id_ >= 0) close_(id_);
}

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle property_list(hid_t kind) { return {H5Pcreate(kind), H5Pclose, "create a property list"}; }

Handle create_file_in_memory() {
  silence_error_printing();
  constexpr std::size_t growth_bytes = 1 << 20;
  const Handle access = property_list(H5P_FILE_ACCESS);
  check(H5Pset_fapl_core(access.id(), growth_bytes, /*backing_store=*/false), "keep a file in memory");
  return {H5Fcreate("in memory", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose,
          "create a file in memory"};
}

std::vector<std::byte> file_image(const Handle& file) {
  check(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flush a file");
  const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
  if (size < 0) fail("size a file");
  std::vector<std::byte> image(static_cast<std::size_t>(size));
  if (H5Fget_file_image(file.id(), image.data(), image.size()) != size) fail("copy a file out of memory");
  return image;
}

// HDF5 takes two images of one name for one file.
Handle open_image(std::span<const std::byte> image) {
  silence_error_printing();
  static std::atomic<unsigned> count = 0;
  const Handle access = property_list(H5P_FILE_ACCESS);
  check(H5Pset_fapl_core(access.id(), 1 << 16, /*backing_store=*/false), "keep a file in memory");
  // HDF5 only reads it, but asks for a pointer to mutable bytes.
  check(H5Pset_file_image(access.id(), const_cast<std::byte*>(image.data()), image.size()), "take an image");
  return {H5Fopen(fmt::format("image {}", ++count).c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose,
          "open an HDF5 file"};
}

Handle create_file(const std::string& path) {
  silence_error_printing();
  const Handle access = unlocked_access();
  check(H5Pset_small_data_block_size(access.id(), 0), "place small arrays among the others");
  return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose,
          fmt::format("create {}", path)};
}

Handle open_file(const std::string& path) {
  silence_error_printing();
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, unlocked_access().id()), H5Fclose,
          fmt::format("open {}", path)};
}

Handle create_group(const Handle& place, const std::string& name) {
  const Handle properties = property_list(H5P_GROUP_CREATE);
  check(H5Pset_link_creation_order(properties.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
        "keep a group's order");
  check(H5Pset_obj_track_times(properties.id(), false), "leave times out");
  return {H5Gcreate2(place.id(), name.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT), H5Gclose,
          fmt::format("create the group {}", name)};
}

Handle open_group(const Handle& place, const std::string& name) {
  return {H5Gopen2(place.id(), name.c_str(), H5P_DEFAULT), H5Gclose, fmt::format("open the group {}", name)};
}

Handle open_dataset(const Handle& place, const std::string& name) {
  return {H5Dopen2(place.id(), name.c_str(), H5P_DEFAULT), H5Dclose,
          fmt::format("open the data set {}", name)};
}

bool has_member(const Handle& place, const std::string& name) {
  const htri_t found = H5Lexists(place.id(), name.c_str(), H5P_DEFAULT);
  check(found, fmt::format("look for {}", name));
  return found > 0;
}

std::vector<std::string> member_names(const Handle& group) {
  const Handle properties(H5Gget_create_plist(group.id()), H5Pclose, "look at a group");
  unsigned order = 0;
  check(H5Pget_link_creation_order(properties.id(), &order), "look at a group's order");
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  const auto append = [](hid_t, const char* name, const H5L_info_t*, void* names) -> herr_t {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
  };
  std::vector<std::string> names;
  check(H5Literate(group.id(), index, H5_ITER_INC, nullptr, append, &names), "list a group's members");
  return names;
}

std::string library_version() {
  silence_error_printing();
  unsigned major = 0, minor = 0, release = 0;
  check(H5get_libversion(&major, &minor, &release), "ask for the library's version");
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace lockstep::record::hdf5
