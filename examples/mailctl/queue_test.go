package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/sqlite"
)

// queued is a data directory with three jobs.
func queued(t *testing.T) (data string) {
	t.Helper()
	data = t.TempDir()
	e, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := sqlqueue.New(t.Context(), e.DB(), sqlqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"x@a.example", "y@b.example", "z@b.example"} {
		p, err := smtp.ParseForwardPath("<"+to+">", true)
		if err != nil {
			t.Fatal(err)
		}
		w, err := e.Blobs().Create(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		ref, err := w.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		job := queue.Job{ID: "j-" + to[:1], Message: "m", Destination: to[2:], Blob: ref, Size: 1, Recipients: []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: p}}}}
		if err := q.Put(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestQueue: jobs are listed, held, released and dropped.
func TestQueue(t *testing.T) {
	data := queued(t)
	if st := ok[answer.QueueStats](t, "--data", data, "queue", "stats"); st.Jobs != 3 || st.Destinations != 2 {
		t.Errorf("%+v", st)
	}
	if x := ok[answer.Changed](t, "--data", data, "--dry-run", "queue", "hold", "--destination", "b.example"); x.Jobs != 2 || !x.DryRun {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "hold", "--destination", "b.example"); x.Jobs != 2 {
		t.Errorf("%+v", x)
	}
	if l := ok[struct{ Jobs []answer.Job }](t, "--data", data, "queue", "list", "--held"); len(l.Jobs) != 2 || l.Jobs[0].Hold == "" {
		t.Errorf("%+v", l)
	}
	if j := ok[answer.Job](t, "--data", data, "queue", "show", "j-x"); j.Destination != "a.example" || len(j.Recipients) != 1 {
		t.Errorf("%+v", j)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "release", "--all"); x.Jobs == 0 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "retry", "j-x"); x.Jobs != 1 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "drop", "j-x", "j-y"); x.Jobs != 2 {
		t.Errorf("%+v", x)
	}
	if st := ok[answer.QueueStats](t, "--data", data, "queue", "stats"); st.Jobs != 1 {
		t.Errorf("%+v", st)
	}
}

// TestQueueWays: jobs are rerouted and bounced.
func TestQueueWays(t *testing.T) {
	data := queued(t)
	if x := ok[answer.Changed](t, "--data", data, "--dry-run", "queue", "reroute", "--destination", "b.example", "--to", "c.example"); x.Jobs != 2 || !x.DryRun {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "reroute", "--destination", "b.example", "--to", "C.example."); x.Jobs != 2 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Changed](t, "--data", data, "queue", "bounce", "j-x", "--reason", "no such host"); x.Jobs != 1 {
		t.Errorf("%+v", x)
	}
	for id, want := range map[string]string{"j-x": queue.BounceDestination, "j-y": "via:c.example", "j-z": "via:c.example"} {
		if j := ok[answer.Job](t, "--data", data, "queue", "show", id); j.Destination != want || len(j.Recipients) != 1 {
			t.Errorf("%+v", j)
		}
	}
}

// TestQueueShape counts by age.
func TestQueueShape(t *testing.T) {
	data := queued(t)
	x := ok[answer.Shape](t, "--data", data, "queue", "shape")
	if len(x.Rows) != 2 || x.Rows[0].Key != "b.example" || x.Rows[0].Total != 2 || len(x.Rows[0].Ages) != queue.ShapeColumns || x.Rows[0].Ages[9] != 2 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Shape](t, "--data", data, "queue", "shape", "--by", "sender", "--destination", "a.example"); len(x.Rows) != 1 || x.Rows[0].Key != "" || x.Rows[0].Total != 1 {
		t.Errorf("%+v", x)
	}
	code, out, _ := ctl(t, "", "--data", data, "queue", "shape", "--top", "1")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitOK || len(lines) != 2 || !strings.Contains(lines[0], " 1280  older") || !strings.HasPrefix(lines[1], "b.example       2 ") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestQueuePause: a pause stays until it is ended, and only changes are counted.
