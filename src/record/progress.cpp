// SPDX-License-Identifier: BSD-3-Clause
// The lines of the progress display, and when they are drawn.
#include "record/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/names.hpp"
#include "core/platform.hpp"

namespace lockstep::record {
namespace {

struct StyleRow {
  std::string_view name;
  ProgressStyle style;
};
constexpr StyleRow styles[] = {{"auto", ProgressStyle::automatic},
                               {"live", ProgressStyle::live},
                               {"plain", ProgressStyle::plain},
                               {"off", ProgressStyle::off}};

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  const bool known = ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

// 81250.4 -> "81,250"
std::string with_thousands(double number) {
  if (!(number >= 0.0 && number < 1e15)) return "-";
  std::string text = fmt::format("{:.0f}", number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string epoch_text(std::size_t epoch, std::size_t total) {
  return fmt::format("epoch {:>{}}/{}", epoch, std::to_string(total).size(), total);
}

std::string loss_text(double loss) {
  if (!platform().computes) return "loss -";
  const double size = std::abs(loss);
  const bool fixed = size == 0.0 || (size >= 1e-3 && size < 1e5) || !std::isfinite(size);
  return fixed ? fmt::format("loss {:.4f}", loss) : fmt::format("loss {:.3e}", loss);
}

std::string epoch_line(const EpochSummary& epoch, std::size_t total) {
  std::string line = epoch_text(epoch.epoch, total) + "  " + loss_text(epoch.train_loss);
  if (!std::isnan(epoch.test_accuracy))
    line += fmt::format("  test accuracy {:.2f} %", 100.0 * epoch.test_accuracy);
  return line + fmt::format("  {:.3f} s  {} samples/s", epoch.epoch_s,
                            with_thousands(epoch.samples / epoch.epoch_s));
}

// Open MPI's mpiexec gives every rank a pseudo-terminal, and passes its output on, perhaps to a file. So the
// output of mpiexec itself, the parent, counts. If that runs on another host, no line can be redrawn.
bool launcher_shows_a_terminal() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return true;
  std::error_code failure;
  const auto shown =
      std::filesystem::read_symlink(fmt::format("/proc/{}/fd/1", ::getppid()), failure).string();
  return shown.starts_with("/dev/pts/") || shown.starts_with("/dev/tty");
}

}  // namespace

ProgressStyle progress_style(std::string_view name) {
  return find_row(std::span<const StyleRow>(styles), "progress style", name).style;
}

bool is_terminal(std::FILE* out) {
  // A dumb terminal cannot move the cursor. NO_COLOR does not matter, because no colour is used.
  const char* terminal = std::getenv("TERM");
  return terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb" &&
         ::isatty(::fileno(out)) != 0 && launcher_shows_a_terminal();
}

Progress::Progress(std::FILE* out, ProgressStyle style, std::size_t total_epochs, std::size_t steps_per_epoch,
                   double (*clock)())
    : out_(out),
      style_(style),
      total_epochs_(total_epochs),
      steps_per_epoch_(steps_per_epoch),
      clock_(clock) {
  if (style_ == ProgressStyle::automatic)
    style_ = is_terminal(out) ? ProgressStyle::live : ProgressStyle::plain;
}

Progress::~Progress() { finished(); }

// Each remaining epoch is expected to take the mean of the epochs so far, evaluation included; before there
// is one, the time that this epoch's steps extrapolate to.
double Progress::left_s(double now, double epoch_share) const {
  const double in_epoch_s = now - epoch_start_s_;
  const double per_epoch_s = epochs_seen_ > 0
                                 ? (epoch_start_s_ - start_s_) / static_cast<double>(epochs_seen_)
                                 : in_epoch_s / epoch_share;
  const std::size_t to_go = total_epochs_ - std::min(last_epoch_, total_epochs_);
  if (to_go == 0) return 0.0;
  return per_epoch_s * static_cast<double>(to_go - 1) + std::max(per_epoch_s - in_epoch_s, 0.0);
}

void Progress::redraw_if_due(const StepStatus& status) {
  const double now = clock_();
  if (now < next_draw_s_) return;
  next_draw_s_ = now + redraw_interval_s;
  if (last_epoch_ + 1 < status.epoch) last_epoch_ = status.epoch - 1;  // a resumed run
  const double share =
      static_cast<double>(status.step) / static_cast<double>(std::max<std::size_t>(steps_per_epoch_, 1));
  const LiveLine line = {.status = status,
                         .total_epochs = total_epochs_,
                         .steps_per_epoch = steps_per_epoch_,
                         .samples_per_s = status.samples / (now - epoch_start_s_),
                         .left_s = left_s(now, share)};
  // The last column stays free: a line that fills it moves the cursor on.
  print(fmt::format("\r{}\x1b[K", live_line(line, terminal_width(out_) - 1)));
  line_shown_ = true;
}

void Progress::epoch_done(const EpochSummary& summary) {
  const double now = clock_();
  ++epochs_seen_;
  last_epoch_ = summary.epoch;
  epoch_start_s_ = now;
  next_draw_s_ = now + redraw_interval_s;
  if (style_ == ProgressStyle::off) return;
  finished();
  std::string line = epoch_line(summary, total_epochs_);
  // On a terminal the live line below shows the time left.
  if (style_ == ProgressStyle::plain && summary.epoch < total_epochs_)
    line += fmt::format("  {} left", clock_text(left_s(now, 1.0)));
  print(line + "\n");
}

void Progress::finished() {
  if (std::exchange(line_shown_, false)) print("\r\x1b[K");
}

void Progress::print(const std::string& text) {
  fmt::print(out_, "{}", text);
  std::fflush(out_);
}

std::string live_line(const LiveLine& line, std::size_t width) {
  const auto [epoch, step, samples, loss] = line.status;
  const std::string head = epoch_text(epoch, line.total_epochs);
  const std::string tail = fmt::format(
      "  step {:>{}}/{}  {}  {} samples/s  {} left", step, std::to_string(line.steps_per_epoch).size(),
      line.steps_per_epoch, loss_text(loss), with_thousands(line.samples_per_s), clock_text(line.left_s));
  constexpr std::size_t widest_bar = 30, narrowest_bar = 6, frame = 4;  // two blanks, two brackets
  const std::size_t words = head.size() + tail.size();
  if (words + frame + narrowest_bar > width) return (head + tail).substr(0, width);
  const std::size_t bar = std::min(width - words - frame, widest_bar);
  const std::size_t filled = std::min(bar * step / std::max<std::size_t>(line.steps_per_epoch, 1), bar);
  return fmt::format("{}  [{:#<{}}{:-<{}}]{}", head, "", filled, "", bar - filled, tail);
}

std::string clock_text(double seconds) {
  if (!(seconds >= 0.0 && seconds < 1e10)) return "-";
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  const std::uint64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

}  // namespace lockstep::record
