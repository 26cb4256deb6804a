// TLS over a pair of sockets, both ends of it ours.
#include "tls/tls_channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "reactor/socket_ops.h"
#include "test/support/certificates.h"
#include "test/support/socket_pair.h"
#include "tls/tls_context.h"

namespace {

using reactor::SecureChannel;
using reactor::SecureContext;
using test::Certificates;
using tls::Side;
using tls::TlsContext;
using tls::TlsOptions;
using Handshake = SecureChannel::Handshake;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> Protocols(std::initializer_list<std::string_view> names) {
  std::vector<std::byte> list;
  for (const std::string_view name : names) {
    list.push_back(static_cast<std::byte>(name.size()));
    const auto bytes = Bytes(name);
    list.insert(list.end(), bytes.begin(), bytes.end());
  }
  return list;
}

std::shared_ptr<const TlsContext> Server(TlsOptions options) {
  return TlsContext::Make(std::move(options), Side::kServer);
}

TlsOptions Trusting() {
  TlsOptions options;
  options.authorities = {Certificates::Get().authority};
  return options;
}

std::shared_ptr<const TlsContext> Client(TlsOptions options = Trusting()) {
  return TlsContext::Make(std::move(options), Side::kClient);
}

/// Two channels and the sockets between them.
struct Pair {
  Pair(const SecureContext& of_server, const SecureContext& of_client, const std::string& name)
      : server(of_server.Accept()), client(of_client.Dial(name)) {
    std::tie(server_socket, client_socket) = test::MakeSocketPair();
  }

  /// Both go on by turns until neither waits for the other.
  void Shake() {
    client_state = server_state = Handshake::kPending;
    for (int i = 0; i < 20; ++i) {
      if (client_state == Handshake::kPending) client_state = client->Continue(client_socket.get());
      if (server_state == Handshake::kPending) server_state = server->Continue(server_socket.get());
    }
  }

  [[nodiscard]] bool done() const {
    return client_state == Handshake::kDone && server_state == Handshake::kDone;
  }

