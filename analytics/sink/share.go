package sink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vitascope/vitascope/internal/eventlog"
)

const (
	leasePrefix  = "sink/" + eventlog.TopicBeacons + "/"
	memberPrefix = leasePrefix + "member/"
)

func partitionLease(p int) string { return fmt.Sprintf("%spartition/%d", leasePrefix, p) }

// share takes part in sharing out partitions until ctx is done: each process
// holds a lease that says it is there and as many partitions as are its fair
// share. A process that dies loses its leases after LeaseTTL; one that joins
// gets its share as the others give theirs up. What one of them held runs out after
// its membership, and what others give up is free when they have finished a batch: so
// for a while after a change it is asked more often what is free.
func (s *Sink) share(ctx context.Context, partitions []int, crew *crew) error {
	defer s.leave(ctx, crew)
	renewed, members, restless := time.Now(), 0, time.Time{}
	for {
		began := time.Now()
		n, err := s.claim(ctx, partitions, crew)
		switch {
		case err == nil:
			renewed = time.Now()
			if n != members {
				members, restless = n, renewed.Add(s.cfg.LeaseTTL/4)
			}
		case ctx.Err() != nil:
		case time.Since(renewed) > s.cfg.LeaseTTL*3/4:
			s.log.WarnContext(ctx, "leases cannot be renewed: leaving all partitions", "err", err)
			crew.stopAll()
		default:
			s.log.WarnContext(ctx, "leases do not answer", "err", err)
		}
		pause := s.cfg.LeaseTTL / 4
		if time.Now().Before(restless) {
			pause = s.cfg.LeaseTTL / 20
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(began.Add(pause))):
		}
	}
}

// claim renews what this process holds and moves towards its fair share. It returns
// how many processes share.
func (s *Sink) claim(ctx context.Context, partitions []int, crew *crew) (members int, err error) {
	once, cancel := context.WithTimeout(ctx, s.cfg.LeaseTTL/2)
	defer cancel()
	if _, err := s.leases.AcquireLease(once, memberPrefix+s.cfg.Holder, s.cfg.Holder, s.cfg.LeaseTTL); err != nil {
		return 0, err
	}
	holders, err := s.leases.LeaseHolders(once, memberPrefix)
	if err != nil {
		return 0, err
	}
	members = len(holders)
	share := (len(partitions) + members - 1) / max(1, members)
	for _, p := range slices.Sorted(maps.Keys(crew.working)) {
		if len(crew.working) > share {
			crew.stop(p)
			if err := s.leases.ReleaseLease(once, partitionLease(p), s.cfg.Holder); err != nil {
				return members, err
			}
			continue
		}
		held, err := s.leases.AcquireLease(once, partitionLease(p), s.cfg.Holder, s.cfg.LeaseTTL)
		if err != nil {
			return members, err
		}
		if !held {
			crew.stop(p)
		}
	}
	return members, s.takeFree(ctx, once, partitions, share, crew)
}

// takeFree starts work on free partitions until the share is reached. once bounds
// the asking, ctx the work.
func (s *Sink) takeFree(ctx, once context.Context, partitions []int, share int, crew *crew) error {
	for _, p := range partitions {
		if len(crew.working) >= share {
			return nil
		}
		if crew.working[p] != nil {
			continue
		}
		held, err := s.leases.AcquireLease(once, partitionLease(p), s.cfg.Holder, s.cfg.LeaseTTL)
		if err != nil {
			return err
		}
		if held {
			crew.start(ctx, p)
		}
	}
	return nil
}

// leave stops working and gives every lease back, so that others need not wait.
func (s *Sink) leave(ctx context.Context, crew *crew) {
	held := slices.Sorted(maps.Keys(crew.working))
	crew.stopAll()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	names := []string{memberPrefix + s.cfg.Holder}
	for _, p := range held {
		names = append(names, partitionLease(p))
	}
	for _, name := range names {
		if err := s.leases.ReleaseLease(ctx, name, s.cfg.Holder); err != nil {
			s.log.WarnContext(ctx, "lease not given back; it will run out", "resource", name, "err", err)
			return
		}
	}
}
