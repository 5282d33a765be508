package format

import (
	"regexp"
	"strings"
)

// The places of objects.
const (
	ManifestsAt = "manifests/"
	RunsAt      = "runs/" // backups on their way
	LogsAt      = "logs/"
	PacksAt     = "packs/"
	Suffix      = ".json"
)

// idForm: a number, and when the backup began.
var idForm = regexp.MustCompile(`^[0-9]{8}-[0-9]{8}t[0-9]{6}z$`)

// IDOf is the id in the name of a manifest or of a run; "" = none.
func IDOf(name string) string {
	_, id, _ := strings.Cut(strings.TrimSuffix(name, Suffix), "/")
	if !strings.HasSuffix(name, Suffix) || !idForm.MatchString(id) {
		return ""
	}
	return id
}

// ManifestName is the name of the manifest of a backup.
func ManifestName(id string) string { return ManifestsAt + id + Suffix }
