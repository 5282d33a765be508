package dnsx

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Client is a stub resolver: it asks recursive servers, over UDP first. The
// zero value asks those of the system.
type Client struct {
	// Servers are asked in order, the next where one does not answer or fails.
	// nil = those of /etc/resolv.conf, read once; 127.0.0.1:53 where it names
	// none.
	Servers []netip.AddrPort

	// Timeout bounds one question to one server, with all that it takes: over
	// TCP or without EDNS, too. 0 = 2 s.
	Timeout time.Duration

	// Rounds is how often the list is gone through; 0 = 2.
	Rounds int

	// TrustAD takes the word of servers that are not on loopback for DNSSEC
	// validation. It is for a path that nobody else is on.
	TrustAD bool

	// Dial connects to a server, "udp" or "tcp"; nil = a net.Dialer. Each
	// question has its own connection, and so a port that cannot be foreseen.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	once   sync.Once
	system []netip.AddrPort
}

var _ Resolver = (*Client)(nil)

// maxChain is the longest chain of CNAMEs.
const maxChain = 8

// Lookup implements Resolver.
func (c *Client) Lookup(ctx context.Context, name string, t Type) (*Answer, error) {
	fail := func(kind error, err error) (*Answer, error) {
		return nil, &Error{Name: name, Type: t, Kind: kind, Err: err}
	}
	next := clean(name)
	if next == "" {
		return fail(ErrName, nil)
	}
	answer := &Answer{TTL: maxTTL, Secure: true}
	for links := 0; ; {
		reply, err := c.ask(ctx, next, t)
		if err != nil {
			kind := ErrServFail
			for _, k := range [...]error{ErrBogus, ErrTimeout} {
				if errors.Is(err, k) {
					kind = k
				}
			}
			return fail(kind, err)
		}
		end, n, err := reply.collect(answer, next, t, maxChain-links)
		answer.Secure = answer.Secure && reply.secure
		switch {
		case err != nil:
			return fail(ErrServFail, err)
		case !answer.empty():
			answer.Name = end
			return answer, nil
		case reply.nxdomain:
			return nil, &Error{Name: name, Type: t, Kind: ErrNXDomain, TTL: min(answer.TTL, reply.negative)}
		case n == 0 || reply.negative > 0: // with its SOA the server says that this is the end
			return nil, &Error{Name: name, Type: t, Kind: ErrNoData, TTL: min(answer.TTL, reply.negative)}
		}
		if links += n; links >= maxChain {
			return fail(ErrServFail, errChain)
		}
		next = end // the server left the rest of the chain to us
	}
}

var (
	errChain    = errors.New("dnsx: chain of CNAMEs too long")
	errFormat   = errors.New("dnsx: malformed answer")
	errCase     = errors.New("dnsx: answer in another case")
	errOversize = errors.New("dnsx: truncated answer")
	errEDNS     = errors.New("dnsx: the server knows no EDNS")
)

// ask asks the servers until one gives an answer that is a verdict.
func (c *Client) ask(ctx context.Context, name string, t Type) (*reply, error) {
	servers := c.Servers
	if servers == nil {
		c.once.Do(func() { c.system = systemServers("/etc/resolv.conf") })
		servers = c.system
	}
	var last error = ErrTimeout
	for range orDefault(c.Rounds, 2) {
		for _, server := range servers {
			r, err := c.askServer(ctx, server, name, t)
			if err == nil {
				return r, nil
			}
			if ctx.Err() != nil {
				return nil, errors.Join(ErrTimeout, context.Cause(ctx))
			}
			if errors.Is(err, ErrBogus) { // another server may not validate
				return nil, err
			}
			last = err
		}
	}
	if ne, ok := errors.AsType[net.Error](last); ok && ne.Timeout() {
		last = errors.Join(ErrTimeout, last)
	}
	return nil, last
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// askServer asks one server: over UDP, over TCP where the answer does not fit
// or its case is not ours, and without EDNS where it is not known.
func (c *Client) askServer(ctx context.Context, server netip.AddrPort, name string, t Type) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(c.Timeout, 2*time.Second))
	defer cancel()
	q := question{name: name, t: t, edns: true, trust: c.TrustAD || server.Addr().IsLoopback()}
	network := "udp"
	for range 4 {
		r, err := c.exchange(ctx, server, network, q)
		switch {
		case network == "udp" && (errors.Is(err, errOversize) || errors.Is(err, errCase)):
			network = "tcp"
		case q.edns && errors.Is(err, errEDNS):
			q.edns = false
		default:
			return r, err
		}
	}
	return nil, errFormat
}

// exchange sends one question and reads the answer to it, before ctx ends.
func (c *Client) exchange(ctx context.Context, server netip.AddrPort, network string, q question) (*reply, error) {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	msg, err := q.pack()
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		return exchangeTCP(conn, msg, &q)
	}
	if _, err := conn.Write(msg); err != nil {
		return nil, err
	}
	buf := make([]byte, maxUDP)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		r, err := q.parse(buf[:n])
		if !errors.Is(err, errNotOurs) { // else somebody guesses
			return r, err
		}
	}
}

const maxUDP = 4096

func exchangeTCP(conn net.Conn, msg []byte, q *question) (*reply, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	q.stream = true
	return q.parse(buf)
}

// question is one question to one server.
type question struct {
	name  string
	t     Type
	edns  bool
	trust bool // the AD bit counts

	id     uint16
	sent   dnsmessage.Name // in random case
	stream bool            // over TCP: the case does not matter
}

// payload is the largest answer over UDP that is asked for.
const payload = 1232

func (q *question) pack() ([]byte, error) {
	q.id = uint16(rand.Uint32())
	var err error
	if q.sent, err = dnsmessage.NewName(randomCase(q.name) + "."); err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.id, RecursionDesired: true, AuthenticData: true})
	err = errors.Join(b.StartQuestions(), b.Question(dnsmessage.Question{Name: q.sent, Type: dnsmessage.Type(q.t), Class: dnsmessage.ClassINET}))
	if q.edns && err == nil {
		var h dnsmessage.ResourceHeader
		err = errors.Join(b.StartAdditionals(), h.SetEDNS0(payload, dnsmessage.RCodeSuccess, false), b.OPTResource(h, dnsmessage.OPTResource{}))
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}

// randomCase changes the case of letters at random, so that a forged answer
// has to guess that, too.
func randomCase(name string) string {
	b := []byte(name)
	bits, left := uint64(0), 0
	for i, c := range b {
		if c |= 0x20; c < 'a' || c > 'z' {
			continue
		}
		if left == 0 {
			bits, left = rand.Uint64(), 64
		}
		b[i] = c &^ byte(bits&1<<5)
		bits, left = bits>>1, left-1
	}
	return string(b)
}

// systemServers reads the nameserver lines of resolv.conf(5).
func systemServers(path string) (list []netip.AddrPort) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			fields := strings.Fields(s.Text())
			if len(fields) < 2 || fields[0] != "nameserver" {
				continue
			}
			if a, err := netip.ParseAddr(fields[1]); err == nil {
				list = append(list, netip.AddrPortFrom(a, 53))
			}
		}
	}
	if len(list) == 0 {
		list = append(list, netip.MustParseAddrPort("127.0.0.1:53"))
	}
	return list
}
