package smtp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestUpstream(t *testing.T) {
	tests := []struct {
		args, offered string
		want          Upstream
		err           error
	}{
		{
			" NAME=spike.example ADDR=192.0.2.7 PORT=2525 PROTO=ESMTP HELO=spike", XForwardAttributes,
			Upstream{Name: "spike.example", Addr: netip.MustParseAddrPort("192.0.2.7:2525"), Protocol: "ESMTP", Hello: "spike"},
			nil,
		},
		{
			" addr=ipv6:2001:db8::1 login=a+40b", XClientAttributes,
			Upstream{Addr: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), 0), Login: "a@b"},
			nil,
		},
		{
			"ADDR=IPV6:::ffff:192.0.2.1 DESTADDR=192.0.2.2 DESTPORT=25", XClientAttributes,
			Upstream{Addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 0), Dest: netip.MustParseAddrPort("192.0.2.2:25")},
			nil,
		},
		{" NAME=[UNAVAILABLE] HELO=[tempunavail]", XClientAttributes, Upstream{}, nil},
		{" IDENT=3CF6B2AAE8 SOURCE=REMOTE", XForwardAttributes, Upstream{Ident: "3CF6B2AAE8", Source: "REMOTE"}, nil},
		{" LOGIN=a", XForwardAttributes, Upstream{}, ErrSyntax},
		{"", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=a NAME=b", XClientAttributes, Upstream{}, ErrRepeated},
		{" FOO=a", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=a+0D+0Ab", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=a+20b", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=a\tHELO=b", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=\xc3\xa9", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=<a>", XClientAttributes, Upstream{}, ErrSyntax},
		{" NAME=" + strings.Repeat("x", 256), XClientAttributes, Upstream{}, ErrTooLong},
		{" ADDR=1.2.3", XClientAttributes, Upstream{}, ErrSyntax},
		{" ADDR=2001:db8::1", XClientAttributes, Upstream{}, ErrSyntax},
		{" ADDR=IPV6:192.0.2.1", XClientAttributes, Upstream{}, ErrSyntax},
		{" ADDR=IPV6:fe80::1%eth0", XClientAttributes, Upstream{}, ErrSyntax},
		{" PORT=65536", XClientAttributes, Upstream{}, ErrSyntax},
		{" PORT=-1", XClientAttributes, Upstream{}, ErrSyntax},
	}
	for _, tt := range tests {
		var got Upstream
		if err := got.Apply([]byte(tt.args), tt.offered); !errors.Is(err, tt.err) || got != tt.want {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.args, got, err, tt.want, tt.err)
		}
	}
	u := Upstream{Name: "old", Hello: "kept"}
	if err := u.Apply([]byte(" NAME=new ADDR=x"), XForwardAttributes); err == nil || u.Name != "old" {
		t.Errorf("a fault changed it: %+v", u)
	}
	if err := u.Apply([]byte(" NAME=[UNAVAILABLE]"), XForwardAttributes); err != nil || u != (Upstream{Hello: "kept"}) {
		t.Errorf("%+v, %v", u, err)
	}
}

// What was parsed is written so that it parses to the same.
func FuzzUpstream(f *testing.F) {
	f.Add(" NAME=a ADDR=IPV6:2001:db8::1 PORT=25 LOGIN=a+40b HELO=[UNAVAILABLE]")
	f.Fuzz(func(t *testing.T, s string) {
		for _, offered := range []string{XClientAttributes, XForwardAttributes} {
			var u, again Upstream
			if u.Apply([]byte(s), offered) != nil {
				continue
			}
			line := u.AppendAttributes(nil, offered)
			if err := again.Apply(line, offered); err != nil || again != u {
				t.Fatalf("%q: %+v, written %q, then %+v, %v", s, u, line, again, err)
			}
		}
	})
}
