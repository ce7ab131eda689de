package query

import (
	"context"
	"log/slog"
	"time"

	"github.com/vitascope/vitascope/internal/warehouse"
)

// upkeepEvery is how often the warehouse is looked after.
const upkeepEvery = time.Hour

// RunUpkeep removes views that accounts keep no longer and has sums of days kept for
// media that have become busy, until ctx ends. Several processes may do so at once.
func (s *Service) RunUpkeep(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		done, err := s.db.Expire(ctx, s.now())
		for _, e := range done {
			log.InfoContext(ctx, "views expired", "account_id", e.Account, "before", e.Before, "views", e.Views, "media", e.Media)
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "views that are too old stay for now", "err", err)
		}
		marked, err := s.db.MarkBusy(ctx, warehouse.BusyLoads)
		for _, k := range marked {
			log.InfoContext(ctx, "media is busy: sums of its days are kept", "account_id", k.Account, "media_id", k.Media)
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "sums of days are not kept of all busy media for now", "err", err)
		}
	}
}
