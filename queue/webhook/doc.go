// Package webhook tells other programs by HTTP what becomes of messages. What is
// to be told is a job of the queue itself: it comes into being in the commit that
// makes it true, is retried as mail is, and has a destination of its own, so that
// an endpoint that is down holds nothing up.
//
//	hooks := &webhook.Hooks{Endpoints: []webhook.Endpoint{{
//		Name: "crm", URL: "https://crm.example.org/mail", Secrets: []webhook.Secret{secret},
//		Kinds: []queue.EventKind{queue.EventDelivered, queue.EventFailed, queue.EventExpired},
//	}}}
//	q.Notify = hooks.Notify
//	runner.Router = hooks.Router(router)
//	runner.Discard = webhook.Is
//
// The form of the requests is that of the Standard Webhooks specification: a JSON
// object of type, timestamp and data, and the header fields webhook-id,
// webhook-timestamp and webhook-signature (HMAC-SHA256). Verify is the other side.
//
//	{"type": "queue.events", "timestamp": "2026-11-28T12:00:00Z", "data": {"events": [
//		{"kind": "delivered", "message": "…", "job": "…", "destination": "example.net", "sender": "a@example.org",
//		 "recipients": ["b@example.net"], "reply": "250 2.0.0 OK", "next_hop": "mx.example.net", "attempts": 1, "final": true, "time": "…"}]}}
//
// # What a reply means
//
//	2xx             told
//	410             the endpoint wants no more: the event is dropped, and nothing is told there until the process ends
//	429, 503        later, not before Retry-After (at most an hour) for whatever is to be told there
//	anything else   later, by the schedule of the queue; redirects are not followed
//
// # Invariants
//
//	W1  An event is told if and only if it happened: its job is put in the same
//	    commit. It may come more than once, with the same webhook-id.
//	W2  Events come in no particular order.
//	W3  A webhook causes no webhooks, no DSNs, and never a failure of mail.
//	W4  What does not arrive within GiveUp is dropped, with a line in the log. Where
//	    the queue.Runner has no Reporter, its Discard has to say so (Is); else it
//	    is held, as mail is.
//	W5  Secrets and what is told are never logged.
//
// # Limits
//
//	100      events a request, about; more are several jobs
//	512      octets of a text of somebody else, as a reply
//	15 s     a request
//	64 KiB   of the answer are read
//
// # Concurrency
//
// Everything may be used from any number of goroutines, once the fields are set.
// No goroutine is started that outlasts a request but those of idle connections,
// which are kept for a minute.
package webhook
