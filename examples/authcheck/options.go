package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/examples/internal/program"
)

// options is what the command line and the environment say.
type options struct {
	resolver   dnsx.Resolver
	ip         netip.Addr
	helo, from program.Octets
	authservID string
	json       bool
	spfOnly    bool
	dmarc      dmarc.Mode
	now        func() time.Time // nil = the time that it is
	seal       *arc.Sealer      // nil = the verdicts alone
}

func parse(ctx context.Context, args []string, s stdio) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("authcheck", flag.ContinueOnError)
	f.SetOutput(s.err)
	f.Usage = func() { usage(f) }
	resolver := f.String("resolver", "", "DNS server `HOST:PORT` (default: those of the system)")
	ip := f.String("ip", "", "`address` of the client that sent the message (default: none; SPF is not judged)")
	f.Var(&o.helo, "helo", "`name` that the client said in HELO or EHLO")
	f.Var(&o.from, "from", "reverse-path (MAIL FROM) as an `address` without brackets; empty is the null one")
	f.StringVar(&o.authservID, "authserv-id", "", "`name` of who judges, in Authentication-Results (default: that of this host)")
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.spfOnly, "spf-only", false, "judge SPF, without a message")
	mode := f.String("dmarc", "9989", "`RFC` whose rules hold for DMARC: 9989 or 7489")
	seal := f.String("seal", "", "write the message with an ARC set by `DOMAIN:SELECTOR:KEYFILE` to standard output; the verdicts then go to standard error")
	now := f.String("now", "", "judge as at this `time` (RFC 3339)")
	if err := program.Parse(f, args, s.getenv); err != nil {
		return nil, err
	}
	var err error
	if o.resolver, err = program.Resolver(ctx, *resolver); err != nil {
		return nil, err
	}
	if *ip != "" || o.spfOnly {
		if o.ip, err = netip.ParseAddr(*ip); err != nil {
			return nil, fmt.Errorf("-ip: %q is not an address", *ip)
		}
	}
	switch *mode {
	case "9989":
	case "7489":
		o.dmarc = dmarc.RFC7489
	default:
		return nil, fmt.Errorf("-dmarc: %q is neither 9989 nor 7489", *mode)
	}
	if *now != "" {
		at, err := time.Parse(time.RFC3339, *now)
		if err != nil {
			return nil, fmt.Errorf("-now: %q is not a time as in RFC 3339", *now)
		}
		o.now = func() time.Time { return at }
	}
	if *seal != "" {
		if o.spfOnly {
			return nil, errors.New("-seal and -spf-only exclude each other")
		}
		key, err := program.DKIMKey(*seal)
		if err != nil {
			return nil, fmt.Errorf("-seal: %w", err)
		}
		o.seal = &arc.Sealer{Key: key, Now: o.now}
	}
	if o.authservID == "" {
		if o.authservID, err = os.Hostname(); err != nil {
			o.authservID = "localhost"
		}
	}
	return o, nil
}

func usage(f *flag.FlagSet) {
	fmt.Fprint(f.Output(), `authcheck judges a message as a receiver would.

  authcheck [flags] < MESSAGE

Each verdict is a line METHOD=RESULT with what it rests on; then comes the
header field Authentication-Results. The exit status is 0 whatever the verdict,
2 where the use is bad. Every flag is also read from the environment as
MAILSTEAD_<FLAG> (MAILSTEAD_AUTHSERV_ID); a value @FILE reads the file.

`)
	f.PrintDefaults()
}
