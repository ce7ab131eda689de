package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"

	"github.com/vitascope/vitascope/internal/catalog"
)

// A lease outlives a killed holder by leaseTTL, which is then how long a client
// that resumes at once has to wait: less than tusd's patience of 20 s.
const (
	leaseTTL   = 6 * time.Second
	leaseRenew = time.Second
	leaseRetry = 150 * time.Millisecond
)

// leaseLocker makes requests for one upload take turns in all processes: first
// within this one, in memory, then among processes, by a lease in the catalog.
// Who waits says so by a second lease; the holder sees it when it renews its own,
// and lets go. Should a holder lose its lease unnoticed, its late writes still do
// no harm: see the package doc.
type leaseLocker struct {
	db    *catalog.DB
	local *memorylocker.MemoryLocker
	log   *slog.Logger
}

func newLeaseLocker(db *catalog.DB, log *slog.Logger) *leaseLocker {
	return &leaseLocker{db: db, local: memorylocker.New(), log: log}
}

// NewLock implements tusd's locker.
func (l *leaseLocker) NewLock(id string) (handler.Lock, error) {
	local, err := l.local.NewLock(id)
	if err != nil {
		return nil, err
	}
	return &leaseLock{leaseLocker: l, local: local, resource: "uploads/" + id, holder: catalog.NewID()}, nil
}

type leaseLock struct {
	*leaseLocker
	local    handler.Lock
	resource string
	holder   string
	stop     context.CancelFunc
	stopped  chan struct{}
}

func (l *leaseLock) wanted() string { return l.resource + "/wanted" }

// Lock implements tusd's lock.
func (l *leaseLock) Lock(ctx context.Context, requestUnlock func()) error {
	if err := l.local.Lock(ctx, requestUnlock); err != nil {
		return err
	}
	if err := l.lease(ctx); err != nil {
		_ = l.local.Unlock() // never fails
		return err
	}
	keepCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.stopped = stop, make(chan struct{})
	go func() { defer close(l.stopped); l.keep(keepCtx, requestUnlock) }()
	return nil
}

// lease waits for the lease, telling its holder that it is wanted.
func (l *leaseLock) lease(ctx context.Context) error {
	told := false
	defer func() {
		if told {
			l.release(ctx, l.wanted())
		}
	}()
	for {
		ok, err := l.db.AcquireLease(ctx, l.resource, l.holder, leaseTTL)
		if ok && err == nil {
			return nil
		}
		if err == nil {
			told = true
			_, err = l.db.AcquireLease(ctx, l.wanted(), l.holder, leaseTTL)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return handler.ErrLockTimeout
		case <-time.After(leaseRetry):
		}
	}
}

// keep renews the lease until the lock is given back, and asks for that when
// another process waits or the lease is lost.
func (l *leaseLock) keep(ctx context.Context, requestUnlock func()) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		held, err := l.db.AcquireLease(ctx, l.resource, l.holder, leaseTTL)
		if err != nil {
			continue // the lease lasts for several tries
		}
		free, err := l.db.AcquireLease(ctx, l.wanted(), l.holder, leaseRenew)
		if err == nil && free {
			l.release(ctx, l.wanted())
		}
		if !held || err == nil && !free {
			requestUnlock()
		}
	}
}

// Unlock implements tusd's lock.
func (l *leaseLock) Unlock() error {
	l.stop()
	<-l.stopped
	l.release(context.Background(), l.resource)
	return l.local.Unlock()
}

func (l *leaseLock) release(ctx context.Context, resource string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.db.ReleaseLease(ctx, resource, l.holder); err != nil {
		l.log.WarnContext(ctx, "lease not given back", "resource", resource, "err", err)
	}
}
