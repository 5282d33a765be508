package login_test

import (
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/auth/login/logintest"
)

// editor is what every backend of the package is.
type editor interface {
	login.CredentialEditor
	login.AppPasswordEditor
}

func TestEditors(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) editor{
		"memory": func(*testing.T) editor { return &login.Memory{} },
		"file":   func(t *testing.T) editor { return &filelogin.File{Path: filepath.Join(t.TempDir(), "passwd")} },
	} {
		t.Run(name, func(t *testing.T) {
			logintest.Editor(t, func(t *testing.T) login.Editor { return open(t) })
			logintest.CredentialEditor(t, func(t *testing.T) login.CredentialEditor { return open(t) })
			logintest.AppPasswordEditor(t, func(t *testing.T) logintest.AppEditor { return open(t) })
		})
	}
}

func TestMemoryGuard(t *testing.T) {
	logintest.GuardStore(t, func(*testing.T) login.GuardStore { return &login.MemoryGuard{} })
}
