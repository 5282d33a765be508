package report

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Limits bound what a report may cost. 0 = the default, negative = none.
type Limits struct {
	MaxPackedBytes int64 // of gzip or zip: 4 MiB
	MaxBytes       int64 // of XML, unpacked: 32 MiB
	MaxRecords     int   // 50,000
}

// Why something is no report; tested with errors.Is.
var (
	// ErrFormat: it is neither XML nor packed XML, or no report is in it.
	ErrFormat = errors.New("report: not an aggregate report")
	// ErrTooLarge: it is beyond the Limits.
	ErrTooLarge = errors.New("report: too large")
	// ErrDTD: it declares a document type, which may hold entities.
	ErrDTD = errors.New("report: document type declaration")
)

// maxDepth bounds the nesting of elements, maxList the lists of a record.
const (
	maxDepth = 32
	maxList  = 100
)

// Parse reads a report: gzip, zip with one file of XML, or XML, told apart by
// what they start with. It reads no more than the Limits allow.
func Parse(r io.Reader, limits Limits) (*Report, error) {
	limits = limits.orDefault()
	br := bufio.NewReader(r)
	magic, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(&limited{r: br, left: limits.MaxPackedBytes})
		if err != nil {
			return nil, malformed(err)
		}
		return parseXML(z, limits)
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")):
		return parseZip(br, limits)
	}
	return parseXML(br, limits)
}

func (l Limits) orDefault() Limits {
	set := func(p *int64, value int64) {
		if *p == 0 {
			*p = value
		} else if *p < 0 {
			*p = 1<<63 - 1
		}
	}
	set(&l.MaxPackedBytes, 4<<20)
	set(&l.MaxBytes, 32<<20)
	records := int64(l.MaxRecords)
	set(&records, 50_000)
	l.MaxRecords = int(min(records, 1<<31-1))
	return l
}

// malformed is err as an ErrFormat, unless it is one of ours.
func malformed(err error) error {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrDTD) || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// limited fails with ErrTooLarge where an io.LimitedReader would end.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// Whether that is the end is for the next octet to say.
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrTooLarge
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// parseZip reads the one file of XML in an archive.
func parseZip(r io.Reader, limits Limits) (*Report, error) {
	packed, err := io.ReadAll(&limited{r: r, left: limits.MaxPackedBytes})
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are not used
		return nil, malformed(err)
	}
	var file *zip.File
	for _, f := range z.File {
		switch {
		case !strings.HasSuffix(strings.ToLower(f.Name), ".xml"):
		case file != nil:
			return nil, fmt.Errorf("%w: more than one file", ErrFormat)
		default:
			file = f
		}
	}
	if file == nil {
		return nil, fmt.Errorf("%w: no file of XML", ErrFormat)
	}
	f, err := file.Open()
	if err != nil {
		return nil, malformed(err)
	}
	defer f.Close()
	return parseXML(f, limits)
}

// parseXML reads the XML of a report.
func parseXML(r io.Reader, limits Limits) (*Report, error) {
	br := bufio.NewReader(&limited{r: r, left: limits.MaxBytes})
	d := xml.NewDecoder(br)
	d.Strict = false // unknown entities stay text
	d.CharsetReader = charset.Reader
	if mark, _ := br.Peek(2); string(mark) == "\xff\xfe" || string(mark) == "\xfe\xff" {
		// UTF-16, whatever the declaration says that it cannot say before it is read.
		utf8 := transform.NewReader(br, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder())
		d = xml.NewDecoder(utf8)
		d.Strict = false
		d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	}
	t := &tokens{d: d}
	rep, err := (&reader{d: xml.NewTokenDecoder(t), limits: limits}).feedback()
	if t.err != nil {
		err = t.err
	}
	if err != nil {
		return nil, malformed(err)
	}
	return rep, nil
}

// tokens refuses declarations and deep nesting.
type tokens struct {
	d     *xml.Decoder
	depth int
	err   error // for good
}

// Token implements xml.TokenReader.
func (t *tokens) Token() (xml.Token, error) {
	token, err := t.d.Token()
	switch token.(type) {
	case xml.Directive:
		err = ErrDTD
	case xml.StartElement:
		if t.depth++; t.depth > maxDepth {
			err = ErrTooLarge
		}
	case xml.EndElement:
		t.depth--
	}
	if err != nil {
		if !errors.Is(err, io.EOF) {
			t.err = err
		}
		return nil, err
	}
	return token, nil
}