func TestQueuePause(t *testing.T) {
	data := queued(t)
	if x := ok[pausedChange](t, "--data", data, "--dry-run", "queue", "pause", "a.example"); x.Destinations != 1 || !x.DryRun {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Paused](t, "--data", data, "queue", "paused"); x.Destinations == nil || len(x.Destinations) != 0 {
		t.Errorf("%+v", x)
	}
	if x := ok[pausedChange](t, "--data", data, "queue", "pause", "b.example", "a.example", "b.example"); x.Destinations != 2 {
		t.Errorf("%+v", x)
	}
	if x := ok[pausedChange](t, "--data", data, "queue", "resume", "b.example", "c.example"); x.Destinations != 1 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Paused](t, "--data", data, "queue", "paused"); len(x.Destinations) != 1 || x.Destinations[0] != "a.example" {
		t.Errorf("%+v", x)
	}
}

// TestQueueSuppress: addresses are added, listed and removed.
func TestQueueSuppress(t *testing.T) {
	data := queued(t)
	if x := ok[addressChange](t, "--data", data, "--dry-run", "queue", "suppress", "add", "x@a.example"); x.Addresses != 1 || !x.DryRun {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Suppressions](t, "--data", data, "queue", "suppress", "list"); x.Addresses == nil || len(x.Addresses) != 0 {
		t.Errorf("%+v", x)
	}
	ok[addressChange](t, "--data", data, "queue", "suppress", "add", "X@A.example", "b.example", "--reason", "complained", "--for", "24h")
	if x := ok[answer.Suppressions](t, "--data", data, "queue", "suppress", "list", "x@"); len(x.Addresses) != 1 || x.Addresses[0].Address != "x@a.example" ||
		x.Addresses[0].Reason != "complained" || x.Addresses[0].Added == nil || x.Addresses[0].Expires == nil {
		t.Errorf("%+v", x)
	}
	if x := ok[addressChange](t, "--data", data, "queue", "suppress", "remove", "x@A.example", "nobody@a.example"); x.Addresses != 1 {
		t.Errorf("%+v", x)
	}
	if x := ok[answer.Suppressions](t, "--data", data, "queue", "suppress", "list"); len(x.Addresses) != 1 || x.Addresses[0].Address != "@b.example" {
		t.Errorf("%+v", x)
	}
}

// TestQueueRules: rules are added, listed and removed.
func TestQueueRules(t *testing.T) {
	data := queued(t)
	ok[ruleChange](t, "--data", data, "queue", "rule", "add", "big", "--min-octets", "1000", "--sender", "<>", "--for", "1h", "--reason", "too big")
	ok[ruleChange](t, "--data", data, "queue", "rule", "add", "all", "--all")
	if x := ok[ruleChange](t, "--data", data, "--dry-run", "queue", "rule", "remove", "all", "none"); x.Rules != 1 || !x.DryRun {
		t.Errorf("%+v", x)
	}
	ok[ruleChange](t, "--data", data, "queue", "rule", "remove", "all")
	x := ok[answer.HoldRules](t, "--data", data, "queue", "rule", "list")
	if len(x.Rules) != 1 || x.Rules[0].Name != "big" || x.Rules[0].MinOctets != 1000 || x.Rules[0].Sender != "<>" || x.Rules[0].Expires == nil {
		t.Errorf("%+v", x)
	}
	if _, out, _ := ctl(t, "", "--data", data, "queue", "rule", "list"); !strings.HasPrefix(out, "big  sender <>  octets from 1000  until ") || !strings.HasSuffix(out, "too big\n") {
		t.Error(out)
	}
}

