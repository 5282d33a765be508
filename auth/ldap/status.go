package ldap

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The attributes in which servers say that an account may not log in. They are
// asked for by name, as most of them are operational.
const (
	attrControl         = "userAccountControl"                 // Active Directory
	attrControlComputed = "msDS-User-Account-Control-Computed" // the same, with what changes by itself
	attrLockoutTime     = "lockoutTime"
	attrAccountExpires  = "accountExpires"
	attrPwdLastSet      = "pwdLastSet"
	attrLockedTime      = "pwdAccountLockedTime" // ppolicy
	attrAccountLock     = "nsAccountLock"        // 389 Directory Server, FreeIPA
)

func statusAttributes() []string {
	return []string{
		attrControl, attrControlComputed, attrLockoutTime, attrAccountExpires, attrPwdLastSet,
		attrLockedTime, attrAccountLock,
	}
}

// Bits of userAccountControl ([MS-ADTS] §2.2.16).
const (
	uacDisabled        = 0x2
	uacLockout         = 0x10
	uacNeverExpires    = 0x10000
	uacSmartcard       = 0x40000
	uacPasswordExpired = 0x800000
)

// status says why the user of e is turned off; "" = he is not. An attribute
// with a value that it cannot have is ErrAnswer: nobody is let in on a value
// that was not understood.
func (c *UserConfig) status(e *entry, now time.Time) (Reason, error) {
	for _, rule := range [...]func(*UserConfig, *entry, time.Time) (Reason, error){
		(*UserConfig).ownAttribute, (*UserConfig).accountLock, (*UserConfig).control,
		(*UserConfig).lockoutTime, (*UserConfig).accountExpires, (*UserConfig).pwdLastSet, (*UserConfig).lockedTime,
	} {
		if reason, err := rule(c, e, now); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// ownAttribute judges DisabledAttribute.
func (c *UserConfig) ownAttribute(e *entry, _ time.Time) (Reason, error) {
	if c.DisabledAttribute == "" {
		return "", nil
	}
	for _, v := range e.values(c.DisabledAttribute) {
		if c.disables(v) {
			return ReasonDisabled, nil
		}
	}
	return "", nil
}

func (c *UserConfig) disables(value string) bool {
	if len(c.DisabledValues) == 0 {
		switch strings.ToLower(value) {
		case "", "0", "no", "false":
			return false
		}
		return true
	}
	for _, v := range c.DisabledValues {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

func (c *UserConfig) accountLock(e *entry, _ time.Time) (Reason, error) {
	for _, v := range e.values(attrAccountLock) {
		if !strings.EqualFold(v, "false") {
			return ReasonDisabled, nil
		}
	}
	return "", nil
}

// control judges the bits of Active Directory. The computed ones know whether
// a lock has run out.
func (c *UserConfig) control(e *entry, _ time.Time) (Reason, error) {
	bits, _, err := integer(e, attrControl)
	if err != nil {
		return "", err
	}
	computed, _, err := integer(e, attrControlComputed)
	if err != nil {
		return "", err
	}
	switch {
	case bits&uacDisabled != 0:
		return ReasonDisabled, nil
	case (bits|computed)&uacLockout != 0:
		return ReasonLocked, nil
	case (bits|computed)&uacPasswordExpired != 0:
		return ReasonPasswordExpired, nil
	}
	return "", nil
}

// lockoutTime is when Active Directory locked the account; 0 = it is not. The
// computed bits decide where the server has them.
func (c *UserConfig) lockoutTime(e *entry, now time.Time) (Reason, error) {
	if len(e.values(attrControlComputed)) > 0 {
		return "", nil
	}
	ticks, ok, err := integer(e, attrLockoutTime)
	if err != nil || !ok || ticks == 0 {
		return "", err
	}
	return c.locked(filetime(ticks), now), nil
}

// locked judges a lock that began at since.
func (c *UserConfig) locked(since, now time.Time) Reason {
	if c.LockoutDuration >= 0 && now.Sub(since) >= c.LockoutDuration {
		return ""
	}
	return ReasonLocked
}

// accountExpires is when the account ends; 0 and the largest value are never.
func (c *UserConfig) accountExpires(e *entry, now time.Time) (Reason, error) {
	const never = 1<<63 - 1
	ticks, ok, err := integer(e, attrAccountExpires)
	if err != nil || !ok || ticks == 0 || ticks == never || now.Before(filetime(ticks)) {
		return "", err
	}
	return ReasonExpired, nil
}

// pwdLastSet is 0 where the user has to choose a password first, which mail
// has no way to do.
func (c *UserConfig) pwdLastSet(e *entry, _ time.Time) (Reason, error) {
	ticks, ok, err := integer(e, attrPwdLastSet)
	if err != nil || !ok || ticks != 0 {
		return "", err
	}
	bits, _, err := integer(e, attrControl)
	if err != nil || bits&(uacNeverExpires|uacSmartcard) != 0 {
		return "", err
	}
	return ReasonMustChange, nil
}

// lockedForever is the value of pwdAccountLockedTime that only an
// administrator takes away.
const lockedForever = "000001010000Z"

// lockedTime is when a password policy locked the account.
func (c *UserConfig) lockedTime(e *entry, now time.Time) (Reason, error) {
	for _, v := range e.values(attrLockedTime) {
		if v == lockedForever {
			return ReasonLocked, nil
		}
		since, err := time.Parse("20060102150405Z0700", v)
		if err != nil {
			return "", fmt.Errorf("%w: %s is no time", ErrAnswer, attrLockedTime)
		}
		if reason := c.locked(since, now); reason != "" {
			return reason, nil
		}
	}
	return "", nil
}

// integer is the value of an attribute with one number; ok: it has one.
func integer(e *entry, attribute string) (n int64, ok bool, err error) {
	text, err := e.value(attribute)
	if err != nil || text == "" {
		return 0, false, err
	}
	n, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%w: %s is no number", ErrAnswer, attribute)
	}
	return n, true, nil
}

// filetime is a time in units of 100 ns since 1601, UTC.
func filetime(ticks int64) time.Time {
	const toUnix = 11644473600 // seconds from 1601 to 1970
	const perSecond = 10_000_000
	return time.Unix(ticks/perSecond-toUnix, ticks%perSecond*100)
}
