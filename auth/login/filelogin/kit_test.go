package filelogin

import (
	"log/slog"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
)

var quiet = slog.New(slog.DiscardHandler)

func mustHash(t testing.TB, password string) string {
	t.Helper()
	h, err := login.HashPassword(login.NewPassword(password), login.Params{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
