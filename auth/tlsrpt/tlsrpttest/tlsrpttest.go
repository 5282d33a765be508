// Package tlsrpttest judges implementations of tlsrpt.Storage.
//
//	func TestStorage(t *testing.T) {
//		tlsrpttest.Run(t, func(t *testing.T) tlsrpt.Storage { return &myStorage{} })
//	}
package tlsrpttest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/tlsrpt"
)

// Run judges the storages that open returns, each empty.
func Run(t *testing.T, open func(t *testing.T) tlsrpt.Storage) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, tlsrpt.Storage)
	}{
		{"what is alike is counted together", counts},
		{"a report has all of a session", whole},
		{"days that have not ended are not due", due},
		{"what is deleted is gone, and what came since stays", deleted},
		{"nothing is lost between goroutines", concurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Counted is n sessions with a domain on a day, with a result; "" = good ones.
func Counted(domain string, day int64, result tlsrpt.Result, n int64) tlsrpt.Counted {
	x := tlsrpt.Counted{Key: tlsrpt.Key{Day: day, Domain: domain}, Policy: tlsrpt.Policy{Type: tlsrpt.NoPolicyFound}, Sessions: n}
	if result != "" {
		x.Failure = &tlsrpt.Failure{Result: result}
	}
	return x
}

func add(t *testing.T, s tlsrpt.Storage, list ...tlsrpt.Counted) {
	t.Helper()
	if dropped, err := s.Add(t.Context(), list); err != nil || dropped != 0 {
		t.Fatal(dropped, err)
	}
}

func load(t *testing.T, s tlsrpt.Storage, domain string, day int64) []tlsrpt.Counted {
	t.Helper()
	list, err := s.Load(t.Context(), tlsrpt.Key{Day: day, Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sums are the sessions by result.
func sums(list []tlsrpt.Counted) string {
	var words []string
	for _, x := range list {
		result := tlsrpt.Result("good")
		if x.Failure != nil {
			result = x.Failure.Result
		}
		words = append(words, fmt.Sprintf("%s %d", result, x.Sessions))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func counts(t *testing.T, s tlsrpt.Storage) {
	add(t, s, Counted("a.example", 7, "", 2), Counted("a.example", 7, tlsrpt.CertificateExpired, 1), Counted("b.example", 7, "", 9))
	add(t, s, Counted("a.example", 7, "", 3), Counted("a.example", 8, "", 9))
	if got := sums(load(t, s, "a.example", 7)); got != "certificate-expired 1, good 5" {
		t.Error(got)
	}
}

func whole(t *testing.T, s tlsrpt.Storage) {
	x := tlsrpt.Counted{
		Key:      tlsrpt.Key{Day: 7, Domain: "a.example"},
		Policy:   tlsrpt.Policy{Type: tlsrpt.STS, Lines: []string{"version: STSv1", "mode: <enforce> \u00e9"}, MX: []string{"*.a.example"}},
		Failure:  &tlsrpt.Failure{Result: "x", SendingIP: "1", MXHost: "2", MXHelo: "3", ReceivingIP: "4", Information: "5", Reason: "6"},
		Sessions: 1,
	}
	add(t, s, x)
	if got := load(t, s, "a.example", 7); len(got) != 1 || !reflect.DeepEqual(got[0], x) {
		t.Errorf("%+v", got)
	}
}

func due(t *testing.T, s tlsrpt.Storage) {
	for _, day := range []int64{9, 7, 8} {
		add(t, s, Counted("b.example", day, "", 1), Counted("a.example", day, "", 1), Counted("a.example", day, "x", 1))
	}
	var got []string
	for after := (tlsrpt.Key{}); ; {
		keys, err := s.Due(t.Context(), 9, after, 3)
		if err != nil || len(keys) > 3 {
			t.Fatal(keys, err)
		}
		if len(keys) == 0 {
			break
		}
		for _, after = range keys {
			got = append(got, fmt.Sprint(after.Day, after.Domain))
		}
	}
	if want := []string{"7a.example", "7b.example", "8a.example", "8b.example"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}

func deleted(t *testing.T, s tlsrpt.Storage) {
	add(t, s, Counted("a.example", 7, "", 5), Counted("a.example", 7, "x", 5))
	loaded := load(t, s, "a.example", 7)
	add(t, s, Counted("a.example", 7, "", 2), Counted("a.example", 7, "y", 1))
	key := tlsrpt.Key{Day: 7, Domain: "a.example"}
	if err := s.Delete(t.Context(), key, loaded); err != nil {
		t.Fatal(err)
	}
	left := load(t, s, "a.example", 7)
	if got := sums(left); got != "good 2, y 1" {
		t.Error(got)
	}
	if err := s.Delete(t.Context(), key, left); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Due(t.Context(), 99, tlsrpt.Key{}, 9); len(keys) > 0 || err != nil {
		t.Error(keys, err)
	}
	if err := s.Delete(t.Context(), key, nil); err != nil {
		t.Error("nothing:", err)
	}
}

func concurrent(t *testing.T, s tlsrpt.Storage) {
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for range 10 {
				list := []tlsrpt.Counted{Counted("a.example", 7, "", 1), Counted("b.example", 7, "", 1), Counted("a.example", 7, "x", 1)}
				if n%2 > 0 {
					slices.Reverse(list)
				}
				if _, err := s.Add(t.Context(), list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := sums(load(t, s, "a.example", 7)) + "; " + sums(load(t, s, "b.example", 7)); got != "good 40, x 40; good 40" {
		t.Error(got)
	}
}
