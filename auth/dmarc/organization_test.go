package dmarc

import (
	"errors"
	"testing"

	"github.com/mailstead/mailstead/auth/dnsx"
)

func TestOrganization(t *testing.T) {
	records := map[string]string{
		"example.com": "v=DMARC1; p=none", "co.uk": "v=DMARC1; p=none; psd=y", "own.example.com": "v=DMARC1; p=none; psd=n", "_dmarc.lost.net": "fail",
	}
	for _, test := range []struct {
		mode         Mode
		domain, want string
		err          error
	}{
		{RFC9989, "A.b.Example.com", "example.com", nil},
		{RFC9989, "example.com", "example.com", nil},
		{RFC9989, "a.own.example.com", "own.example.com", nil},
		{RFC9989, "a.b.co.uk", "b.co.uk", nil},
		{RFC9989, "a.nothing.net", "a.nothing.net", nil},
		{RFC9989, "a.lost.net", "", dnsx.ErrServFail},
		{RFC9989, "not a domain", "", errDomain},
		{RFC7489, "a.b.co.uk", "b.co.uk", nil},
		{RFC7489, "a.own.example.com", "example.com", nil},
		{RFC7489, "a..b", "", errDomain},
	} {
		c := &Checker{Resolver: newZone(records), Mode: test.mode}
		if got, err := c.Organization(t.Context(), test.domain); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%v %q: %q, %v; want %q, %v", test.mode, test.domain, got, err, test.want, test.err)
		}
	}
}
