package program

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/metrics"
)

// silent is a storage that cannot count.
type silent struct{ queue.Storage }

func (silent) Stats(context.Context) (queue.Stats, error) {
	return queue.Stats{}, errors.New("secret of the database")
}

func readVars(t *testing.T, m *metrics.Metrics) (doc struct{ Queue queueVars }, text string) {
	t.Helper()
	w := NewWeb(true)
	w.Publish("queue", QueueVars(m, slog.New(slog.DiscardHandler)))
	rec := httptest.NewRecorder()
	w.server.Handler.ServeHTTP(rec, httptest.NewRequest("GET", "/debug/vars", nil))
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v in %s", err, rec.Body)
	}
	return doc, rec.Body.String()
}

func TestQueueVars(t *testing.T) {
	store := &memqueue.Storage{}
	created := time.Now().Add(-2 * time.Second)
	if err := store.Put(t.Context(), queue.Job{ID: "1", Message: "1", Destination: "example.net", Created: created, Due: created, Recipients: make([]queue.Recipient, 1)}); err != nil {
		t.Fatal(err)
	}
	m := &metrics.Metrics{Runner: &queue.Runner{Queue: &queue.Queue{Storage: store}}}
	m.Event(queue.Event{Kind: queue.EventDelivered, Job: &queue.Job{Created: created}, Time: created.Add(2 * time.Second)})
	m.Event(queue.Event{Kind: queue.EventDeferred})
	doc, text := readVars(t, m)
	v := doc.Queue
	if v.Events.Delivered != 1 || v.Deferred["none"] != 1 || v.Latency.Sum != 2 || len(v.Latency.Counts) != len(v.Latency.Bounds)+1 {
		t.Errorf("counters: %s", text)
	}
	if v.Jobs == nil || v.Jobs.Jobs != 1 || v.Jobs.Destinations != 1 || v.Jobs.Oldest == nil {
		t.Errorf("jobs: %s", text)
	}
	if !strings.Contains(text, `"memstats"`) {
		t.Error("what others have published is gone")
	}
}

func TestQueueVarsWithoutStorage(t *testing.T) {
	m := &metrics.Metrics{Runner: &queue.Runner{Queue: &queue.Queue{Storage: silent{}}}}
	m.Event(queue.Event{Kind: queue.EventFailed})
	doc, text := readVars(t, m)
	if doc.Queue.Events.Failed != 1 || doc.Queue.Jobs != nil || strings.Contains(text, "secret") {
		t.Errorf("%s", text)
	}
}
