package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/examples/connector/internal/foreign"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// seenCmd is import-seen.
type seenCmd struct {
	From   string   `arg:"" enum:"fetchids,oldmail" help:"What it is: fetchids (fetchmail) or oldmail (getmail)."`
	Files  []string `arg:"" help:"The files. Those of getmail keep their names, which say what they are about."`
	Source string   `placeholder:"NAME" help:"The source, where the file does not say which one it is. It is about one mailbox then."`
	Folder string   `placeholder:"NAME" help:"The IMAP folder of a file of getmail, together with --source."`
}

// Run implements the command. It reads all files before it marks anything.
func (c *seenCmd) Run(a *app) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	if c.Folder != "" && (c.Source == "" || c.From != "oldmail") {
		return bad("--folder goes with oldmail and --source")
	}
	lists, err := c.read(a)
	if err != nil {
		return err
	}
	if c.Source != "" && len(lists) > 1 {
		return bad("%s:%d: %s is a second mailbox: --source goes with one", lists[1].File, lists[1].Line, lists[1].Account())
	}
	var taken []seenResult
	for _, list := range lists {
		t := seenResult{Account: list.Account(), File: list.File, list: list}
		if t.source, t.folder, err = c.sourceOf(s, list); err != nil {
			if c.Source != "" {
				return bad("--source: %w", err)
			}
			t.Error = err.Error()
		} else {
			t.Source = t.source.Name
		}
		taken = append(taken, t)
	}
	svc, err := a.open(s.Data)
	if err != nil {
		return err
	}
	for i := range taken {
		if t := &taken[i]; t.source != nil && err == nil {
			t.Marks, err = fetch.MarkElsewhere(a.ctx, svc.state, t.Source, t.marks())
		}
	}
	if err := errors.Join(err, svc.close()); err != nil {
		return err
	}
	return a.reportSeen(taken)
}

func (c *seenCmd) read(a *app) (lists []*foreign.Seen, err error) {
	for _, file := range c.Files {
		text, err := a.readFile(file)
		if err != nil {
			return nil, bad("%w", err)
		}
		var some []*foreign.Seen
		if c.From == "oldmail" {
			some = make([]*foreign.Seen, 1)
			some[0], err = foreign.Oldmail(file, text)
		} else {
			some, err = foreign.Fetchids(file, text)
		}
		if err != nil {
			return nil, err
		}
		lists = append(lists, some...)
	}
	return lists, nil
}

// seenResult is what became of one list.
type seenResult struct {
	Account string `json:"account"`
	File    string `json:"file"`
	Source  string `json:"source,omitempty"`
	fetch.Marks
	Error string `json:"error,omitempty"`

	list   *foreign.Seen
	source *settings.Source // nil = none
	folder string
}

// marks are the messages by the IDs that the source gives them.
func (t *seenResult) marks() []fetch.Elsewhere {
	var marks []fetch.Elsewhere
	for _, id := range t.list.IDs {
		m := fetch.Elsewhere{ID: id.ID, Loose: t.list.Oldmail != "", Fetched: id.At}
		if t.source.IsIMAP() {
			m.ID = imapsource.ID(id.Validity, id.ID, t.folder)
		}
		marks = append(marks, m)
	}
	return marks
}

// candidate is a source that a list may be of.
type candidate struct {
	src    *settings.Source
	folder string
}

// sourceOf finds the source of a list.
func (c *seenCmd) sourceOf(s *settings.Settings, list *foreign.Seen) (*settings.Source, string, error) {
	var found []candidate
	for _, src := range s.Sources {
		if c.Source != "" && src.Name != c.Source {
			continue
		}
		folder, ok := folderOf(src, list)
		if ok || c.Source != "" {
			found = append(found, candidate{src, folder})
		}
	}
	if len(found) > 1 { // a folder that is collected tells more than the beginning of a name
		known := slices.DeleteFunc(slices.Clone(found), func(f candidate) bool { return !slices.Contains(f.src.Folders, f.folder) })
		if len(known) == 1 {
			found = known
		}
	}
	switch {
	case len(found) == 0 && c.Source != "":
		return nil, "", fmt.Errorf("there is no source %s", c.Source)
	case len(found) == 0:
		return nil, "", errors.New("no source has this server and user: --source names one")
	case len(found) > 1:
		return nil, "", errors.New("more than one source may be meant: --source names one")
	}
	f := found[0]
	if c.Folder != "" {
		f.folder = c.Folder
	}
	if strings.EqualFold(f.folder, "INBOX") {
		f.folder = "INBOX"
	}
	return f.src, f.folder, fits(f, list)
}

// fits reports why a list cannot be one of a source.
func fits(f candidate, list *foreign.Seen) error {
	imap := f.src.IsIMAP()
	switch {
	case f.src.NoIDs:
		return fmt.Errorf("%s does not believe the unique-ids of its server (no-unique-ids)", f.src.Name)
	case imap && list.Oldmail == "":
		return fmt.Errorf("%s is IMAP, of which fetchmail keeps no list", f.src.Name)
	case imap && f.folder == "":
		return fmt.Errorf("%s is IMAP: --folder says of which folder %s is", f.src.Name, list.File)
	case slices.ContainsFunc(list.IDs, func(id foreign.SeenID) bool { return (id.Validity != "") != imap }):
		return fmt.Errorf("%s has ids of another protocol than that of %s", list.File, f.src.Name)
	}
	return nil
}

// folderOf reports whether a list is one of a source by its name, and of which
// folder.
func folderOf(src *settings.Source, list *foreign.Seen) (folder string, ok bool) {
	if list.Oldmail == "" {
		byHost := strings.EqualFold(src.User, list.User) && strings.EqualFold(src.Host, list.Host)
		return "", !src.IsIMAP() && (byHost || strings.EqualFold(src.Name, list.Account()))
	}
	rest, ok := strings.CutPrefix(list.Oldmail, foreign.OldmailName(src.Host, src.Port, src.User))
	if !src.IsIMAP() {
		return "", ok && rest == ""
	}
	folder, isFolder := strings.CutPrefix(rest, "-")
	if !ok || !isFolder {
		folder = ""
	}
	return folder, folder != ""
}

// reportSeen says what was taken over, and what was not.
func (a *app) reportSeen(all []seenResult) error {
	failed := false
	for i := range all {
		t := &all[i]
		failed = failed || t.Error != ""
		switch {
		case a.json:
			if err := a.result(t); err != nil {
				return err
			}
		case t.Error != "":
			fmt.Fprintf(a.err, "connector: %s:%d: %s: %d ids are left out: %s\n", t.File, t.list.Line, t.Account, len(t.list.IDs), t.Error)
		default:
			fmt.Fprintf(a.out, "%s: %d ids of %s taken over, %d known before\n", t.Source, t.Marked, t.Account, t.Known)
		}
	}
	if failed {
		return errProblems
	}
	return nil
}
