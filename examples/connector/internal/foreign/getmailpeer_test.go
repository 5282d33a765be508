package foreign

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// getmailAnswer is what getmail makes of a file.
type getmailAnswer struct {
	Refused   string
	Sections  map[string]map[string]string // nil = it cannot be read at all
	Options   map[string]any
	Retriever struct {
		Type, With, Field string
		Index             int
		Conf              map[string]any
	}
	Destination getmailDestination
	Filters     int
}

type getmailDestination struct {
	Type    string
	Conf    map[string]any
	Default *getmailDestination
	All     []getmailDestination
	Targets []struct {
		Pattern string
		To      getmailDestination
	}
}

// askGetmail has getmail itself read the files, with testdata/netrc as .netrc.
// Where it is not installed the test is skipped, or fails if peers are required.
func askGetmail(t *testing.T, texts []string) []getmailAnswer {
	t.Helper()
	if os.Getenv("MAILSTEAD_PEERS") == "none" {
		t.Skip("MAILSTEAD_PEERS=none")
	}
	program, err := exec.LookPath("getmail")
	if err != nil {
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatal("getmail is not installed, and MAILSTEAD_PEERS=required")
		}
		t.Skip("getmail is not installed")
	}
	source, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(source), "\n")
	python, isScript := strings.CutPrefix(first, "#!")
	if !isScript {
		t.Fatalf("%s is no script: %.40q", program, first)
	}
	dir := t.TempDir()
	netrc, err := os.ReadFile("testdata/netrc")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ".netrc"), netrc, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	args := append(strings.Fields(python), filepath.Join("testdata", "getmail.py"), program, dir)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "PYTHONWARNINGS=ignore", "PYTHONPATH=")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var answers []getmailAnswer
	if err := json.Unmarshal(output, &answers); err != nil || len(answers) != len(texts) {
		t.Fatalf("%d answers to %d files: %v", len(answers), len(texts), err)
	}
	return answers
}
