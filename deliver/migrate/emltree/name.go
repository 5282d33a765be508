package emltree

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// maxName is the longest name of a file that is written.
const maxName = 240

const (
	extension = ".eml"
	dateForm  = "20060102T150405Z"
)

// ownName is what names that this package writes look like: date, number, random
// characters, flags.
var ownName = regexp.MustCompile(`^(\d{8}T\d{6}Z)-\d{6,}-[a-z0-9]{8}(\+[^+/]*)?$`)

// separators are escaped in keywords, beyond what a path does not take.
var separators = strings.NewReplacer(",", "%2C", "+", "%2B")

var flagNames = [...]struct {
	name string
	flag store.Flags
}{{"seen", store.Seen}, {"answered", store.Answered}, {"flagged", store.Flagged}, {"deleted", store.Deleted}, {"draft", store.Draft}}

// newID is the first part of a name, which stays.
func newID(received time.Time, n int) string {
	return fmt.Sprintf("%s-%06d-%s", received.UTC().Format(dateForm), n, strings.ToLower(rand.Text()[:8]))
}

// fileName is the name of a message, and the keywords that it has no room for.
func fileName(id string, flags store.Flags, keywords []string) (name string, dropped []string) {
	mark := "+"
	for _, f := range flagNames {
		if flags&f.flag != 0 {
			id += mark + f.name
			mark = ","
		}
	}
	for _, k := range keywords {
		word := mark + "~" + separators.Replace(url.PathEscape(k))
		if len(id)+len(word)+len(extension) > maxName {
			dropped = append(dropped, k)
			continue
		}
		id += word
		mark = ","
	}
	return id + extension, dropped
}

// parsed is what a file's name tells.
type parsed struct {
	id       string // "" = it is no message
	received time.Time
	flags    store.Flags
	keywords []string
}

func parseName(name string) (p parsed) {
	if len(name) <= len(extension) || name[0] == '.' || !strings.EqualFold(name[len(name)-len(extension):], extension) {
		return p
	}
	p.id = name[:len(name)-len(extension)]
	own := ownName.FindStringSubmatch(p.id)
	if own == nil {
		p.id = name
		return p
	}
	p.received, _ = time.Parse(dateForm, own[1])
	p.id = strings.TrimSuffix(p.id, own[2])
	for word := range strings.SplitSeq(strings.TrimPrefix(own[2], "+"), ",") {
		if k, ok := strings.CutPrefix(word, "~"); ok {
			if k, err := url.PathUnescape(k); err == nil {
				p.keywords = append(p.keywords, k)
			}
			continue
		}
		for _, f := range flagNames {
			if f.name == word {
				p.flags |= f.flag
			}
		}
	}
	return p
}
