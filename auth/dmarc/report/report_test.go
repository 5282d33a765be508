package report

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

const sample = `<?xml version="1.0" encoding="UTF-8" ?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <org_name>Example &amp; Sons</org_name><email>dmarc@example.net</email><report_id>42@example.net</report_id>
    <date_range><begin>1700000000</begin><end> 1700086400 </end></date_range><error>none &bogus;</error><generator>G 1</generator>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain><adkim>r</adkim><aspf>s</aspf><p>reject</p><sp>none</sp><np>quarantine</np><testing>n</testing><discovery_method>treewalk</discovery_method><fo>1:d</fo>
  </policy_published>
  <extension><x:y xmlns:x="urn:x">z</x:y></extension>
  <record>
    <row><source_ip>::ffff:192.0.2.1</source_ip><count>3</count>
      <policy_evaluated><disposition>quarantine</disposition><dkim>fail</dkim><spf>pass</spf>
        <reason><type>local_policy</type><comment>arc=pass</comment></reason></policy_evaluated></row>
    <identifiers><envelope_from>b.example.com</envelope_from><header_from>example.com</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.com</domain><selector>s1</selector><result>fail</result><human_result>body hash
did not verify</human_result></dkim>
      <dkim><domain>example.org</domain><selector>s2</selector><result>pass</result></dkim>
      <spf><domain>b.example.com</domain><scope>mfrom</scope><result>pass</result></spf>
    </auth_results>
  </record>
  <record><row><source_ip>nowhere</source_ip><count>1</count></row></record>
  <record><row><source_ip>2001:db8::1</source_ip><count>0</count></row></record>
  <record><row><source_ip>2001:db8::1</source_ip><count>1</count></row></record>
</feedback>`

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func zipped(files ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, _ := w.Create(files[i])
		_, _ = f.Write([]byte(files[i+1]))
	}
	_ = w.Close()
	return b.Bytes()
}

func TestParse(t *testing.T) {
	want := ""
	for name, in := range map[string][]byte{
		"xml": []byte(sample), "gzip": gzipped(sample), "zip": zipped("a.XML", sample), "zip with more": zipped("readme.txt", "x", "r.xml", sample),
		"zip with a path": zipped("../../etc/r.xml", sample), "BOM": []byte("\xef\xbb\xbf" + sample), "gzip twice": append(gzipped(sample[:500]), gzipped(sample[500:])...),
	} {
		rep, err := Parse(bytes.NewReader(in), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprintf("%+v", *rep)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s: %s\nothers: %s", name, got, want)
		}
	}
	const essence = "{Version:1.0 OrgName:Example & Sons Email:dmarc@example.net Contact: ID:42@example.net Begin:2023-11-14 22:13:20 +0000 UTC End:2023-11-15 22:13:20 +0000 UTC " +
		"Errors:[none &bogus;] Generator:G 1 Policy:{Domain:example.com DKIM:r SPF:s Policy:reject Subdomain:none NonExistent:quarantine Percent: FailureOptions:1:d Testing:n Discovery:treewalk} " +
		"Records:[{SourceIP:192.0.2.1 Count:3 Disposition:quarantine DKIM:fail SPF:pass Reasons:[{Type:local_policy Comment:arc=pass}] HeaderFrom:example.com EnvelopeFrom:b.example.com EnvelopeTo: " +
		"DKIMResults:[{Domain:example.com Result:fail Selector:s1 Scope: Text:body hash did not verify} {Domain:example.org Result:pass Selector:s2 Scope: Text:}] " +
		"SPFResults:[{Domain:b.example.com Result:pass Selector: Scope:mfrom Text:}]} " +
		"{SourceIP:2001:db8::1 Count:1 Disposition: DKIM: SPF: Reasons:[] HeaderFrom: EnvelopeFrom: EnvelopeTo: DKIMResults:[] SPFResults:[]}] Skipped:2}"
	if want != essence {
		t.Errorf("%s\nwant %s", want, essence)
	}
}

