package ldap

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// Users is a login.Backend over a directory: it finds the entry of a user, and
// its Records check passwords by a bind to that entry.
type Users struct{ c *Client }

var _ login.Backend = (*Users)(nil)

// userAttributes are what a Record is made of.
func (c *Config) userAttributes(f *filter) []string {
	return attributesOf(f.holds.attributes(), statusAttributes(),
		[]string{c.AccountAttribute, c.Users.SecretAttribute, c.Users.DisabledAttribute})
}

// Lookup implements login.Backend. Every error but login.ErrNoUser is an
// *Error. A user with several entries is a disabled one.
func (u *Users) Lookup(ctx context.Context, username string) (login.Record, error) {
	start := time.Now()
	rec, err := u.lookup(ctx, username)
	if check := rec.Check; check != nil && u.c.conf.Users.Decoy != "" {
		rec.Check = func(ctx context.Context, a login.Attempt) error { return evenly(ctx, start, check(ctx, a)) }
	}
	return rec, err
}

// evenStep is what the time of a refusal is a multiple of.
const evenStep = 20 * time.Millisecond

// evenly delays a refusal to the next multiple of evenStep since start: a
// search that finds an entry takes longer than one that does not.
func evenly(ctx context.Context, start time.Time, err error) error {
	if !errors.Is(err, login.ErrRejected) {
		return err
	}
	wait := time.NewTimer(evenStep - time.Since(start)%evenStep)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return err
}

func (u *Users) lookup(ctx context.Context, username string) (login.Record, error) {
	conf := u.c.conf
	e, err := u.c.find(ctx, &conf.users, username, conf.Users.DefaultDomain)
	switch {
	case errors.Is(err, errNobody):
		return u.unknown()
	case errors.Is(err, ErrAmbiguous):
		u.refused(ctx, slog.LevelError, username, &Refusal{Reason: ReasonAmbiguous}, slog.Any("error", err))
		return u.disabled("", nil), nil
	case err != nil:
		return login.Record{}, err
	}
	account, err := u.c.account(e)
	if errors.Is(err, errNoAccount) {
		return u.unknown()
	}
	if err != nil {
		return login.Record{}, err
	}
	secrets := secretsOf(e.values(conf.Users.SecretAttribute))
	reason, err := conf.Users.status(e, time.Now())
	if err != nil {
		return login.Record{}, temporary("status", err)
	}
	if reason != "" {
		u.refused(ctx, slog.LevelInfo, username, &Refusal{Reason: reason})
		return u.disabled(string(account), secrets), nil
	}
	return login.Record{Account: string(account), Secrets: secrets, Check: u.check(e.dn)}, nil
}

// check returns the Record's Check for an entry.
func (u *Users) check(dn string) func(context.Context, login.Attempt) error {
	return func(ctx context.Context, a login.Attempt) error {
		err := u.c.checkPassword(ctx, dn, a.Password)
		if errors.Is(err, login.ErrRejected) {
			u.refused(ctx, slog.LevelInfo, a.Username, err)
		}
		return err
	}
}

// unknown is the answer for a user who is not in the directory.
func (u *Users) unknown() (login.Record, error) {
	if u.c.conf.Users.Decoy == "" {
		return login.Record{}, login.ErrNoUser
	}
	return u.disabled("", nil), nil
}

// disabled is the Record of a user whom no password lets in. It has his
// secrets where Disabled refuses them, so that SCRAM shows nothing of it.
func (u *Users) disabled(account string, secrets []string) login.Record {
	if u.c.conf.Users.Decoy == "" {
		return login.Record{Account: account, Secrets: secrets, Disabled: true}
	}
	return login.Record{Account: account, Check: func(ctx context.Context, a login.Attempt) error {
		err := u.c.checkPassword(ctx, u.c.conf.Users.Decoy, a.Password)
		if err != nil && !errors.Is(err, login.ErrRejected) {
			return err
		}
		return login.ErrRejected
	}}
}

// refused logs why a user is not let in.
func (u *Users) refused(ctx context.Context, level slog.Level, username string, why error, more ...slog.Attr) {
	attrs := append([]slog.Attr{slog.String("user", username), slog.Any("reason", why)}, more...)
	u.c.conf.Logger.LogAttrs(ctx, level, "ldap refuses a user", attrs...)
}

// maxSecrets is how many verifiers of an entry are looked at.
const maxSecrets = 8

// secretsOf are the SCRAM verifiers among the values of SecretAttribute. What
// else may stand there (a hash of another scheme) is not used: the directory
// judges passwords.
func secretsOf(values []string) (list []string) {
	for _, v := range values {
		switch scheme, rest, rfc5803 := strings.Cut(v, "$"); {
		case len(list) == maxSecrets:
			return list
		case len(v) > 7 && strings.EqualFold(v[:7], "{SCRAM-"):
			list = append(list, v)
		case rfc5803 && strings.HasPrefix(strings.ToUpper(scheme), "SCRAM-"):
			if secret, ok := fromRFC5803(strings.ToUpper(strings.TrimSpace(scheme)), rest); ok {
				list = append(list, secret)
			}
		}
	}
	return list
}

// fromRFC5803 rewrites SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER (RFC 5803
// §2; spaces may stand around the dollar signs).
func fromRFC5803(scheme, rest string) (secret string, ok bool) {
	info, keys, ok1 := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(strings.TrimSpace(info), ":")
	stored, server, ok3 := strings.Cut(strings.TrimSpace(keys), ":")
	return "{" + scheme + "}" + iterations + "," + salt + "," + stored + "," + server, ok1 && ok2 && ok3
}
