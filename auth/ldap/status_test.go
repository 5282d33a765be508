package ldap

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// ticksOf is the inverse of filetime.
func ticksOf(t time.Time) string {
	return strconv.FormatInt((t.Unix()+11644473600)*10_000_000, 10)
}

func TestStatus(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) string { return ticksOf(now.Add(-d)) }
	stamp := func(d time.Duration) string { return now.Add(-d).Format("20060102150405Z") }
	conf := Config{Users: UserConfig{DisabledAttribute: "accountStatus", DisabledValues: []string{"closed", "Deleted"}}}
	conf.setDefaults()
	forever := conf
	forever.Users.LockoutDuration = -1
	bare := Config{Users: UserConfig{DisabledAttribute: "blocked"}}
	bare.setDefaults()
	for _, test := range []struct {
		conf  *Config
		attrs string // "name=value name=value"
		want  Reason
	}{
		{&conf, "", ""},
		{&conf, "userAccountControl=512", ""},
		{&conf, "userAccountControl=514", ReasonDisabled},
		{&conf, "userAccountControl=66050", ReasonDisabled},
		{&conf, "userAccountControl=512 msDS-User-Account-Control-Computed=16", ReasonLocked},
		{&conf, "userAccountControl=512 msDS-User-Account-Control-Computed=8388608", ReasonPasswordExpired},
		{&conf, "lockoutTime=0", ""},
		{&conf, "lockoutTime=" + ago(time.Minute), ReasonLocked},
		{&conf, "lockoutTime=" + ago(29*time.Minute+59*time.Second), ReasonLocked},
		{&conf, "lockoutTime=" + ago(30*time.Minute), ""},
		{&conf, "lockoutTime=" + ago(-time.Hour), ReasonLocked},
		{&forever, "lockoutTime=" + ago(1000*time.Hour), ReasonLocked},
		{&forever, "lockoutTime=" + ago(time.Hour) + " msDS-User-Account-Control-Computed=0", ""},
		{&conf, "accountExpires=0", ""},
		{&conf, "accountExpires=9223372036854775807", ""},
		{&conf, "accountExpires=" + ago(time.Second), ReasonExpired},
		{&conf, "accountExpires=" + ago(0), ReasonExpired},
		{&conf, "accountExpires=" + ago(-time.Second), ""},
		{&conf, "pwdLastSet=0", ReasonMustChange},
		{&conf, "pwdLastSet=0 userAccountControl=512", ReasonMustChange},
		{&conf, "pwdLastSet=0 userAccountControl=66048", ""},
		{&conf, "pwdLastSet=" + ago(time.Hour), ""},
		{&conf, "pwdAccountLockedTime=000001010000Z", ReasonLocked},
		{&conf, "pwdAccountLockedTime=" + stamp(time.Minute), ReasonLocked},
		{&conf, "pwdAccountLockedTime=20261128115900.123456Z", ReasonLocked},
		{&conf, "pwdAccountLockedTime=" + stamp(time.Hour), ""},
		{&forever, "pwdAccountLockedTime=" + stamp(time.Hour), ReasonLocked},
		{&conf, "nsAccountLock=true", ReasonDisabled},
		{&conf, "nsAccountLock=TRUE", ReasonDisabled},
		{&conf, "nsAccountLock=false", ""},
		{&conf, "accountStatus=active", ""},
		{&conf, "accountStatus=CLOSED", ReasonDisabled},
		{&conf, "accountStatus=active accountStatus=deleted", ReasonDisabled},
		{&bare, "blocked=TRUE", ReasonDisabled},
		{&bare, "blocked=because", ReasonDisabled},
		{&bare, "blocked=FALSE", ""},
		{&bare, "blocked=0", ""},
		// Nobody is let in on a value that was not understood.
		{&conf, "userAccountControl=0x202", "?"},
		{&conf, "userAccountControl=512 userAccountControl=514", "?"},
		{&conf, "msDS-User-Account-Control-Computed=x", "?"},
		{&conf, "lockoutTime=99999999999999999999", "?"},
		{&conf, "accountExpires=never", "?"},
		{&conf, "pwdLastSet=-", "?"},
		{&conf, "pwdAccountLockedTime=yesterday", "?"},
	} {
		e := &entry{attrs: map[string][]string{}}
		for _, f := range strings.Fields(test.attrs) {
			name, value, _ := strings.Cut(f, "=")
			name = strings.ToLower(name)
			e.attrs[name] = append(e.attrs[name], value)
		}
		got, err := test.conf.Users.status(e, now)
		if err != nil {
			got = "?"
		}
		if got != test.want {
			t.Errorf("%s: %q %v, want %q", test.attrs, got, err, test.want)
		}
	}
}

func TestFiletime(t *testing.T) {
	// 2024-01-01T00:00:00Z as Windows writes it.
	if got, want := filetime(133485408000000000), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Error(got, want)
	}
}
