package srs

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"time"
)

// maxHash is the length of a whole HMAC-SHA1 in base64, without padding.
const maxHash = 27

func (s *Scheme) hashLength() int {
	if s.HashLength == 0 {
		return 4
	}
	return s.HashLength
}

// hash is the first n letters of the keyed hash over the fields in lower case:
// hosts on the way may change the case of a local-part.
func (s *Scheme) hash(secret string, n int, fields ...string) string {
	mac := hmac.New(sha1.New, []byte(secret)) // SHA-1 is what the scheme has
	for _, f := range fields {
		mac.Write([]byte(lower(f)))
	}
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))[:n]
}

// check reports whether hash is one of the fields by any secret, in whatever
// case. It takes the same time for all hashes of a length.
func (s *Scheme) check(hash string, fields ...string) bool {
	least := s.MinHash
	if least == 0 {
		least = min(4, s.hashLength())
	}
	if len(hash) < least || len(hash) > maxHash {
		return false
	}
	ok := false
	for _, secret := range s.Secrets {
		want := s.hash(secret, len(hash), fields...)
		ok = hmac.Equal([]byte(lower(want)), []byte(lower(hash))) || ok
	}
	return ok
}

// lower changes US-ASCII only, as everybody who makes these hashes does.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

const (
	dayLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	days       = 1 << 10 // two letters
)

func (s *Scheme) today() int64 {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return now().Unix() / (24 * 60 * 60)
}

func (s *Scheme) maxDays() int64 {
	if s.MaxAge == 0 {
		return 21
	}
	return int64((s.MaxAge + 24*time.Hour - 1) / (24 * time.Hour))
}

func dayText(day int64) string {
	return string([]byte{dayLetters[day>>5&31], dayLetters[day&31]})
}

// fresh reports whether a day is not older than MaxAge. That of tomorrow is
// good: another node's clock may be ahead at midnight.
func (s *Scheme) fresh(text string) bool {
	if len(text) != 2 {
		return false
	}
	hi := strings.IndexByte(dayLetters, upper(text[0]))
	lo := strings.IndexByte(dayLetters, upper(text[1]))
	if hi < 0 || lo < 0 {
		return false
	}
	age := (s.today() - int64(hi<<5|lo)) & (days - 1)
	return age <= s.maxDays() || age == days-1
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
