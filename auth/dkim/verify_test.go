package dkim_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a resolver over a map; what it lacks does not exist.
type zone map[string][]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if texts, ok := z[strings.ToLower(name)]; ok {
		return &dnsx.Answer{Texts: texts}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// The message and the keys of RFC 8463 Appendix A.
var (
	rfc8463Zone = zone{
		"brisbane._domainkey.football.example.com": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
		"test._domainkey.football.example.com": {"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR" +
			"iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" +
			"DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3" +
			"Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
	}
	rfc8463Message = crlf(`DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.

`)
)

// judge verifies a message, whole and octet by octet.
func judge(t testing.TB, v *dkim.Verifier, message string) *dkim.Report {
	t.Helper()
	r, err := v.Verify(t.Context(), strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	m := v.Start()
	for i := range len(message) {
		m.Write([]byte{message[i]})
	}
	if again := m.Finish(t.Context()); len(message) < 1<<20 && summary(again) != summary(r) {
		t.Errorf("octet by octet %s, in large pieces %s", summary(again), summary(r))
	}
	return r
}

func summary(r *dkim.Report) string {
	var b bytes.Buffer
	for _, x := range r.Results {
		b.WriteString(string(x.Result) + " " + string(x.Reason) + " " + x.Weak.String() + ";")
	}
	return b.String()
}

func TestRFC8463(t *testing.T) {
	v := &dkim.Verifier{Resolver: rfc8463Zone}
	want := "pass  ;pass  small-key;"
	if got := summary(judge(t, v, rfc8463Message)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// As it stands in a file.
	if got := summary(judge(t, v, strings.ReplaceAll(rfc8463Message, "\r\n", "\n"))); got != want {
		t.Errorf("without CR: %q, want %q", got, want)
	}
	for _, change := range [][2]string{{"hungry", "angry"}, {"dinner", "supper"}, {"joe@", "jim@"}, {"brisbane;", "brisbane; z=a;"}} {
		got := judge(t, v, strings.Replace(rfc8463Message, change[0], change[1], 1)).Results
		if got[0].Result != authres.Fail {
			t.Errorf("%v: %+v", change, got[0])
		}
	}
	s := judge(t, v, rfc8463Message).Results[1].Statement()
	if s.Value("header", "d") != "football.example.com" || s.Value("header", "b") != "F45dVWDfMbQD" {
		t.Errorf("statement %+v", s)
	}
	early := &dkim.Verifier{Resolver: rfc8463Zone, Now: func() time.Time { return time.Unix(1528637909-301, 0) }}
	if got := summary(judge(t, early, rfc8463Message)); got != "fail signed in the future ;fail signed in the future ;" {
		t.Errorf("in the future: %q", got)
	}
}
