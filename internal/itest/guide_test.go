package itest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented is a command line as a document has it.
type documented struct {
	where   string
	program string
	words   []string
}

var (
	inlineCode  = regexp.MustCompile("`([^`\n]+)`")
	commandLine = regexp.MustCompile(`(?:^|[ |])(?:go run \./examples/|/usr/local/bin/)?(mailctl|mailserver|connector|oauthlogin|authcheck|relay|webhook|hello|collector|lmtpsink|sendqueue)( +[^|]*)?$`)
	flagName    = regexp.MustCompile(`^--?[a-z][a-z0-9-]*`)
	usagePath   = regexp.MustCompile(`(?m)^Usage: \S+((?: [a-z][a-z-]*)*)`)
)

// commandsOf returns what a document would have its reader type.
func commandsOf(t *testing.T, path string) (out []documented) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(code string, inline bool) {
		code, _, _ = strings.Cut(code, " # ")
		code, _, _ = strings.Cut(code, "  #")
		m := commandLine.FindStringSubmatch(strings.TrimSpace(code))
		if m == nil || inline && strings.TrimSpace(m[2]) == "" {
			return
		}
		out = append(out, documented{filepath.Base(path) + ": " + strings.TrimSpace(code), m[1], strings.Fields(m[2])})
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		if strings.HasPrefix(line, "    ") {
			add(line, false)
			continue
		}
		if unit, ok := strings.CutPrefix(line, "ExecStart="); ok {
			add(unit, true)
		}
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			if filepath.Base(path) == "queue.md" && strings.HasPrefix(m[1], "queue ") {
				m[1] = "mailctl " + m[1]
			}
			add(m[1], true)
		}
	}
	return out
}

// TestGuideCommands: each program, command and flag that README.md and the guides
// have a reader type is known to the program.
func TestGuideCommands(t *testing.T) {
	needServer(t)
	root := filepath.Join("..", "..")
	documents, err := filepath.Glob(filepath.Join(root, "docs", "guide", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	help, seen := helps{dir: built.dir, texts: map[string]string{}}, 0
	for _, doc := range append(documents, filepath.Join(root, "README.md")) {
		for _, c := range commandsOf(t, doc) {
			seen++
			help.check(t, c)
		}
	}
	if seen < 50 {
		t.Errorf("%d command lines were found; the guides have more", seen)
	}
	for _, m := range inlineCode.FindAllStringSubmatch(readFile(t, filepath.Join(root, "docs", "guide", "mailserver.md")), -1) {
		if strings.HasPrefix(m[1], "-") && !strings.HasPrefix(m[1], "--") { // the latter are mailctl's
			help.check(t, documented{"mailserver.md: " + m[1], "mailserver", strings.Fields(m[1])})
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// helps are what programs say of themselves.
type helps struct {
	dir   string
	texts map[string]string // by program and command
}

// of returns the help on a command, of a program that is built for the first.
func (h helps) of(t *testing.T, program string, words ...string) string {
	t.Helper()
	key := strings.Join(append([]string{program}, words...), " ")
	if text, ok := h.texts[key]; ok {
		return text
	}
	path := filepath.Join(h.dir, program)
	if _, err := os.Stat(path); err != nil {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+program)
		build.Dir = filepath.Join("..", "..", "examples")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("examples/%s cannot be built: %v\n%s", program, err, out)
		}
	}
	// The programs on package flag end with status 2 or 0.
	cmd := exec.CommandContext(t.Context(), path, append(words, "-h")...)
	cmd.Dir = h.dir
	out, _ := cmd.CombinedOutput()
	h.texts[key] = string(out)
	return h.texts[key]
}

// check holds a command line against the help.
func (h helps) check(t *testing.T, c documented) {
	t.Helper()
	if c.program == "hello" || c.program == "sendqueue" {
		h.of(t, "authcheck") // they take nothing, and would run
		if len(c.words) > 0 {
			t.Errorf("%s: the program takes no arguments", c.where)
		}
		return
	}
	text := h.of(t, c.program)
	if path := usagePath.FindStringSubmatch(text); path != nil && strings.Contains(text, "<command>") {
		if text = h.command(t, c); text == "" {
			return
		}
	}
	for _, w := range c.words {
		flag := flagName.FindString(w)
		if flag == "" || flag == "-h" {
			continue
		}
		if !regexp.MustCompile(`(?m)(^|[\s,\[])` + flag + `($|[^a-z0-9-])`).MatchString(text) {
			t.Errorf("%s: %s does not know %s", c.where, c.program, flag)
		}
	}
}

// command returns the help on the command that is named, of a program that has
// several; "" where there is no such command.
func (h helps) command(t *testing.T, c documented) string {
	t.Helper()
	var names []string
	for i, w := range c.words {
		value := i > 0 && strings.HasPrefix(c.words[i-1], "--") && len(names) == 0
		switch word := regexp.MustCompile(`^[a-z][a-z-]*$`); {
		case strings.HasPrefix(w, "-") || value:
			continue
		case word.MatchString(w):
			names = append(names, w)
			continue
		}
		break
	}
	text := h.of(t, c.program, names...)
	found := strings.Fields(usagePath.FindStringSubmatch(text + "\nUsage: ?")[1])
	if len(found) == 0 && len(names) > 0 || !slices.Equal(found, names[:min(len(found), len(names))]) {
		t.Errorf("%s: %s has no command %q", c.where, c.program, names)
		return ""
	}
	if usage, _, _ := strings.Cut(text, "\n"); strings.Contains(usage, "<command>") && len(names) > len(found) {
		t.Errorf("%s: %s %s has no command %q", c.where, c.program, strings.Join(found, " "), names[len(found)])
		return ""
	}
	return text
}
