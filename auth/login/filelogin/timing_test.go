package filelogin

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/internal/timing"
)

const legacy = "{SSHA}Wcm1xEisNjqp921ALcHfuQ7avFdzYWx0MTIzNA==" // "secret"

// TestTiming reports how long refusals take: of unknown users, of wrong
// passwords and of disabled users, and of one user whose stored hash
// is a fast one. It judges nothing, because a busy machine would make it fail;
// TestSameCost of package login does, by counting. The hashes are cheap on purpose: the shorter
// they are, the more is seen of everything else.
func TestTiming(t *testing.T) {
	p := login.Params{MemoryKiB: 1024, Time: 1, Threads: 1}
	h, err := login.HashPassword(login.NewPassword("secret"), p)
	if err != nil {
		t.Fatal(err)
	}
	f := &File{Path: filepath.Join(t.TempDir(), "passwd"), Logger: quiet}
	for i := range 100 {
		if err := f.Set(t.Context(), fmt.Sprint("user", i), h); err != nil {
			t.Fatal(err)
		}
	}
	for user, hash := range map[string]string{"dora": h, "legacy": legacy} {
		if err := f.Set(t.Context(), user, hash); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Disable(t.Context(), "dora", true); err != nil {
		t.Fatal(err)
	}
	s := &login.Service{Backend: f, Params: p, Guard: login.Unguarded{}, Logger: quiet}
	kinds := []timing.Kind{
		{Name: "wrong", User: "user50"}, {Name: "unknown", User: "nobody"}, {Name: "disabled", User: "dora"}, {Name: "fast hash", User: "legacy"},
	}
	timing.Report(t, kinds, func(user string) {
		a := login.Attempt{Username: user, Password: login.NewPassword("not it"), Protocol: login.IMAP, Peer: netip.MustParseAddr("192.0.2.1"), TLS: true}
		if _, err := s.Authenticate(t.Context(), a); err != login.ErrRejected {
			t.Fatalf("%s: %v", user, err)
		}
	})
}
