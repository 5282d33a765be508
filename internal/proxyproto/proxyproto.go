// Package proxyproto reads the header that a TCP proxy puts in front of a
// connection: the PROXY protocol of HAProxy, versions 1 and 2
// (proxy-protocol.txt, 2020/03/05).
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// MaxHeader is the longest header that is taken, in octets. A sender keeps it
// below 536 (§2) but for what it adds as TLVs.
const MaxHeader = 4096

// ErrHeader: what stands at the start of the connection is no header.
var ErrHeader = errors.New("proxyproto: no valid PROXY header")

// Header is what the proxy says.
type Header struct {
	// Source and Dest are the two ends of the client's connection. Both are
	// invalid where the proxy speaks for itself (LOCAL), or for a connection
	// that is not TCP or of which it knows nothing (UNKNOWN, UNSPEC): the
	// ends are then those of the connection that the header came over.
	Source, Dest netip.AddrPort
}

// signature starts version 2 (§2.2).
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// Consume parses the header that b starts with and returns the octets it took.
// io.ErrUnexpectedEOF means that b ends inside it; any other error is
// ErrHeader, and the connection has to be dropped (§2.1, §2.2).
func Consume(b []byte) (Header, int, error) {
	switch {
	case startsWith(b, "PROXY "):
		return consumeV1(b)
	case startsWith(b, signature):
		return consumeV2(b)
	}
	return Header{}, 0, fault("signature")
}

// startsWith reports whether b starts with mark, or may once there is more.
func startsWith(b []byte, mark string) bool {
	n := min(len(b), len(mark))
	return string(b[:n]) == mark[:n]
}

func fault(what string) error { return fmt.Errorf("%w: %s", ErrHeader, what) }

// maxV1 is the longest line of version 1 with its CRLF (§2.1).
const maxV1 = 107

// consumeV1: "PROXY" SP ("TCP4" / "TCP6") SP source SP dest SP port SP port
// CRLF, or "PROXY UNKNOWN" and anything up to CRLF (§2.1).
func consumeV1(b []byte) (Header, int, error) {
	end := bytes.IndexByte(b[:min(len(b), maxV1)], '\n')
	if end < 0 {
		if len(b) < maxV1 {
			return Header{}, 0, io.ErrUnexpectedEOF
		}
		return Header{}, 0, fault("line too long")
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	if !ok || strings.Contains(line, "\r") {
		return Header{}, 0, fault("line end")
	}
	fields := strings.Split(line, " ")
	if fields[1] == "UNKNOWN" {
		return Header{}, end + 1, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return Header{}, 0, fault("fields")
	}
	source, err1 := parseEnd(fields[2], fields[4], fields[1] == "TCP4")
	dest, err2 := parseEnd(fields[3], fields[5], fields[1] == "TCP4")
	if err := errors.Join(err1, err2); err != nil {
		return Header{}, 0, fault("address")
	}
	return Header{Source: source, Dest: dest}, end + 1, nil
}

// parseEnd takes an address in canonical form and a port, neither with leading
// zeroes.
func parseEnd(addr, port string, four bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() != four || a.Zone() != "" {
		return netip.AddrPort{}, ErrHeader
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, ErrHeader
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// The fixed part of version 2 (§2.2): signature, version and command, family
// and protocol, length of what follows.
const (
	fixedV2 = 16

	cmdLocal = 0x20
	cmdProxy = 0x21

	famTCP4 = 0x11
	famTCP6 = 0x21
)

func consumeV2(b []byte) (Header, int, error) {
	if len(b) < fixedV2 {
		return Header{}, 0, io.ErrUnexpectedEOF
	}
	cmd, family := b[12], b[13]
	if cmd != cmdLocal && cmd != cmdProxy {
		return Header{}, 0, fault("version or command")
	}
	n := fixedV2 + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case cmd == cmdProxy && (family>>4 > 3 || family&15 > 2):
		return Header{}, 0, fault("address family")
	case n > MaxHeader:
		return Header{}, 0, fault("too long")
	case len(b) < n:
		return Header{}, 0, io.ErrUnexpectedEOF
	case cmd == cmdLocal || family == 0: // what stands there is ignored
		return Header{}, n, nil
	}
	size := addressSize(family)
	if n < fixedV2+size {
		return Header{}, 0, fault("addresses cut off")
	}
	if err := checkTLVs(b[:n], fixedV2+size); err != nil {
		return Header{}, 0, err
	}
	return addresses(family, b[fixedV2:n]), n, nil
}

// addressSize is the length of the address block of a family (§2.2).
func addressSize(family byte) int {
	switch family >> 4 {
	case 1:
		return 12
	case 2:
		return 36
	case 3:
		return 216
	}
	return 0
}

// addresses are those of TCP; of others nothing is used.
func addresses(family byte, b []byte) Header {
	switch family {
	case famTCP4:
		return Header{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[8:])),
			netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), binary.BigEndian.Uint16(b[10:])),
		}
	case famTCP6:
		return Header{
			netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[32:])),
			netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:])).Unmap(), binary.BigEndian.Uint16(b[34:])),
		}
	}
	return Header{}
}

// typeCRC32C is the TLV that has the checksum of the header (§2.2.3).
const typeCRC32C = 0x03

// checkTLVs walks the type-length-value vectors of the header h from at on, and
// holds it against its checksum where there is one.
func checkTLVs(h []byte, at int) error {
	for at < len(h) {
		if len(h)-at < 3 {
			return fault("TLV cut off")
		}
		kind, n := h[at], int(binary.BigEndian.Uint16(h[at+1:]))
		at += 3
		if n > len(h)-at {
			return fault("TLV cut off")
		}
		if kind == typeCRC32C {
			if n != 4 || !goodChecksum(h, at) {
				return fault("checksum")
			}
		}
		at += n
	}
	return nil
}

// goodChecksum: CRC32c of the header with zeroes in place of the checksum.
func goodChecksum(h []byte, at int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, h[:at])
	sum = crc32.Update(sum, table, make([]byte, 4))
	sum = crc32.Update(sum, table, h[at+4:])
	return sum == binary.BigEndian.Uint32(h[at:])
}
