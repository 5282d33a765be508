package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store/s3"
)

func hasNoSecret(t *testing.T, c s3.Config, text string) {
	t.Helper()
	if c.SecretKey != "" && strings.Contains(text, c.SecretKey) {
		t.Errorf("the secret is in %q", text)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]s3.Config{
		"s3://key:se%2Fcret@s3.example.com/mail": {
			Endpoint: "s3.example.com", Bucket: "mail", AccessKey: "key", SecretKey: "se/cret",
		},
		"s3://127.0.0.1:9000/mail/a/b/?tls=0&region=eu-1&style=host&conditional=0": {
			Endpoint: "127.0.0.1:9000", Bucket: "mail", Prefix: "a/b/", Plain: true, Region: "eu-1", HostStyle: true, Unconditional: true,
		},
		"s3://[::1]:9000/mail?tls=1": {Endpoint: "[::1]:9000", Bucket: "mail"},
	} {
		if got, err := s3.Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %#v, %v", text, got, err)
		}
	}
}

// TestParseRefuses: no error repeats any part of what may be a secret.
func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "s3:", "http://a:hunter2@h/b", "s3://a:hunter2@h", "s3://a:hunter2@h/", "s3://a@h/b", "s3://:hunter2@h/b",
		"s3://a:hun/ter2@h/b", "s3://a:hunter2%@h/b", "s3://a:hunter2@h/b?tls=maybe", "s3://a:hunter2@h/b?hunter2=1",
		"s3://a:hunter2@h/b?tls=hunter2", "s3://a:hunter2@h/b#f", "s3://a:hunter2@h:port/b", "s3://a:hunter2@h/b?a=%hunter2",
		"s3://a:hunter2\n@h/b",
	} {
		_, err := s3.Parse(text)
		if !errors.Is(err, s3.ErrConfig) {
			t.Errorf("Parse(%q): %v, want ErrConfig", text, err)
			continue
		}
		for _, part := range []string{"hunter2", "hun", "ter2"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("Parse(%q): %v has the secret", text, err)
			}
		}
	}
}

func TestConfigPrintsNoSecret(t *testing.T) {
	c := s3.Config{Endpoint: "h", Bucket: "b", AccessKey: "key", SecretKey: "hunter2", SessionToken: "TOKEN"}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "bucket", c, "where", &c)
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v %#v %v %s", c, c, &c, c), fmt.Sprintf("%+v", struct{ C s3.Config }{c}), log.String(),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "TOKEN") {
			t.Errorf("a secret is in %q", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("s3://key:se%2Fcret@s3.example.com/mail?tls=0")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := s3.Parse(text)
		if err != nil {
			if !errors.Is(err, s3.ErrConfig) {
				t.Errorf("Parse(%q): %v, want ErrConfig", text, err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("Parse(%q) is not valid: %v", text, err)
		}
	})
}
