// SPDX-License-Identifier: BSD-3-Clause
// fork, exec, wait.
#include "sweep/process.hpp"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"

namespace lockstep::sweep {
namespace {

constexpr int cannot_run = 127;

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

// In the child, after fork: only calls that are safe there.
[[noreturn]] void become(char* const* arguments, int out, int err) {
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  if (out >= 0) dup2(out, STDOUT_FILENO);
  if (err >= 0) dup2(err, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(arguments[0], arguments);
  _exit(cannot_run);
}

void check_found(const std::vector<std::string>& words) {
  if (!have_program(words.at(0)))
    throw Error({.what = "the program " + words[0] + " is not to be found",
                 .hint = "is its module loaded, is it in PATH?"});
}

int exit_status(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

}  // namespace

SignalWatch::SignalWatch() {
  sigemptyset(&watched_);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&watched_, number);
  sigprocmask(SIG_BLOCK, &watched_, &before_);
}

SignalWatch::~SignalWatch() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

int SignalWatch::next(double seconds) {
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(seconds);
  limit.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
  const int number = sigtimedwait(&watched_, nullptr, &limit);
  return number > 0 ? number : 0;
}

Child::Child(const std::vector<std::string>& words, const Variables& added,
             const std::filesystem::path& log) {
  check_found(words);
  int out = -1;
  if (!log.empty()) {
    out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (out < 0) throw Error({.what = "cannot write the log " + log.string(), .got = std::strerror(errno)});
  }
  const std::vector<char*> arguments = pointers(words);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(cannot_run);
    for (const auto& [name, value] : added) setenv(name.c_str(), value.c_str(), 1);
    become(arguments.data(), out, out);
  }
  const int failure = errno;
  if (out >= 0) close(out);
  if (pid_ < 0) throw Error({.what = "cannot start " + words[0], .got = std::strerror(failure)});
}

Child::~Child() {
  if (ended()) return;
  kill(pid_, SIGKILL);
  int raw = 0;
  waitpid(pid_, &raw, 0);
}

std::optional<int> Child::ended() {
  int raw = 0;
  if (!status_ && waitpid(pid_, &raw, WNOHANG) == pid_) status_ = exit_status(raw);
  return status_;
}

void Child::signal(int number) const { kill(pid_, number); }

Captured capture(const std::vector<std::string>& words) {
  check_found(words);
  std::array<std::array<int, 2>, 2> pipes{};
  for (auto& ends : pipes)
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      throw Error({.what = "cannot open a pipe", .got = std::strerror(errno)});
  const std::vector<char*> arguments = pointers(words);
  const pid_t pid = fork();
  if (pid == 0) become(arguments.data(), pipes[0][1], pipes[1][1]);
  for (const auto& ends : pipes) close(ends[1]);
  if (pid < 0) throw Error({.what = "cannot start " + words[0], .got = std::strerror(errno)});

  Captured captured;
  std::array<std::string*, 2> texts = {&captured.out, &captured.err};
  std::array<pollfd, 2> waiting = {pollfd{pipes[0][0], POLLIN, 0}, pollfd{pipes[1][0], POLLIN, 0}};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].fd < 0 || waiting[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = read(waiting[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
      } else if (count == 0 || errno != EINTR) {
        close(waiting[i].fd);
        waiting[i].fd = -1;
      }
    }
  }
  int raw = 0;
  while (waitpid(pid, &raw, 0) < 0 && errno == EINTR) {
  }
  captured.status = exit_status(raw);
  return captured;
}

bool have_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0;
  const char* path = std::getenv("PATH");
  std::stringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/" + name).c_str(), X_OK) == 0) return true;
  return false;
}

std::string shell_line(const std::vector<std::string>& words) {
  constexpr const char* plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace lockstep::sweep
