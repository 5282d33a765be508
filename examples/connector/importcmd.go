package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/examples/connector/internal/foreign"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/examples/internal/program"
)

// importCmd is import-config.
type importCmd struct {
	From    string   `arg:"" enum:"fetchmailrc,getmailrc,csv" help:"What it is: fetchmailrc, getmailrc or csv."`
	Files   []string `arg:"" help:"The files; - is the standard input."`
	Output  string   `short:"o" default:"-" placeholder:"FILE" help:"Where the configuration goes, with mode 0600; - is the standard output."`
	Secrets string   `placeholder:"DIR" help:"Write each password into a file of its own there; else they stand in the configuration."`
	Domain  string   `placeholder:"NAME" help:"Domain of local names that are no addresses."`
	Netrc   string   `placeholder:"FILE" help:"Where passwords are looked up that the files do not have."`
	Force   bool     `help:"Write over a configuration that is there."`
}

// maxImport bounds a file that is imported.
const maxImport = 64 << 20

// Run implements the command.
func (c *importCmd) Run(a *app) error {
	o := foreign.Options{Domain: c.Domain}
	if c.Netrc != "" {
		text, err := a.readFile(c.Netrc)
		if err != nil {
			return bad("--netrc: %w", err)
		}
		o.Netrc = foreign.ParseNetrc(text)
	}
	im := foreign.NewImporter(o)
	read := map[string]func(file, text string) error{"fetchmailrc": im.Fetchmail, "getmailrc": im.Getmail, "csv": im.CSV}[c.From]
	for _, file := range c.Files {
		text, err := a.readFile(file)
		if err != nil {
			return bad("%w", err)
		}
		if err := read(file, text); err != nil {
			return err
		}
	}
	r := im.Result()
	if c.Secrets != "" {
		if err := writeSecrets(c.Secrets, r.Settings); err != nil {
			return err
		}
	}
	doc, err := r.Settings.Encode()
	if err != nil {
		return err
	}
	doc = append(importComment(r), doc...)
	if err := c.write(a, doc); err != nil {
		return err
	}
	return a.reportImport(c.Output, doc, r)
}

// importComment stands on top of the configuration.
func importComment(r *foreign.Result) []byte {
	if len(r.Notices) == 0 {
		return nil
	}
	b := []byte("# What was not carried over, or not as it was:\n")
	for _, n := range r.Notices {
		b = append(b, "#   "+n.String()+"\n"...)
	}
	return append(b, '\n')
}

func (a *app) readFile(file string) (string, error) {
	var r io.Reader = a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxImport+1))
	if len(b) > maxImport {
		return "", fmt.Errorf("%s: it is too large", file)
	}
	return string(b), err
}

// write writes the configuration.
func (c *importCmd) write(a *app, doc []byte) error {
	if c.Output == "-" {
		_, err := a.out.Write(doc)
		return err
	}
	if _, err := os.Stat(c.Output); err == nil && !c.Force {
		return bad("--output: %s is there already; --force writes over it", c.Output)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bad("--output: %w", err)
	}
	return program.WriteFile(c.Output, doc)
}

// reportImport says what was not carried over, and what is still missing.
func (a *app) reportImport(output string, doc []byte, r *foreign.Result) error {
	for _, n := range r.Notices {
		fmt.Fprintln(a.err, "connector: warning:", n)
	}
	name := output
	if name == "-" {
		name = "connector.toml"
	}
	_, err := settings.Parse(name, bytes.Clone(doc))
	if faults, ok := errors.AsType[settings.Faults](err); ok {
		for _, f := range faults {
			fmt.Fprintln(a.err, "connector: to be completed:", f)
		}
	}
	fmt.Fprintf(a.err, "connector: %d sources, %d warnings\n", len(r.Settings.Sources), len(r.Notices))
	return nil
}

// writeSecrets moves passwords into files.
func writeSecrets(dir string, s *settings.Settings) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	move := func(name string, secret *settings.Secret) error {
		text := string(*secret)
		if text == "" || strings.HasPrefix(text, "@") && !strings.HasPrefix(text, "@@") {
			return nil
		}
		text, err := secret.Reveal("", os.Getenv)
		if err != nil {
			return fmt.Errorf("the password of %s: %w", name, err)
		}
		if strings.ContainsAny(text, "\r\n") {
			return fmt.Errorf("the password of %s has a line end in it", name)
		}
		file := filepath.Join(dir, name+".password")
		if err := program.WriteFile(file, []byte(text+"\n")); err != nil {
			return err
		}
		*secret = settings.Secret("@" + file)
		return nil
	}
	for _, src := range s.Sources {
		if err := move(strings.TrimLeft(src.Name, "."), &src.Password); err != nil {
			return err
		}
	}
	for name, t := range s.Targets {
		if err := move("target-"+name, &t.Password); err != nil {
			return err
		}
	}
	return nil
}