// TestQueueHistory reads what a server has recorded.
func TestQueueHistory(t *testing.T) {
	data := queued(t)
	e, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := sqlqueue.New(t.Context(), e.DB(), sqlqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for j, err := range q.List(t.Context(), queue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		entries := (&history.History{Storage: q}).Record(j, []queue.Result{{State: queue.Delivered, NextHop: "mx." + j.Destination}}, time.Now().Add(-time.Hour))
		if err := q.PutEntries(t.Context(), entries...); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int{
		"": 3, "--recipient Y@b.example": 1, "--since 2h": 3, "--since 30m": 0, "--until 30m --limit 2": 2, "--message none": 0, "--sender <>": 3,
		"--since 2020-01-01 --until 2021-01-01T00:00:00Z": 0,
	} {
		x := ok[answer.History](t, append([]string{"--data", data, "queue", "history"}, strings.Fields(args)...)...)
		if len(x.Records) != want || want == 1 && (x.Records[0].Job != "j-y" || x.Records[0].Recipients[0].NextHop != "mx.b.example") {
			t.Errorf("%s: %+v", args, x)
		}
	}
}

// TestQueueOwned: what a server is asked, where it owns the data.
func TestQueueOwned(t *testing.T) {
	data := t.TempDir()
	e, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	l, err := net.Listen("unix", filepath.Join(data, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string // of one command at a time
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in map[string]any
		_ = json.Unmarshal(body, &in)
		maps.DeleteFunc(in, func(_ string, v any) bool { return v == nil || v == "" || v == false })
		body, _ = json.Marshal(in)
		asked = append(asked, r.Method+" "+strings.TrimPrefix(r.URL.String(), "/v1/queue/")+" "+string(body))
		fmt.Fprintln(w, queueAnswers[r.URL.Path])
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	for _, c := range queueRequests {
		asked = nil
		code, out, errs := ctl(t, "", append([]string{"--data", data}, strings.Fields(c.args)...)...)
		if got := strings.Join(asked, "; "); code != exitOK || got != c.asks || !strings.Contains(out, c.out) {
			t.Errorf("%s: exit %d, asked\n%s\n%s%s", c.args, code, got, out, errs)
		}
	}
}

var queueAnswers = map[string]string{
	"/v1/queue/reroute": `{"jobs":3}`, "/v1/queue/bounce": `{"jobs":4}`, "/v1/queue/pause": `{}`, "/v1/queue/resume": `{}`,
	"/v1/queue/rules": `{"rules":[{"name":"r","all":true}]}`, "/v1/queue/rules/a/b": `{}`, "/v1/queue/suppress": `{}`, "/v1/queue/unsuppress": `{}`,
	"/v1/queue/suppressed": `{"addresses":[{"address":"x@a.example","reason":"r"}]}`,
	"/v1/queue/history":    `{"records":[{"message":"m7","recipients":[{"address":"x@a.example","state":"failed"}]}]}`,
	"/v1/queue/paused":     `{"destinations":["p.example"]}`,
	"/v1/queue/shape":      `{"rows":[{"key":"a.example","total":7,"ages":[1,0,0,0,0,0,0,0,0,6]}]}`,
}

var queueRequests = []struct{ args, asks, out string }{
	{"queue reroute --sender a@b --to C.example", `POST reroute {"sender":"a@b","to":"c.example"}`, "3 jobs"},
	{"queue bounce j1 --reason gone", `POST bounce {"ids":["j1"],"reason":"gone"}`, "4 jobs"},
	{"queue shape --by sender --held --top 5", `GET shape?by=sender&held=true&top=5 null`, "a.example       7"},
	{"queue rule list", "GET rules null", "r  everything"},
	{"queue rule add r --min-recipients 50 --recipient b.example", `POST rules {"min_recipients":50,"name":"r","recipient":"@b.example"}`, "1 rules"},
	{"queue rule remove a/b", "DELETE rules/a%2Fb null", "1 rules"},
	{"queue suppress add x@a.example --reason r", `POST suppress {"address":"x@a.example","reason":"r"}`, "1 addresses"},
	{"queue suppress remove X@a.example", `GET suppressed?prefix=X%40a.example null; POST unsuppress {"address":"X@a.example"}`, "1 addresses"},
	{"queue history --message m7", "GET history?limit=100&message=m7 null", "m7  <>  failed  to x@a.example"},
	{"queue paused", `GET paused null`, "p.example"},
	{"queue pause p.example q.example", `GET paused null; POST pause {"destination":"q.example"}`, "1 destinations"},
	{"queue resume p.example q.example", `GET paused null; POST resume {"destination":"p.example"}`, "1 destinations"},
}
