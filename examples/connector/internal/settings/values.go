package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/recipient"
)

// ParseDuration reads "90s", "5m", "1h30m", and days: "14d", "1d12h".
func ParseDuration(text string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "", text
	}
	var sum time.Duration
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > 36500 {
			return 0, fmt.Errorf("%q is no time such as 90s, 5m, 2h or 14d", text)
		}
		sum = time.Duration(n) * 24 * time.Hour
	}
	if rest != "" || !hasDays {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no time such as 90s, 5m, 2h or 14d", text)
		}
		sum += d
	}
	return sum, nil
}

// FormatDuration is text that ParseDuration reads.
func FormatDuration(d time.Duration) string {
	day := 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// ParseSize reads octets: "1000", "64kB", "35MB", "1GB"; 1 kB is 1,000 octets and
// 1 KiB 1,024.
func ParseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "kKMGiB")
	var unit int64
	switch text[len(number):] {
	case "", "B":
		unit = 1
	case "k", "kB", "K", "KB":
		unit = 1e3
	case "M", "MB":
		unit = 1e6
	case "G", "GB":
		unit = 1e9
	case "KiB", "kiB":
		unit = 1 << 10
	case "MiB":
		unit = 1 << 20
	case "GiB":
		unit = 1 << 30
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || unit == 0 || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size such as 64kB, 35MB or 1GiB", text)
	}
	return n * unit, nil
}

// parseLeave reads never, always, until-seen or a time.
func parseLeave(text string) (fetch.Keep, error) {
	switch text {
	case "never", "":
		return fetch.Keep{}, nil
	case "always":
		return fetch.Keep{Always: true}, nil
	case "until-seen":
		return fetch.Keep{UntilSeen: true}, nil
	}
	d, err := ParseDuration(text)
	if err != nil || d == 0 {
		return fetch.Keep{}, errors.New("want never, always, until-seen, or a time such as 14d")
	}
	return fetch.Keep{For: d}, nil
}

// parseHeader reads NAME or NAME:INDEX: 1 is the topmost field of the name, -1
// the lowest.
func parseHeader(text string) (recipient.Field, error) {
	name, number, found := strings.Cut(text, ":")
	h := recipient.Field{Name: strings.TrimSpace(name)}
	if found {
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil || n == 0 || n < -1000 || n > 1000 {
			return h, fmt.Errorf("%q is not NAME or NAME:INDEX, with an index from 1, or from -1 for the lowest", text)
		}
		h.Index = n
	}
	if !isFieldName(h.Name) {
		return h, fmt.Errorf("%q is not the name of a header field", h.Name)
	}
	return h, nil
}

// isFieldName: RFC 5322 §2.2.
func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != ""
}
