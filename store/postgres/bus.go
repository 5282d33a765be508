package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel of LISTEN and NOTIFY, which each database has for itself.
const channel = "mailstead_store"

const (
	// payloadMax keeps a payload below the 8000 octets that NOTIFY takes.
	payloadMax = 7900
	// tellEvery is the least time between two notifications of a node.
	tellEvery = 5 * time.Millisecond
	// retryEvery is the time between two attempts to connect.
	retryEvery = time.Second
	// toldMax bounds the accounts that wait to be told; others are found by
	// asking.
	toldMax = 100_000
)

// bus implements sqlstore.Bus by LISTEN and NOTIFY, each on a connection of its
// own. NOTIFY makes transactions wait for each other, so it is never part of
// one that changes mail: the accounts that were changed meanwhile are told
// together.
type bus struct {
	config *pgx.ConnConfig
	log    *slog.Logger
	node   string // who sent a notification
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{}

	mu    sync.Mutex
	told  map[int64]bool // to be told
	heard []*func(int64)
}

func startBus(config *pgx.ConnConfig, log *slog.Logger) *bus {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bus{
		config: config.Copy(), log: log, node: rand.Text(), cancel: cancel,
		kick: make(chan struct{}, 1), told: make(map[int64]bool),
	}
	// What is told is lost in a crash anyway.
	b.config.RuntimeParams["synchronous_commit"] = "off"
	b.wg.Go(func() { b.keep(ctx, "listening", b.listen) })
	b.wg.Go(func() { b.keep(ctx, "telling", b.send) })
	return b
}

func (b *bus) close() {
	b.cancel()
	b.wg.Wait()
}

// Tell implements sqlstore.Bus.
func (b *bus) Tell(account int64) {
	b.mu.Lock()
	if len(b.told) < toldMax {
		b.told[account] = true
	}
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// Listen implements sqlstore.Bus.
func (b *bus) Listen(heard func(account int64)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, &heard)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, h := range b.heard {
			if h == &heard {
				b.heard = append(b.heard[:i:i], b.heard[i+1:]...)
				return
			}
		}
	}
}

// keep runs do on a connection, and on a new one when that is lost.
func (b *bus) keep(ctx context.Context, what string, do func(context.Context, *pgx.Conn) error) {
	for {
		err := b.connected(ctx, do)
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("the connection for "+what+" to other nodes was lost; changes are found by asking meanwhile", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
	}
}

func (b *bus) connected(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, b.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	return do(ctx, conn)
}

func (b *bus) listen(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		b.pass(n.Payload)
	}
}

// pass tells those who listen what another node sent: its name, then accounts.
func (b *bus) pass(payload string) {
	node, list, _ := strings.Cut(payload, " ")
	if node == b.node {
		return
	}
	b.mu.Lock()
	heard := b.heard
	b.mu.Unlock()
	for word := range strings.FieldsSeq(list) {
		account, err := strconv.ParseInt(word, 36, 64)
		if err != nil {
			continue // of a version that says more
		}
		for _, h := range heard {
			(*h)(account)
		}
	}
}

func (b *bus) send(ctx context.Context, conn *pgx.Conn) error {
	pause := time.NewTicker(tellEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.kick:
		}
		for _, payload := range b.payloads() {
			if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", channel, payload); err != nil {
				return fmt.Errorf("notify: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// payloads takes what is to be told.
func (b *bus) payloads() (list []string) {
	b.mu.Lock()
	told := b.told
	b.told = make(map[int64]bool)
	b.mu.Unlock()
	text := []byte(b.node)
	for account := range told {
		if len(text) > payloadMax-16 {
			list = append(list, string(text))
			text = text[:len(b.node)]
		}
		text = strconv.AppendInt(append(text, ' '), account, 36)
	}
	if len(text) > len(b.node) {
		list = append(list, string(text))
	}
	return list
}
