// SPDX-License-Identifier: BSD-3-Clause
// Datagrams between nodes. The nodes of a job run the same program, so they agree on the layout of memory.
#include "watch/channel.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lockstep::watch {
namespace {

// A report is the secret and then the views; an answer is the secret alone.
using Secret = std::uint64_t;
constexpr std::size_t most_views = 512;  // in a datagram: well below UDP's 64 KiB

sockaddr_in address_of(std::uint32_t address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = address;
  to.sin_port = port;
  return to;
}

// This host's addresses in the networks that it is connected to.
std::vector<std::uint32_t> own_addresses() {
  std::vector<std::uint32_t> found;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_LOOPBACK) != 0 || (one->ifa_flags & IFF_UP) == 0) continue;
    sockaddr_in address{};
    std::memcpy(&address, one->ifa_addr, sizeof address);
    found.push_back(address.sin_addr.s_addr);
  }
  freeifaddrs(all);
  return found;
}

// The bytes of numbers in a text that MPI carries.
template <class T>
void put(std::string& text, T value) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
T take(std::string& text) {
  T value{};
  std::memcpy(&value, text.data(), sizeof value);
  text.erase(0, sizeof value);
  return value;
}

}  // namespace

std::unique_ptr<Channel> Channel::make(const comm::Communicator& ranks, const comm::Communicator& node) {
  if (ranks.size() == node.size()) return nullptr;  // the same on all ranks: one node
  int socket = -1;
  if (node.is_root()) socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  std::string centre;
  if (ranks.is_root() && socket >= 0) {
    sockaddr_in own = address_of(htonl(INADDR_ANY), 0);
    socklen_t size = sizeof own;
    if (bind(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0 &&
        getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0) {
      std::random_device random;
      put(centre, (static_cast<Secret>(random()) << 32U) | random());
      put(centre, own.sin_port);
      for (const std::uint32_t address : own_addresses()) put(centre, address);
    }
  }
  ranks.broadcast(centre);
  if (socket < 0) return nullptr;
  if (centre.empty()) {
    close(socket);
    return nullptr;
  }
  std::unique_ptr<Channel> channel(new Channel(socket, take<Secret>(centre)));
  channel->port_ = take<std::uint16_t>(centre);
  channel->is_centre_ = ranks.is_root();
  while (!centre.empty()) channel->targets_.push_back(take<std::uint32_t>(centre));
  return channel;
}

Channel::~Channel() { close(socket_); }

void Channel::report(std::span<const RankView> ranks) {
  while (!ranks.empty()) {
    const auto part = ranks.first(std::min(ranks.size(), most_views));
    std::vector<std::byte> bytes(sizeof secret_ + part.size_bytes());
    std::memcpy(bytes.data(), &secret_, sizeof secret_);
    std::memcpy(bytes.data() + sizeof secret_, part.data(), part.size_bytes());
    for (const std::uint32_t target : targets_) {
      const sockaddr_in to = address_of(target, port_);
      (void)sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    ranks = ranks.subspan(part.size());
  }
}

bool Channel::is_answered() {
  bool answered = false;
  Secret secret = 0;
  while (recv(socket_, &secret, sizeof secret, 0) == static_cast<ssize_t>(sizeof secret))
    answered = answered || secret == secret_;
  return answered;
}

std::vector<RankView> Channel::collect() {
  std::vector<RankView> views;
  std::vector<std::byte> bytes(sizeof(Secret) + most_views * sizeof(RankView));
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        recvfrom(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return views;
    const auto length = static_cast<std::size_t>(got);
    Secret secret = 0;
    if (length <= sizeof secret || (length - sizeof secret) % sizeof(RankView) != 0) continue;
    std::memcpy(&secret, bytes.data(), sizeof secret);
    if (secret != secret_) continue;
    const std::size_t count = (length - sizeof secret) / sizeof(RankView);
    views.resize(views.size() + count);
    std::memcpy(views.data() + views.size() - count, bytes.data() + sizeof secret, count * sizeof(RankView));
    (void)sendto(socket_, &secret, sizeof secret, 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
}

}  // namespace lockstep::watch
