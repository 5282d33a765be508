package dnsxtest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl is the time to live of everything, in seconds.
const ttl = 60

// node is what a name has.
type node struct {
	bodies   []dnsmessage.ResourceBody
	servfail bool
	silent   bool
}

// types of the records of a zone.
func typeOf(body dnsmessage.ResourceBody) dnsmessage.Type {
	switch body.(type) {
	case *dnsmessage.AResource:
		return dnsmessage.TypeA
	case *dnsmessage.AAAAResource:
		return dnsmessage.TypeAAAA
	case *dnsmessage.CNAMEResource:
		return dnsmessage.TypeCNAME
	case *dnsmessage.MXResource:
		return dnsmessage.TypeMX
	case *dnsmessage.PTRResource:
		return dnsmessage.TypePTR
	}
	return dnsmessage.TypeTXT
}

// parse reads a zone: a name, a type and, to the end of the line, its value.
func parse(text string) (map[string]*node, error) {
	zone := map[string]*node{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest := word(line)
		kind, value := word(rest)
		if err := add(zone, name, kind, value); err != nil {
			return nil, fmt.Errorf("dnsxtest: %q: %w", line, err)
		}
	}
	return zone, nil
}

// word is the first word of a line, and what stands behind it.
func word(line string) (first, rest string) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], " \t")
}

// add adds one record.
func add(zone map[string]*node, name, kind, value string) error {
	name = canonical(name)
	n := zone[name]
	if n == nil {
		n = &node{}
		zone[name] = n
	}
	switch kind {
	case "SERVFAIL":
		n.servfail = true
		return nil
	case "SILENT":
		n.silent = true
		return nil
	}
	body, err := record(kind, value)
	if err == nil {
		n.bodies = append(n.bodies, body)
	}
	return err
}

// record makes the record of a type.
func record(kind, value string) (dnsmessage.ResourceBody, error) {
	switch kind {
	case "A", "AAAA":
		addr, err := netip.ParseAddr(value)
		switch {
		case err != nil:
			return nil, err
		case kind == "A" && addr.Is4():
			return &dnsmessage.AResource{A: addr.As4()}, nil
		case kind == "AAAA" && addr.Is6():
			return &dnsmessage.AAAAResource{AAAA: addr.As16()}, nil
		}
		return nil, fmt.Errorf("not for %s", kind)
	case "TXT":
		return &dnsmessage.TXTResource{TXT: pieces(value)}, nil
	case "MX":
		first, host := word(value)
		preference, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return nil, err
		}
		target, err := dnsmessage.NewName(canonical(host) + ".")
		return &dnsmessage.MXResource{Pref: uint16(preference), MX: target}, err
	case "CNAME":
		target, err := dnsmessage.NewName(canonical(value) + ".")
		return &dnsmessage.CNAMEResource{CNAME: target}, err
	case "PTR":
		target, err := dnsmessage.NewName(canonical(value) + ".")
		return &dnsmessage.PTRResource{PTR: target}, err
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

// pieces are the strings of a TXT record, each of at most 255 octets.
func pieces(value string) []string {
	list := []string{}
	for len(value) > 255 {
		list = append(list, value[:255])
		value = value[255:]
	}
	return append(list, value)
}

// canonical is a name in lower case without the dot at its end.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