  std::unique_ptr<SecureChannel> server;
  std::unique_ptr<SecureChannel> client;
  reactor::FileDescriptor server_socket;
  reactor::FileDescriptor client_socket;
  Handshake client_state = Handshake::kPending;
  Handshake server_state = Handshake::kPending;
};

Pair Connected(const SecureContext& server, const SecureContext& client,
               const std::string& name = "localhost") {
  Pair pair(server, client, name);
  pair.Shake();
  return pair;
}

/// All there is now; `last` gets what ended it.
std::string ReadAll(SecureChannel& channel, const reactor::FileDescriptor& socket, ssize_t& last,
                    std::size_t room = 4096) {
  std::string bytes;
  std::vector<std::byte> buffer(room);
  while ((last = channel.Receive(socket.get(), buffer, true, true)) > 0) {
    bytes.append(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(last));
  }
  return bytes;
}

/// One message there and one back, as a server sends its tickets with the first.
void Talk(Pair& pair) {
  ssize_t last = 0;
  ASSERT_EQ(pair.client->Send(pair.client_socket.get(), Bytes("ping")), 4);
  ASSERT_EQ(ReadAll(*pair.server, pair.server_socket, last), "ping");
  ASSERT_EQ(pair.server->Send(pair.server_socket.get(), Bytes("pong")), 4);
  ASSERT_EQ(ReadAll(*pair.client, pair.client_socket, last), "pong");
  ASSERT_EQ(last, -EAGAIN);
}

TEST(TlsChannel, AgreesAndTellsOnWhat) {
  TlsOptions of_server = Certificates::Showing("localhost");
  of_server.alpn = Protocols({"two", "one"});
  TlsOptions of_client = Trusting();
  of_client.alpn = Protocols({"one", "two"});
  Pair pair = Connected(*Server(std::move(of_server)), *Client(std::move(of_client)));
  ASSERT_TRUE(pair.done()) << pair.client->failure() << pair.server->failure();
  const auto client = pair.client->Facts();
  EXPECT_EQ(client.protocol, "TLSv1.3");
  EXPECT_TRUE(client.cipher.starts_with("TLS_")) << client.cipher;
  EXPECT_EQ(client.alpn, "two");
  EXPECT_EQ(client.verify_error, 0);
  EXPECT_FALSE(client.resumed);
  EXPECT_EQ(client.peer_certificate, Certificates::Showing("localhost").certificates[0][0]);
  const auto server = pair.server->Facts();
  EXPECT_EQ(server.server_name, "localhost");
  EXPECT_EQ(server.alpn, "two");
  EXPECT_EQ(server.verify_error, -1);
  EXPECT_TRUE(server.peer_certificate.empty());
  Talk(pair);
}

TEST(TlsChannel, CarriesMegabytesHoweverTheSocketCutsThem) {
  const auto server = Server(Certificates::Showing("localhost"));
  Pair pair = Connected(*server, *Client());
  ASSERT_TRUE(pair.done());
  std::mt19937 random(7);
  std::string sent(3 * 1024 * 1024, '\0');
  std::ranges::generate(sent, [&] { return static_cast<char>(random()); });
  std::string received;
  std::size_t offset = 0;
  std::size_t refused = 0;
  while (received.size() < sent.size()) {
    // Refused bytes come again, and more with them.
    const std::size_t size =
        std::min({sent.size() - offset, SecureChannel::kMaxRecord, 1 + refused + random() % 9000});
    const ssize_t result = pair.server->Send(pair.server_socket.get(),
                                             Bytes(std::string_view(sent).substr(offset, size)));
    if (result > 0) {
      offset += static_cast<std::size_t>(result);
      refused = 0;
      if (random() % 8 != 0) continue;
    } else if (size > 0) {
      ASSERT_EQ(result, -EAGAIN);
      refused = size;
    }
    ssize_t last = 0;
    received += ReadAll(*pair.client, pair.client_socket, last, 1 + random() % 20000);
    ASSERT_EQ(last, -EAGAIN);
  }
  EXPECT_TRUE(received == sent);
}

TEST(TlsChannel, TellsTheEndFromATruncation) {
  const auto server = Server(Certificates::Showing("localhost"));
  const auto client = Client();
  std::array<std::byte, 16> room{};
  ssize_t last = 0;
  Pair polite = Connected(*server, *client);
  ASSERT_EQ(polite.client->Send(polite.client_socket.get(), Bytes("bye")), 3);
  ASSERT_EQ(polite.client->SendEnd(polite.client_socket.get()), 0);
  EXPECT_EQ(ReadAll(*polite.server, polite.server_socket, last), "bye");
  EXPECT_EQ(last, 0);
  // Its other direction goes on.
  EXPECT_EQ(polite.server->Send(polite.server_socket.get(), Bytes("reply")), 5);
  EXPECT_EQ(ReadAll(*polite.client, polite.client_socket, last), "reply");
  Pair cut = Connected(*server, *client);
  ASSERT_EQ(cut.client->Send(cut.client_socket.get(), Bytes("by")), 2);
  cut.client_socket.Reset();
  EXPECT_EQ(ReadAll(*cut.server, cut.server_socket, last), "by");
  EXPECT_EQ(last, -ECONNRESET);
  EXPECT_LT(cut.server->Receive(cut.server_socket.get(), room, true, true), 0);
}

TEST(TlsChannel, NamesWhatAHandshakeFailsFor) {
  const auto server = Server(Certificates::Showing("localhost"));
  const auto failure = [&](std::string_view bytes, bool hangs_up = false) {
    auto [ours, theirs] = test::MakeSocketPair();
    const auto channel = server->Accept();
    EXPECT_EQ(channel->Continue(ours.get()), Handshake::kPending);
    EXPECT_EQ(reactor::SocketOps::Send(theirs.get(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    if (hangs_up) theirs.Reset();
    EXPECT_EQ(channel->Continue(ours.get()), Handshake::kFailed);
    EXPECT_EQ(tls::OpenSsl::Find()->ERR_peek_error(), 0U) << "others on this thread would read it";
    return channel->failure();
  };
  EXPECT_EQ(failure("GET / HTTP/1.1\r\n\r\n"), "the peer speaks no TLS");
  EXPECT_EQ(failure("2#{}"), "the peer speaks no TLS");
  EXPECT_EQ(failure("\x16\x03", true), "");
  EXPECT_NE(failure(std::string("\x16\x03\x01\x00\x05\x07\x00\x00\x00\x00", 10)), "");
}

TEST(TlsChannel, RefusesAnotherProtocolAndAnOldVersion) {
  TlsOptions of_server = Certificates::Showing("localhost");
  of_server.alpn = Protocols({"gev"});
  of_server.min_version = 0x0304;
  const auto server = Server(std::move(of_server));
  TlsOptions of_client = Trusting();
  of_client.alpn = Protocols({"h2"});
  Pair other = Connected(*server, *Client(std::move(of_client)));
  EXPECT_EQ(other.server_state, Handshake::kFailed);
  EXPECT_EQ(other.client->failure(), "tlsv1 alert no application protocol");
  TlsOptions old = Trusting();
  old.max_version = 0x0303;
  Pair outdated = Connected(*server, *Client(std::move(old)));
  EXPECT_EQ(outdated.server->failure(), "unsupported protocol");
  // Whoever offers none gets none.
  Pair without = Connected(*server, *Client());
  ASSERT_TRUE(without.done());
  EXPECT_EQ(without.client->Facts().alpn, "");
}

TEST(TlsChannel, AsksForACertificate) {
  TlsOptions strict = Certificates::Showing("localhost");
  strict.request_certificate = true;
  strict.authorities = {Certificates::Get().authority};
  TlsOptions lenient = strict;
  lenient.reject_unauthorized = false;
  const auto with = [](const char* name) {
    TlsOptions options = Certificates::Showing(name);
    options.authorities = {Certificates::Get().authority};
    return Client(std::move(options));
  };
  const auto server = Server(std::move(strict));
  Pair trusted = Connected(*server, *with("client"));
  ASSERT_TRUE(trusted.done()) << trusted.server->failure();
  EXPECT_EQ(trusted.server->Facts().verify_error, 0);
  EXPECT_EQ(trusted.server->Facts().peer_certificate,
            Certificates::Showing("client").certificates[0][0]);
  EXPECT_EQ(Connected(*server, *with("stranger")).server_state, Handshake::kFailed);
  EXPECT_EQ(Connected(*server, *Client()).server->failure(), "peer did not return a certificate");
  const auto forgiving = Server(std::move(lenient));
  Pair nobody = Connected(*forgiving, *Client());
  ASSERT_TRUE(nobody.done());
  EXPECT_EQ(nobody.server->Facts().verify_error, tls::kUnableToGetIssuerCert);
  Pair stranger = Connected(*forgiving, *with("stranger"));
  ASSERT_TRUE(stranger.done());
  EXPECT_GT(stranger.server->Facts().verify_error, 0);
}

TEST(TlsChannel, ShowsTheCertificateOfTheNameAskedFor) {
  TlsOptions options = Certificates::Showing("localhost");
  options.names.emplace("rsa.test", Certificates::Showing("rsa.test"));
  options.names.emplace("*.example.org", Certificates::Showing("client"));
  const auto server = Server(std::move(options));
  const auto client = Client();
  const auto shown = [&](const std::string& name) {
    Pair pair = Connected(*server, *client, name);
    EXPECT_TRUE(pair.done()) << pair.server->failure();
    return pair.client->Facts().peer_certificate;
  };
  const auto certificate = [](const char* name) {
    return Certificates::Showing(name).certificates[0][0];
  };
  EXPECT_EQ(shown("rsa.test"), certificate("rsa.test"));
  EXPECT_EQ(shown("RSA.test"), certificate("rsa.test"));
  EXPECT_EQ(shown("a.example.org"), certificate("client"));
  EXPECT_EQ(shown("a.b.example.org"), certificate("localhost"));
  EXPECT_EQ(shown("example.org"), certificate("localhost"));
  EXPECT_EQ(shown(""), certificate("localhost"));
}

TEST(TlsChannel, ResumesASession) {
  for (const int version : {0x0303, 0x0304}) {
    TlsOptions options = Certificates::Showing("localhost");
    options.max_version = version;
    const auto server = Server(std::move(options));
    const auto client = Client();
    Pair first = Connected(*server, *client);
    ASSERT_TRUE(first.done());
    Talk(first);
    Pair second = Connected(*server, *client);
    ASSERT_TRUE(second.done());
    EXPECT_TRUE(second.client->Facts().resumed) << version;
    EXPECT_TRUE(second.server->Facts().resumed) << version;
    EXPECT_FALSE(second.client->Facts().peer_certificate.empty());
    // Another name has no session of this one.
    EXPECT_FALSE(Connected(*server, *client, "other").client->Facts().resumed) << version;
  }
}

// As tickets are one name's only while its rules hold, whatever the client asks for with them.
TEST(TlsChannel, OpensNoMutualTlsWithATicketOfAnotherName) {
  TlsOptions options = Certificates::Showing("localhost");
  TlsOptions strict = Certificates::Showing("rsa.test");
  strict.request_certificate = true;
  strict.authorities = {Certificates::Get().authority};
  options.ticket_keys.assign(80, std::byte{7});
  options.names.emplace("rsa.test", std::move(strict));
  const auto server = Server(std::move(options));
  // Its cache goes by the name it is told, which is no more than the tester's word.
  const auto client = Client();
  Pair lax = Connected(*server, *client, "localhost");
  ASSERT_TRUE(lax.done());
  Talk(lax);
  tls::Session* const session = client->sessions().Take("localhost");
  ASSERT_NE(session, nullptr);
  client->sessions().Put("rsa.test", session);
  Pair pair = Connected(*server, *client, "rsa.test");
  EXPECT_EQ(pair.server_state, Handshake::kFailed);
}

TEST(TlsChannel, KeepsNoSessionOfWhomItDoesNotTrust) {
  const auto server = Server(Certificates::Showing("stranger"));
  const auto client = Client();
  Pair first = Connected(*server, *client);
  ASSERT_TRUE(first.done());
  EXPECT_GT(first.client->Facts().verify_error, 0);
  Talk(first);
  EXPECT_EQ(client->sessions().Take("localhost"), nullptr);
}

TEST(TlsChannel, SurvivesEveryByteOfAHandshakeBeingWrong) {
  const auto server = Server(Certificates::Showing("localhost"));
  const auto client = Client();
  // The client's hello, as it goes over the wire.
  auto [ours, theirs] = test::MakeSocketPair();
  const auto dialling = client->Dial("localhost");
  ASSERT_EQ(dialling->Continue(theirs.get()), Handshake::kPending);
  std::string hello(4096, '\0');
  const ssize_t length = reactor::SocketOps::Receive(ours.get(), hello.data(), hello.size());
  ASSERT_GT(length, 0);
  hello.resize(static_cast<std::size_t>(length));
  for (std::size_t i = 0; i < hello.size(); ++i) {
    std::string damaged = hello;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    auto [left, right] = test::MakeSocketPair();
    const auto channel = server->Accept();
    ASSERT_GT(reactor::SocketOps::Send(right.get(), damaged.data(), damaged.size()), 0);
    EXPECT_NE(channel->Continue(left.get()), Handshake::kDone);
  }
}

}  // namespace
