package smtp

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestTimingParams(t *testing.T) {
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		in   string
		want MailParams
		err  error
	}{
		{in: " MT-PRIORITY=3", want: MailParams{Priority: Priority{3, true}}},
		{in: " mt-priority=-9", want: MailParams{Priority: Priority{-9, true}}},
		{in: " MT-PRIORITY=0", want: MailParams{Priority: Priority{0, true}}},
		{in: " MT-PRIORITY", err: ErrSyntax},
		{in: " MT-PRIORITY=10", err: ErrSyntax},
		{in: " MT-PRIORITY=+1", err: ErrSyntax},
		{in: " MT-PRIORITY=-0", err: ErrSyntax},
		{in: " MT-PRIORITY=--1", err: ErrSyntax},
		{in: " MT-PRIORITY=1 MT-PRIORITY=1", err: ErrRepeated},
		{in: " BY=120;R", want: MailParams{DeliverBy: DeliverBy{120, ByReturn, false}}},
		{in: " by=-120;nt", want: MailParams{DeliverBy: DeliverBy{-120, ByNotify, true}}},
		{in: " BY=+999999999;N", want: MailParams{DeliverBy: DeliverBy{999999999, ByNotify, false}}},
		{in: " BY=0;R", err: ErrSyntax},
		{in: " BY=-1;R", err: ErrSyntax},
		{in: " BY=1", err: ErrSyntax},
		{in: " BY=;R", err: ErrSyntax},
		{in: " BY=+-1;N", err: ErrSyntax},
		{in: " BY=1;X", err: ErrSyntax},
		{in: " BY=1;TT", err: ErrSyntax},
		{in: " BY=1;NTT", err: ErrSyntax},
		{in: " BY=1234567890;N", err: ErrSyntax},
		{in: " HOLDFOR=60", want: MailParams{FutureRelease: FutureRelease{For: 60}}},
		{in: " HOLDUNTIL=2030-01-02T03:04:05Z", want: MailParams{FutureRelease: FutureRelease{Until: until}}},
		{in: " HOLDUNTIL=2030-01-02t05:04:05+02:00", want: MailParams{FutureRelease: FutureRelease{Until: until}}},
		{in: " HOLDFOR=0", err: ErrSyntax},
		{in: " HOLDFOR=060", err: ErrSyntax},
		{in: " HOLDFOR=1234567890", err: ErrSyntax},
		{in: " HOLDUNTIL=2030-13-02T03:04:05Z", err: ErrSyntax},
		{in: " HOLDUNTIL=0000-01-01T00:00:00Z", err: ErrSyntax},
		{in: " HOLDFOR=60 HOLDUNTIL=2030-01-02T03:04:05Z", err: ErrRepeated},
		{in: " HOLDUNTIL=2030-01-02T03:04:05Z HOLDFOR=60", err: ErrRepeated},
		{in: " PRDR", want: MailParams{PRDR: true}},
		{in: " PRDR=1", err: ErrSyntax},
	}
	for _, tt := range tests {
		got, err := ParseMailParams([]byte(tt.in))
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
		}
		if err != nil {
			continue
		}
		again, err := ParseMailParams(got.AppendParams(nil))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q was written as %q: %+v, %v", tt.in, got.AppendParams(nil), again, err)
		}
	}
}

func TestDeliverByAt(t *testing.T) {
	received := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		by      DeliverBy
		after   time.Duration
		seconds int32
		ok      bool
	}{
		{DeliverBy{}, time.Hour, 0, true},
		{DeliverBy{120, ByReturn, true}, 30*time.Second + time.Millisecond, 89, true},
		{DeliverBy{120, ByReturn, false}, 119*time.Second + time.Millisecond, 0, false},
		{DeliverBy{120, ByNotify, false}, time.Hour, 120 - 3600, true},
		{DeliverBy{-999999999, ByNotify, false}, time.Hour, -999999999, true},
	} {
		got, ok := tt.by.At(received, received.Add(tt.after))
		if got.Seconds != tt.seconds || ok != tt.ok || got.Mode != tt.by.Mode || got.Trace != tt.by.Trace {
			t.Errorf("%v after %v: %v, %v", tt.by, tt.after, got, ok)
		}
	}
}

func TestRelease(t *testing.T) {
	received := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	until := received.Add(time.Hour)
	for _, tt := range []struct {
		f    FutureRelease
		want time.Time
	}{{FutureRelease{}, time.Time{}}, {FutureRelease{For: 60}, received.Add(time.Minute)}, {FutureRelease{Until: until}, until}} {
		if got := tt.f.Release(received); !got.Equal(tt.want) || tt.f.IsZero() != tt.want.IsZero() {
			t.Errorf("%+v: %v", tt.f, got)
		}
	}
}
