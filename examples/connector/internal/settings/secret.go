package settings

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Secret is a password as it stands in the file: itself, "@FILE", or "@@…" for
// one that begins with "@". It is not shown when it is formatted or logged.
type Secret string

const hidden = "(hidden)"

// String shows nothing.
func (s Secret) String() string { return hidden }

// GoString shows nothing.
func (s Secret) GoString() string { return hidden }

// LogValue shows nothing.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// maxSecret bounds a file with a secret: a token may be long, a disk is no
// password.
const maxSecret = 64 << 10

var errNoSecret = errors.New("it is empty")

// Reveal reads the secret from where it is: the file, the environment variable
// env, or the text itself.
func (s Secret) Reveal(env string, getenv func(string) string) (string, error) {
	text := string(s)
	switch file, isFile := strings.CutPrefix(text, "@"); {
	case text == "" && env != "":
		text = getenv(env)
		if text == "" {
			return "", fmt.Errorf("the environment variable %s is empty", env)
		}
	case strings.HasPrefix(text, "@@"):
		text = text[1:]
	case isFile:
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxSecret))
		if err != nil {
			return "", err
		}
		text = strings.TrimRight(string(b), "\r\n")
	}
	if text == "" {
		return "", errNoSecret
	}
	return text, nil
}

// Literal is the secret that stands for text itself.
func Literal(text string) Secret {
	if strings.HasPrefix(text, "@") {
		text = "@" + text
	}
	return Secret(text)
}

// inFile reports whether the secret itself stands in the configuration.
func (s Secret) inFile() bool {
	return s != "" && (s[0] != '@' || strings.HasPrefix(string(s), "@@"))
}

// HasSecrets reports whether a secret stands in the file itself.
func (s *Settings) HasSecrets() bool {
	for _, src := range s.Sources {
		if src.Password.inFile() {
			return true
		}
	}
	for _, t := range s.Targets {
		if t.Password.inFile() {
			return true
		}
	}
	for _, o := range s.OAuth {
		if o.ClientSecret.inFile() {
			return true
		}
	}
	return false
}
