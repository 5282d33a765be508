package dnsbl

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// Test asks each list for what every list has and for what none may have (RFC
// 5782 §5): whether it is a list, works, and answers us. It is for the start of
// a program, and now and then. The error joins one for each list at fault;
// errors.Is finds ErrNoTestEntry, ErrEverything, ErrRefused, ErrCode, and those
// of dnsx where nobody knows now.
//
// Of a list of both families IPv4 is enough, as many have no test entry for IPv6.
func (c *Checker) Test(ctx context.Context) error {
	errs := make([]error, len(c.Lists))
	c.run(ctx, func(ctx context.Context, r dnsx.Resolver, i int) {
		l := &c.Lists[i]
		if err := l.test(ctx, r); err != nil {
			errs[i] = fmt.Errorf("%s: %w", l.Zone, err)
		}
	})
	return errors.Join(errs...)
}

// test asks one list.
func (l *List) test(ctx context.Context, r dnsx.Resolver) error {
	if l.Family != IPv4 {
		err := never(ctx, r, l, false)
		if err == nil && l.Family == IPv6 {
			err = l.always(ctx, r, false)
		}
		if err != nil {
			return err
		}
	}
	if l.Family == IPv6 {
		return nil
	}
	if err := never(ctx, r, l, true); err != nil {
		return err
	}
	return l.always(ctx, r, true)
}

// always asks for what every list has. Which of the codes it has is the list's.
func (l *List) always(ctx context.Context, r dnsx.Resolver, v4 bool) error {
	answer, err := r.Lookup(ctx, queryName(testPoint(v4, 2), l.Zone), dnsx.A)
	switch {
	case err == nil:
		all := List{Zone: l.Zone}
		_, err = all.judge(answer.Addrs)
		return err
	case dnsx.NotFound(err):
		return fmt.Errorf("%w: %w", ErrNoTestEntry, err)
	}
	return err
}
