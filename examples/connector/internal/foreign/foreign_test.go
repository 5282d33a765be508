package foreign

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files of testdata")

// importFile reads a file of testdata by its kind.
func importFile(im *Importer, file, text string) error {
	switch filepath.Ext(file) {
	case ".fetchmailrc":
		return im.Fetchmail(file, text)
	case ".getmailrc":
		return im.Getmail(file, text)
	}
	return im.CSV(file, text)
}

// TestFiles compares what becomes of each file of testdata, with all notices,
// with the file of the same name and ".toml".
func TestFiles(t *testing.T) {
	netrc, err := os.ReadFile("testdata/netrc")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.fetchmailrc", "*.getmailrc", "*.csv"} {
		files, err := filepath.Glob("testdata/" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				options := Options{Domain: "local.example", Netrc: ParseNetrc(string(netrc))}
				if strings.HasPrefix(filepath.Base(file), "single") {
					options = Options{}
				}
				im := NewImporter(options)
				if err := importFile(im, filepath.Base(file), string(text)); err != nil {
					t.Fatal(err)
				}
				compare(t, file+".toml", im.Result())
			})
		}
	}
}

func compare(t *testing.T, file string, r *Result) {
	t.Helper()
	doc, err := r.Settings.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := string(doc)
	for _, n := range r.Notices {
		got += "# " + n.String() + "\n"
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// readSeeds are the files of testdata for a fuzz target.
func readSeeds(f *testing.F, pattern string) (texts []string) {
	f.Helper()
	files, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}
