// Command oauthlogin gets the first refresh token for a mailbox at Microsoft
// 365, Gmail or another provider, and keeps it in a file that a smart host or a
// collector goes on with. It prints a code or a page to open in a browser, and
// waits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/oauthclient"
)

const usage = `usage: oauthlogin -provider microsoft|google|other -client-id ID -token FILE [flags]

A person logs in once; the refresh token goes into FILE (mode 0600). Each flag
may come from the environment as MAILSTEAD_<FLAG>; a value @FILE reads the file.
With -check nobody logs in: the token in FILE is tried.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	provider, tenant, id, secret, file, scopes string
	tokenURL, deviceURL, authURL               string
	browser, check                             bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var r oauthclient.Registration
	if err == nil {
		r, err = o.registration()
	}
	if err != nil {
		fmt.Fprintln(stderr, "oauthlogin:", err)
		return 2
	}
	if err := o.do(ctx, r, stdout); err != nil {
		fmt.Fprintln(stderr, "oauthlogin:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("oauthlogin", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	f.StringVar(&o.provider, "provider", "microsoft", "microsoft, google, or other (with the URLs)")
	f.StringVar(&o.tenant, "tenant", "organizations", "directory of the mailbox at Microsoft: id or domain")
	f.StringVar(&o.id, "client-id", "", "client id from the provider's console")
	f.StringVar(&o.secret, "client-secret", "", "client secret, if there is one")
	f.StringVar(&o.file, "token", "", "file of the refresh token")
	f.StringVar(&o.scopes, "scopes", "", "scopes, separated by spaces (default: those for mail)")
	f.StringVar(&o.tokenURL, "token-url", "", "token endpoint, for -provider other")
	f.StringVar(&o.deviceURL, "device-url", "", "device authorization endpoint, for -provider other")
	f.StringVar(&o.authURL, "auth-url", "", "authorization endpoint, for -provider other")
	f.BoolVar(&o.browser, "browser", false, "use a browser on this machine instead of a code (Google: always)")
	f.BoolVar(&o.check, "check", false, "get an access token with the refresh token in the file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, complete(f)
}

// complete takes flags that are not given from the environment, and values that
// begin with "@" from a file.
func complete(f *flag.FlagSet) error {
	given := map[string]bool{}
	f.Visit(func(x *flag.Flag) { given[x.Name] = true })
	var faults []error
	f.VisitAll(func(x *flag.Flag) {
		value := x.Value.String()
		if env := os.Getenv("MAILSTEAD_" + strings.ToUpper(strings.ReplaceAll(x.Name, "-", "_"))); !given[x.Name] && env != "" {
			value = env
		}
		if path, ok := strings.CutPrefix(value, "@"); ok {
			text, err := os.ReadFile(path)
			if err != nil {
				faults = append(faults, fmt.Errorf("-%s: %w", x.Name, err))
				return
			}
			value = strings.TrimSpace(string(text))
		}
		if err := f.Set(x.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("-%s: not a valid value", x.Name)) // it may be a secret
		}
	})
	return errors.Join(faults...)
}

// registration puts together what is known about the provider.
func (o *options) registration() (oauthclient.Registration, error) {
	var r oauthclient.Registration
	switch o.provider {
	case "microsoft":
		r = oauthclient.Microsoft365(o.tenant)
	case "google":
		r = oauthclient.Google()
		o.browser = true
	case "other":
		r = oauthclient.Registration{TokenURL: o.tokenURL, DeviceURL: o.deviceURL, AuthURL: o.authURL}
	default:
		return r, fmt.Errorf("-provider: %q is not known", o.provider)
	}
	if o.id == "" || o.file == "" {
		return r, errors.New("-client-id and -token are needed")
	}
	if o.scopes != "" {
		r.Scopes = strings.Fields(o.scopes)
	}
	r.ClientID, r.ClientSecret = o.id, login.NewPassword(o.secret)
	return r, r.Validate()
}

func (o *options) do(ctx context.Context, r oauthclient.Registration, stdout io.Writer) error {
	store := &oauthclient.FileStore{Path: o.file}
	if o.check {
		t, err := (&oauthclient.Refresh{Registration: r, Store: store}).Fetch(ctx)
		if err == nil {
			fmt.Fprintf(stdout, "The token works; the access token ends %s.\n", t.Expires.Format(time.RFC3339))
		}
		return err
	}
	ask := askDevice
	if o.browser {
		ask = askBrowser
	}
	t, err := ask(ctx, r, stdout)
	if err != nil {
		return err
	}
	if t.Refresh.Reveal() == "" {
		return errors.New("the provider gave no refresh token; is a scope such as offline_access missing?")
	}
	if err := store.Save(ctx, t.Refresh); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The refresh token is in %s.\n", o.file)
	return nil
}

// askDevice lets a person confirm a code in a browser anywhere.
func askDevice(ctx context.Context, r oauthclient.Registration, stdout io.Writer) (oauthclient.Tokens, error) {
	d, err := r.StartDevice(ctx)
	if err != nil {
		return oauthclient.Tokens{}, err
	}
	fmt.Fprintf(stdout, "Open %s and enter the code %s before %s.\n", d.VerificationURI, d.UserCode, d.Expires.Format(time.Kitchen))
	return d.Wait(ctx)
}

// askBrowser lets a person log in with a browser on this machine.
func askBrowser(ctx context.Context, r oauthclient.Registration, stdout io.Writer) (oauthclient.Tokens, error) {
	b, err := r.StartBrowser()
	if err != nil {
		return oauthclient.Tokens{}, err
	}
	fmt.Fprintf(stdout, "Open this page in a browser on this machine:\n\n%s\n\n", b.URL)
	return b.Wait(ctx)
}