func TestRefused(t *testing.T) {
	small := "<feedback><policy_published><domain>a.example</domain></policy_published>"
	record := "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>"
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing": {nil, ErrFormat}, "text": {[]byte("hello"), ErrFormat}, "another root": {[]byte("<html></html>"), ErrFormat}, "no policy": {[]byte("<feedback></feedback>"), ErrFormat},
		"cut off": {[]byte(sample[:900]), ErrFormat}, "gzip cut off": {gzipped(sample)[:200], ErrFormat}, "no gzip": {[]byte("\x1f\x8bxxxxxxxxxxxxx"), ErrFormat},
		"zip of nothing": {zipped("a.txt", sample), ErrFormat}, "zip of two": {zipped("a.xml", sample, "b.xml", sample), ErrFormat}, "zip cut off": {zipped("a.xml", sample)[:300], ErrFormat},
		"entities": {[]byte(`<?xml version="1.0"?><!DOCTYPE f [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><feedback>&b;</feedback>`), ErrDTD},
		"external": {[]byte(`<!DOCTYPE f SYSTEM "file:///etc/passwd">` + sample), ErrDTD},
		"depth":    {[]byte(small + strings.Repeat("<x>", 100) + strings.Repeat("</x>", 100) + "</feedback>"), ErrTooLarge},
		"records":  {[]byte(small + strings.Repeat(record, 11) + "</feedback>"), ErrTooLarge},
		"bytes":    {[]byte(small + strings.Repeat(" ", 1<<20) + "</feedback>"), ErrTooLarge},
		"charset":  {[]byte(`<?xml version="1.0" encoding="nonsense"?>` + small + "</feedback>"), ErrFormat},
	} {
		rep, err := Parse(bytes.NewReader(c.in), Limits{MaxBytes: 1 << 20, MaxRecords: 10})
		if !errors.Is(err, c.want) || rep != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// BenchmarkBombs is how long bombs take within the default limits.
func BenchmarkBombs(b *testing.B) {
	head := "<feedback><policy_published><domain>a.example</domain></policy_published>"
	for name, fill := range map[string]string{"text": strings.Repeat("a", 64<<20), "tags": strings.Repeat("<a/>", 16<<20), "spaces": strings.Repeat(" ", 64<<20)} {
		b.Run(name, func(b *testing.B) {
			in := gzipped(head + fill)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bytes.NewReader(in), Limits{}); !errors.Is(err, ErrTooLarge) {
					b.Fatal(err)
				}
			}
		})
	}
}

// A bomb of 1:1,000, the most that deflate can do, costs what XML of MaxBytes
// costs (R1).
func TestBombs(t *testing.T) {
	head := "<feedback><policy_published><domain>a.example</domain></policy_published>"
	for name, fill := range map[string]string{"text": strings.Repeat("a", 4<<20), "tags": strings.Repeat("<a/>", 1<<20), "spaces": strings.Repeat(" ", 4<<20)} {
		for kind, in := range map[string][]byte{"gzip": gzipped(head + fill), "zip": zipped("../r.xml", head+fill)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse(bytes.NewReader(in), Limits{MaxBytes: 1 << 18})
			runtime.ReadMemStats(&after)
			n := after.TotalAlloc - before.TotalAlloc
			t.Logf("%s of %s: 1:%d, %d KiB", kind, name, (4<<20)/len(in), n>>10)
			if !errors.Is(err, ErrTooLarge) || n > 96<<18 {
				t.Errorf("%s of %s: %v, %d bytes", kind, name, err, n)
			}
		}
	}
	if _, err := Parse(bytes.NewReader(gzipped(sample)), Limits{MaxPackedBytes: 100}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// Elements beyond those that a list takes take no memory, and are no error.
func TestListBombs(t *testing.T) {
	const row = "<row><source_ip>192.0.2.1</source_ip><count>1</count>"
	const elements = 50_000
	for name, c := range map[string]struct{ before, element, after string }{
		"dkim":   {"<record>" + row + "</row><auth_results>", "<dkim/>", "</auth_results></record>"},
		"spf":    {"<record>" + row + "</row><auth_results>", "<spf/>", "</auth_results></record>"},
		"reason": {"<record>" + row + "<policy_evaluated>", "<reason/>", "</policy_evaluated></row></record>"},
		"error":  {"<report_metadata>", "<error/>", "</report_metadata>"},
	} {
		in := "<feedback><policy_published><domain>a.example</domain></policy_published>" + c.before + strings.Repeat(c.element, elements)
		before := heap()
		held := int64(0)
		rep, err := Parse(io.MultiReader(strings.NewReader(in), readerFunc(func([]byte) (int, error) {
			held = max(held, heap()-before) // while the list is in the making
			return 0, io.EOF
		}), strings.NewReader(c.after+"</feedback>")), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := len(rep.Errors)
		for _, r := range rep.Records {
			n += len(r.DKIMResults) + len(r.SPFResults) + len(r.Reasons)
		}
		t.Logf("%s: %d KiB held", name, held>>10)
		if n != 100 || held > 5*elements {
			t.Errorf("%s: %d elements, %d KiB held", name, n, held>>10)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// heap is what is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add(gzipped(sample))
	f.Add(zipped("a.xml", sample))
	f.Fuzz(func(t *testing.T, in []byte) {
		rep, err := Parse(bytes.NewReader(in), Limits{MaxBytes: 1 << 16, MaxRecords: 100})
		if (rep == nil) == (err == nil) {
			t.Fatalf("%v, %v", rep, err)
		}
		if err == nil && (!utf8.ValidString(rep.OrgName) || strings.ContainsAny(rep.OrgName, "\r\n\x00") || len(rep.OrgName) > 1024 || len(rep.Records) > 100) {
			t.Fatalf("%+v", rep)
		}
	})
}
