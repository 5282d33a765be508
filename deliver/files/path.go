package files

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/macro"
	"github.com/mailstead/mailstead/smtp"
)

// ErrTemplate: the text is no template of a path.
var ErrTemplate = macro.ErrTemplate

// errName: an address has no place in the file system.
var errName = errors.New("files: not a name of a file")

// Template makes a function for Target.Path of a whole path with macros, such as
// "/var/mail/$user" or "/srv/mail/$domain/$user/Maildir/":
//
//	$user       the local-part up to separator, in lower case
//	$mailbox    the whole local-part, in lower case
//	$extension  what follows the separator
//	$domain     the domain, canonical
//	$$          a dollar sign
//
// separator is that of deliver.Accounts, "" = "+", "none" = none. An address is
// refused with 5.1.3 where one of its macros is empty, begins with a dot, or holds
// a slash or a control character. Whether it is anybody's the Directory says.
func Template(pattern, separator string) (func(smtp.ForwardPath) (string, error), error) {
	known := func(name string) bool {
		return name == "user" || name == "mailbox" || name == "extension" || name == "domain"
	}
	t, err := macro.Parse(pattern, known)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(pattern, "/") || strings.Contains(pattern, "/../") {
		return nil, fmt.Errorf("%w: %q is no whole path", ErrTemplate, pattern)
	}
	if separator == "" {
		separator = "+"
	}
	return func(p smtp.ForwardPath) (string, error) {
		var bad error
		path := t.Expand(func(name string) string {
			value := part(p, name, separator)
			if !isName(value) {
				bad = &smtp.Error{
					Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "This address has no mailbox here"),
					Err:   fmt.Errorf("%w: $%s is %q", errName, name, value),
				}
			}
			return value
		})
		return path, bad
	}, nil
}

func part(p smtp.ForwardPath, name, separator string) string {
	local, domain := deliver.CanonicalAddress(p.Path), deliver.CanonicalDomain(p.Domain)
	local = strings.TrimSuffix(local, "@"+domain)
	user, extension, ok := strings.Cut(local, separator)
	if !ok || user == "" || separator == "none" {
		user, extension = local, ""
	}
	switch name {
	case "user":
		return user
	case "extension":
		return extension
	case "domain":
		return domain
	}
	return local
}

// besides refuses what store/mbox keeps beside the mbox file of somebody else: his
// next delivery would take the mail away, or wait for it as for a lock. Beside a
// Maildir, whose path ends in "/", nothing is kept.
func besides(path string) error {
	for _, ending := range [...]string{".lock", ".intent"} {
		if strings.HasSuffix(strings.ToLower(path), ending) {
			return &smtp.Error{
				Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "This address has no mailbox here"),
				Err:   fmt.Errorf("%w: an mbox file cannot end in %s", errName, ending),
			}
		}
	}
	return nil
}

// isName reports a name that stays where it is put.
func isName(s string) bool {
	return s != "" && len(s) <= 255 && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '/' || r == '\\'
	})
}
