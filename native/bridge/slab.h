// clang-format off
//
// The memory a loop and JavaScript share, byte by byte. src/engine/native/layout.ts is its mirror image.
//
// A slab is 256 KiB inside an ArrayBuffer that JavaScript allocated. Numbers are int32 in the
// machine's byte order. Exactly one side owns a slab at any time; the rings hand it over.
//
//          inbound slab (loop -> JavaScript)          outbound slab (JavaScript -> loop)
//   0      descriptors in use                         bytes in use, this header included
//   64     256 descriptors of 32 bytes each           records, one behind the other
//   8256   the data descriptors point to
//
//          descriptor                                 record
//   0      kind                                       operation | argument << 8
//   4      subject                                    subject
//   8      generation                                 generation
//   12     offset of its data in the slab             length of its payload
//   16     length of its data                         payload, padded to 4 bytes
//   20     a
//   24     b
//   28     c
//
// The subject is the slot of a connection, whose generation stands behind it, unless the kind or
// operation says otherwise.
//
// clang-format on
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bridge {

inline constexpr std::size_t kSlabSize = 256 * 1024;
inline constexpr std::size_t kSlabHeader = 64;

inline constexpr std::size_t kDescriptorSize = 32;
inline constexpr std::size_t kDescriptorCapacity = 256;
inline constexpr std::size_t kInboundData = kSlabHeader + kDescriptorCapacity * kDescriptorSize;

inline constexpr std::size_t kRecordHeader = 16;

// clang-format off
/// What a descriptor tells. One ordered stream a loop: open < messages < end < close per
/// connection.
enum class EventKind : std::int32_t {
  kOpen       = 1,   // data: remote host, local host; a: remote port | local port << 16,
                     // b: length of the remote host | number of the listener << 16,
                     // c: 4, 6 or 1 (Unix) | token of its dial (0: accepted) << 8
  kMessage    = 2,   // data: one frame of bytes, or one chunk
  kLarge      = 3,   // a frame longer than a slab; a: ticket to fetch it with,
                     // b: 1 when it is known to be ASCII, c: 1 when it is text
  kEnd        = 4,   // nothing more is received: the peer sent FIN, or what is no frame;
                     // a: as c of kClose
  kDrain      = 5,   // output is at or below the low-water mark
  kFlushed    = 6,   // a, b: low and high half of the bytes the kernel took so far
  kClose      = 7,   // a: CloseReason, b: errno; c: of the frame that was refused: its bytes, at least,
                     // where it is too long, or 0xFFFFFF00 | the byte that it cannot begin with
  kTimer      = 8,   // subject: timer id; a: ticks skipped before this one
  kQuiesced   = 9,   // nothing is accepted any more; without kReadOn: nor read
  kFailure    = 10,  // a: LoopFailure, b: errno
  kDialFailed = 11,  // subject: token; a: errno
  kIdle       = 12,  // answered by kExpireIdle, or by kRestartIdle once no reply is owed
  kSecured    = 15,  // of the connection whose kOpen comes next; data: a SecuredHeader, then protocol,
                     // cipher, ALPN, server name and the peer's certificate (DER);
                     // a: 1 when its session was resumed, b: the error of its certificate, 0: none,
                     // -1: it was asked for none
  kText       = 13,  // data: one frame of text; b: 1 when it is known to be ASCII.
                     // Of a packet written as Nest's clients do also a: number of its pattern,
                     // b: | length of its id << 1, c: where its data begins in the frame; else a: 0
  kProxied    = 16,  // of the connection whose kOpen comes next; data: as ProxyStep::findings()
  kRefused    = 14,  // data: remote host, then what was wrong; a: Refusal, b: how many of that since
                     // the last one, c: length of the remote host
};

/// What a record asks for. `argument` is the high 24 bits of the first word.
enum class Operation : std::int32_t {
  kSend           = 1,   // argument: SendFlag bits
  kMulticast      = 2,   // subject: number of receivers; behind the padded payload a pair
                         // (slot, generation) for each, who is to get the payload
  kClose          = 3,   // argument: CloseReason
  kShutdownWrite  = 4,
  kAbort          = 5,   // argument: CloseReason
  kPause          = 6,
  kResume         = 7,
  kTimerStart     = 8,   // subject: timer id; payload: delay and interval in ms, two float64
  kTimerCancel    = 9,   // subject: timer id
  kTimerDone      = 10,  // subject: timer id
  kQuiesce        = 11,  // argument: kReadOn, or 0 to stop reading, too
  kCloseAll       = 12,  // argument: CloseReason
  kAbortAll       = 13,  // argument: CloseReason
  kDial           = 14,  // subject: token; payload: timeout in ms as float64, port as int32
                         // (-1: a path), then the numeric host or the path as UTF-8, and the name
                         // that is asked for by TLS, whose length is the argument
  kDialCancel     = 15,  // subject: token
  kSetIdleTimeout = 16,  // payload: ms as float64; 0: never
  kExpireIdle     = 17,
  kRestartIdle    = 18,
  kRefuseInput    = 19,  // a frame's content makes no sense
  kLeave          = 20,  // argument: CloseReason; payload: ms as float64 without a byte received,
                         // after which kIdle comes
};
// clang-format on

/// Argument of kQuiesce.
inline constexpr std::int32_t kReadOn = 1;

enum SendFlag : std::int32_t {
  kNotifyFlushed = 1,  // send kFlushed events until this payload was written
  kNotifyDrained = 2,  // send kDrain once output is at or below the low-water mark
};

/// Lengths of what follows, in bytes; the certificate is the rest.
struct SecuredHeader {
  std::uint32_t protocol;
  std::uint32_t cipher;
  std::uint32_t alpn;
  std::uint32_t server_name;
};

struct EventDescriptor {
  EventKind kind;
  std::uint32_t subject;
  std::uint32_t generation;
  std::uint32_t offset;
  std::uint32_t length;
  std::uint32_t a;
  std::uint32_t b;
  std::uint32_t c;
};
static_assert(sizeof(EventDescriptor) == kDescriptorSize);

struct Record {
  std::int32_t operation;
  std::uint32_t subject;
  std::uint32_t generation;
  std::uint32_t length;
};
static_assert(sizeof(Record) == kRecordHeader);

constexpr std::size_t PaddedTo4(std::size_t length) noexcept {
  return (length + 3) & ~std::size_t{3};
}

inline void StoreWord(std::byte* slab, std::int32_t value) noexcept {
  std::memcpy(slab, &value, sizeof value);
}

inline std::int32_t LoadWord(const std::byte* slab) noexcept {
  std::int32_t value = 0;
  std::memcpy(&value, slab, sizeof value);
  return value;
}

}  // namespace bridge
